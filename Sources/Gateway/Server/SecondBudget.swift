import Synchronization

/// So many of something in each second, for all who ask together: what is beyond is left out, not put off.
final class SecondBudget: Sendable {
    private struct State {
        var second = Int64.min
        var left = 0
    }

    private let perSecond: Int
    private let began = ContinuousClock.now
    private let state = Mutex(State())

    init(_ perSecond: Int) { self.perSecond = perSecond }

    /// - Returns: how many of these there may be now.
    func take(_ count: Int) -> Int { take(count, at: ContinuousClock.now - began) }

    /// - Parameter now: since any moment in the past.
    func take(_ count: Int, at now: Duration) -> Int {
        state.withLock { state in
            if state.second != now.components.seconds { state = State(second: now.components.seconds, left: perSecond) }
            let granted = min(count, state.left)
            state.left -= granted
            return granted
        }
    }
}
