import CLinux
import Hummingbird
import Logging
import StatexLog
import StatexProtocol
import Synchronization

/// Says which requests failed through no fault of their senders, and what they were about: a trace, a request, a job.
final class FailedRequests: Sendable {
    private let budget = Mutex(LineBudget())

    /// - Parameter reason: what the sender is not told; nil: it is told everything.
    func failed(
        _ request: Request, _ context: GatewayContext, code: String, reason: String?, level: Logger.Level = .warning
    ) {
        guard let left = budget.withLock({ $0.take(at: clinux_monotonic_nanoseconds() / 1_000_000_000) }) else {
            return
        }
        if left > 0 { context.logger.warning("more requests failed", metadata: ["count": "\(left)"]) }
        let route = context.endpointPath ?? "none"
        var fields: Logger.Metadata = ["method": "\(request.method)", "route": "\(route)", "code": "\(code)"]
        if let trace = TraceContext(incoming: request) { fields["trace_id"] = "\(trace.traceID)" }
        if let id = context.parameters.get("id").flatMap({ JobID($0) }) {
            fields[route.hasPrefix("/v1/requests/") ? "request" : "job"] = "\(id)"
        }
        if let reason { fields["reason"] = "\(reason)" }
        context.logger.log(level: level, "a request failed", metadata: fields)
    }
}

extension TraceContext {
    /// Of the header `traceparent`: one that is wrong, or stands there twice, is none (W3C Trace Context, section 3.2).
    init?(incoming request: Request) {
        let values = request.headers[values: .traceparent]
        guard values.count == 1 else { return nil }
        self.init(values[0])
    }
}
