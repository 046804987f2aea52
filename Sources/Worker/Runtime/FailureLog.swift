import CLinux
import StatexHandlerAPI
import StatexLog
import StatexProtocol
import StatexWorkerCore
import Synchronization

/// Says which attempts failed, by their jobs' ids, and no more of them than somebody reads: a kind whose handler is
/// broken fails a thousand times a second. The error's words are the submitter's, and stand in the journal.
final class FailureLog: Sendable {
    private struct State {
        var second: Int64 = 0
        var said = 0
        var left = 0
    }
    private static let linesInSecond = 10

    private let log: Log
    private let state = Mutex(State())

    init(_ log: Log) { self.log = log }

    func failed(_ lease: QueuedLease, kind: String, _ error: any Error, at now: Int64) {
        let (isSaid, left) = state.withLock { state -> (Bool, Int) in
            if now / second != state.second {
                state.second = now / second
                state.said = 0
            }
            guard state.said < Self.linesInSecond else {
                state.left += 1
                return (false, 0)
            }
            state.said += 1
            defer { state.left = 0 }
            return (true, state.left)
        }
        guard isSaid else { return }
        if left > 0 { log.warning("more attempts failed", ["count": "\(left)"]) }
        let failure = error as? HandlerError
        var fields = [
            ("job", "\(lease.id)"), ("attempt", "\(lease.attempt)"), ("kind", kind),
            ("class", ResultRules.errorClass(failure?.errorClass ?? "error")),
            ("retryable", "\(failure?.retryable ?? true)"),
        ]
        if let trace = lease.trace { fields += [("request", "\(trace.request)"), ("trace_id", trace.traceID)] }
        log.write(.warning, "an attempt failed", fields)
    }
}
