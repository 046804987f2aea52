import StatexKeys
import Synchronization

/// The scheduler's own key, and the list of those that it lets in: shared with the thread that answers handshakes.
package final class Keyring: Sendable {
    package let secret: SecretKey
    private let state: Mutex<State>
    private let say: @Sendable (String) -> Void

    private struct State {
        var list: AllowList
        var refused: UInt64 = 0
        /// Not said yet, because something was said within this second.
        var unsaid: UInt64 = 0
        var quietUntil = ContinuousClock.now
    }

    /// - Parameter say: is told who is refused, once a second at most; called on the thread that answers.
    package init(secret: SecretKey, list: AllowList, say: @escaping @Sendable (String) -> Void) {
        self.secret = secret
        self.say = say
        state = Mutex(State(list: list))
    }

    package var list: AllowList { state.withLock { $0.list } }
    /// Handshakes that were refused.
    var refused: UInt64 { state.withLock { $0.refused } }

    /// From now on those of the new list are let in. (The broker ends the sessions of the others when it is told.)
    package func replace(with list: AllowList) { state.withLock { $0.list = list } }

    /// Whether a handshake with this key at this door is finished.
    func admits(_ key: String, _ name: String) -> Bool {
        let (isAdmitted, words) = state.withLock { state -> (Bool, String?) in
            let known = state.list[key]
            if let known, let door = Door(rawValue: name), known.role.mayEnter(door) { return (true, nil) }
            state.refused += 1
            state.unsaid += 1
            let now = ContinuousClock.now
            guard now >= state.quietUntil else { return (false, nil) }
            state.quietUntil = now + .seconds(1)
            let others = state.unsaid > 1 ? ", and \(state.unsaid - 1) others since" : ""
            state.unsaid = 0
            return (
                false, "keys: \(known?.summary ?? "an unknown key (\(key))") was refused at the door \(name)\(others)"
            )
        }
        if let words { say(words) }
        return isAdmitted
    }
}
