import StatexClient
import StatexReads
import Synchronization

/// Whether the gateway can do its work: its journal and its scheduler answer. A load balancer asks often, so an
/// answer holds for a moment.
final class Readiness: Sendable {
    struct Reason: Sendable, Equatable {
        let part: String
        let text: String
    }

    private struct State {
        var last: (reasons: [Reason], at: ContinuousClock.Instant)?
        var underWay: Task<[Reason], Never>?
    }

    private enum Answer {
        case known([Reason])
        case underWay(Task<[Reason], Never>)
    }

    private let look: @Sendable () async -> [Reason]
    private let state = Mutex(State())

    /// - Parameter look: what there is to find.
    init(look: @escaping @Sendable () async -> [Reason]) { self.look = look }

    convenience init(reads: ReadPool, scheduler: SchedulerLink) {
        self.init {
            async let journal = Self.reason(of: reads)
            async let scheduler = Self.reason(of: scheduler)
            return [await journal, await scheduler].compactMap { $0 }
        }
    }

    /// Why it is not ready; none: it is. Who asks while a look is under way is answered by that one: of many that ask a
    /// journal that hangs, one waits for it.
    /// - Parameter fresh: looks, whatever was found a moment ago.
    func reasons(fresh: Bool = false) async -> [Reason] {
        let now = ContinuousClock.now
        let answer = state.withLock { state -> Answer in
            if !fresh, let last = state.last, now - last.at < GatewayLimits.readinessAge { return .known(last.reasons) }
            if let underWay = state.underWay { return .underWay(underWay) }
            // Of nobody's own: it goes on for the others when who asked first has gone.
            let look = Task { await self.lookNow() }
            state.underWay = look
            return .underWay(look)
        }
        switch answer {
        case .known(let reasons): return reasons
        case .underWay(let look): return await look.value
        }
    }

    private func lookNow() async -> [Reason] {
        let reasons = await look()
        state.withLock { $0 = State(last: (reasons, .now)) }
        return reasons
    }

    private static func reason(of reads: ReadPool) async -> Reason? {
        do throws(ReadError) {
            try await reads.read(within: GatewayLimits.readinessPatience) { reader throws(ReadError) in
                try reader.check()
            }
            return nil
        } catch {
            return Reason(part: "journal", text: Problem(error).detail)
        }
    }

    private static func reason(of scheduler: SchedulerLink) async -> Reason? {
        guard let client = try? scheduler.client() else {
            return Reason(part: "scheduler", text: "it was not there yet")
        }
        let failure = await withTaskGroup(of: ClientError?.self) { group in
            group.addTask {
                do throws(ClientError) {
                    _ = try await client.schedulerStatus()
                    return nil
                } catch {
                    return error
                }
            }
            group.addTask {
                try? await Task.sleep(for: GatewayLimits.readinessPatience)
                return .unreachable("")
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        return failure.map { Reason(part: "scheduler", text: Problem($0).detail) }
    }
}
