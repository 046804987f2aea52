import Synchronization

/// Tells one attempt to stop. Set at most once, from any thread.
public final class Cancellation: Sendable {
    public enum Reason: Sendable, Equatable {
        /// A user cancelled the job or its request.
        case cancelled
        /// The attempt used up its run-time limit.
        case timeout
        /// The lease is no longer this worker's, or the worker is draining past its limit.
        case revoked
    }

    private struct State {
        var reason: Reason?
        var onCancel: (@Sendable (Reason) -> Void)?
    }
    private let state = Mutex(State())

    public init() {}

    /// Why the attempt must stop, or nil while it may go on.
    public var reason: Reason? { state.withLock { $0.reason } }
    public var isCancelled: Bool { reason != nil }

    /// Nobody asked anything of it, so it can serve another attempt.
    package var isUnused: Bool { state.withLock { $0.reason == nil && $0.onCancel == nil } }

    /// Calls `body` once, on the canceller's thread, when the attempt must stop; at once if it already
    /// must. A later call replaces an earlier one; nil takes it back.
    public func onCancel(_ body: (@Sendable (Reason) -> Void)?) {
        let already = state.withLock { state -> Reason? in
            if state.reason == nil { state.onCancel = body }
            return state.reason
        }
        if let already, let body { body(already) }
    }

    /// Asks the attempt to stop. The first reason stands.
    public func cancel(_ reason: Reason) {
        let call = state.withLock { state -> (@Sendable (Reason) -> Void)? in
            guard state.reason == nil else { return nil }
            state.reason = reason
            defer { state.onCancel = nil }
            return state.onCancel
        }
        call?(reason)
    }

    /// Runs `body` as a task that is cancelled when the attempt must stop: for what reacts to the
    /// cancellation of its task, such as `Task.sleep` or a request of `URLSession`.
    public func cancelling<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value
    {
        let task = Task { try await body() }
        onCancel { _ in task.cancel() }
        defer { onCancel(nil) }
        return try await task.value
    }
}
