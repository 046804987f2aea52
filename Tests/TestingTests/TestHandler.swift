import StatexTesting
import Synchronization

/// A handler that is a closure.
struct TestHandler: Handler {
    let kind: String
    var missing: String?
    let body: @Sendable (Job) async throws -> Payload

    init(_ kind: String, missing: String? = nil, _ body: @escaping @Sendable (Job) async throws -> Payload) {
        self.kind = kind
        self.missing = missing
        self.body = body
    }

    func run(_ job: Job) async throws -> Payload { try await body(job) }
    func unavailable() async -> String? { missing }
}

/// What handlers saw, in order; and a door that they wait behind.
final class Notebook: Sendable {
    private struct State {
        var lines: [String] = []
        var isOpen = false
        var behindTheDoor: [CheckedContinuation<Void, Never>] = []
        var readers: [(count: Int, reader: CheckedContinuation<Void, Never>)] = []
    }
    private let state = Mutex(State())

    var lines: [String] { state.withLock { $0.lines } }

    func write(_ line: String) {
        let readers = state.withLock { state in
            state.lines.append(line)
            let count = state.lines.count
            defer { state.readers.removeAll { $0.count <= count } }
            return state.readers.filter { $0.count <= count }
        }
        for reader in readers { reader.reader.resume() }
    }

    /// Returns once so many lines are written. (The suite's time limit is the deadline.)
    func reaches(_ count: Int) async {
        await withCheckedContinuation { reader in
            let isThere = state.withLock { state in
                guard state.lines.count < count else { return true }
                state.readers.append((count, reader))
                return false
            }
            if isThere { reader.resume() }
        }
    }

    func waitAtTheDoor() async {
        await withCheckedContinuation { waiter in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.behindTheDoor.append(waiter) }
                return state.isOpen
            }
            if isOpen { waiter.resume() }
        }
    }

    func openTheDoor() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.behindTheDoor = [] }
            return state.behindTheDoor
        }
        for waiter in waiters { waiter.resume() }
    }
}
