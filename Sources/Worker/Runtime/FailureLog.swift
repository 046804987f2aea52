import CLinux
import StatexHandlerAPI
import StatexLog
import StatexProtocol
import StatexWorkerCore
import Synchronization

/// Says which attempts failed, by their jobs' ids. The error's words are the submitter's, and stand in the journal.
final class FailureLog: Sendable {
    private let log: Log
    private let budget = Mutex(LineBudget())

    init(_ log: Log) { self.log = log }

    func failed(_ lease: QueuedLease, kind: String, _ error: any Error, at now: Int64) {
        guard let left = budget.withLock({ $0.take(at: now / second) }) else { return }
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
