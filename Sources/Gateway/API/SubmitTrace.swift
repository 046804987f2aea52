import CLinux
import StatexProtocol
import StatexTracing

/// Which submits are recorded, and where.
struct SubmitTracer: Sendable {
    /// nil: none is; what comes with a request is only passed on.
    let spans: SpanQueue?
    /// The share of requests without a trace that begin one.
    let sampling: Double

    /// A request arrived.
    /// - Parameter incoming: what its header `traceparent` says.
    func begin(_ incoming: TraceContext?) -> SubmitTrace {
        guard let spans else { return SubmitTrace(incoming) }
        if let incoming {
            return incoming.isSampled
                ? SubmitTrace(incoming.child(), below: incoming, in: spans) : SubmitTrace(incoming)
        }
        return .random(in: 0..<1) < sampling ? SubmitTrace(.random(), below: nil, in: spans) : SubmitTrace(nil)
    }
}

/// One submit, until it is durable or refused.
struct SubmitTrace: Sendable {
    /// What its jobs belong to, unless they name a trace themselves.
    let context: TraceContext?
    private let parent: TraceContext?
    private let spans: SpanQueue?
    private let start = clinux_wall_microseconds()

    fileprivate init(_ context: TraceContext?) {
        self.context = context
        parent = nil
        spans = nil
    }

    fileprivate init(_ context: TraceContext, below parent: TraceContext?, in spans: SpanQueue) {
        self.context = context
        self.parent = parent
        self.spans = spans
    }

    func ended(_ receipt: Submission.Receipt) {
        record([
            ("statex.request", .text(receipt.id.description)), ("statex.tenant", .text(receipt.tenant)),
            ("statex.jobs", .number(receipt.jobs)), ("statex.repeated", .flag(!receipt.isNew)),
        ])
    }

    func failed(_ error: any Error) {
        let code = (error as? Problem)?.code ?? "internal"
        record([("error.type", .text(code))], failure: code)
    }

    private func record(_ attributes: [(String, Span.Value)], failure: String? = nil) {
        guard let spans, let context else { return }
        spans.put(
            Span(
                "submit", .producer, context: context, parent: parent, start: start, end: clinux_wall_microseconds(),
                attributes: attributes, failure: failure))
    }
}
