import CLinux
import StatexHandlerAPI
import StatexProtocol
import StatexTracing
import StatexWorkerCore

/// The trace of a job that a worker holds: an object, because most jobs have none.
final class AttemptTrace: Sendable {
    private let lease: LeaseTrace
    /// When the lease came: microseconds since 1970.
    private let leasedAt: Int64
    /// Of the attempt's span; nil: none is recorded.
    private let span: TraceContext?

    init(_ lease: LeaseTrace, isRecorded: Bool) {
        self.lease = lease
        leasedAt = clinux_wall_microseconds()
        span = isRecorded && lease.context.isSampled ? lease.context.child() : nil
    }

    /// What the handler is told: where nobody records the attempt, it passes on what the job came with.
    var context: TraceContext { span ?? lease.context }

    var traceID: String { lease.context.traceID }
    var request: JobID { lease.request }

    /// Records the attempt that ended, and before the first one how long its job waited.
    /// - Parameters:
    ///   - stop: what it was told before it ended.
    ///   - boot: when the monotonic clock was 0, in microseconds since 1970; one reading for all jobs that ran together,
    ///     since two readings differ by what lies between the clocks.
    func record(
        _ ended: borrowing EndedAttempt, of job: QueuedLease, kind: String, worker: String,
        stop: Cancellation.Reason?, boot: Int64, in spans: SpanQueue
    ) {
        guard let span else { return }
        let start = boot + ended.startedAt / microsecond
        let common: [(String, Span.Value)] = [
            ("statex.job", .text(job.id.description)), ("statex.request", .text(lease.request.description)),
            ("statex.kind", .text(kind)), ("statex.tenant", .text(lease.tenant)),
        ]
        if job.attempt == 1 {
            let ready = leasedAt - Int64(lease.waitedMicroseconds)
            spans.put(
                Span(
                    "wait", .internal, context: span.child(), parent: lease.context, start: min(ready, start),
                    end: start, attributes: common))
        }
        let (outcome, errorClass) = Self.outcome(ended, stop)
        var attributes = common
        attributes += [
            ("statex.attempt", .number(Int(job.attempt))), ("statex.worker", .text(worker)),
            ("statex.outcome", .text(outcome)),
        ]
        if let errorClass { attributes.append(("error.type", .text(errorClass))) }
        spans.put(
            Span(
                "attempt", .consumer, context: span, parent: lease.context, start: start,
                end: boot + ended.endedAt / microsecond, attributes: attributes, failure: errorClass))
    }

    /// When the monotonic clock was 0: microseconds since 1970.
    static func boot() -> Int64 {
        clinux_wall_microseconds() - clinux_monotonic_nanoseconds() / microsecond
    }

    /// What becomes of an attempt that ended, after what was asked of it: as `WorkerCore` concludes.
    private static func outcome(
        _ ended: borrowing EndedAttempt, _ stop: Cancellation.Reason?
    ) -> (name: String, errorClass: String?) {
        switch stop {
        case .cancelled: return ("cancelled", nil)
        case .revoked where ended.ending != .succeeded: return ("returned", nil)
        case .timeout where ended.ending != .succeeded: return ("failed", "timeout")
        case .revoked, .timeout, nil: break
        }
        guard ended.ending == .failed else { return ("succeeded", nil) }
        let error = try? ErrorText(reading: ended.body.span.bytes)
        return ("failed", error?.errorClass ?? "error")
    }
}
