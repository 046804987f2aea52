// What happened to requests and jobs that belong to a trace, as spans. Who does the work makes them, once it is over;
// whoever sends them away (`StatexOTLP`) takes them from a queue. No thread that dispatches has anything to do with it.

import StatexProtocol

/// Something that took time, and what caused it.
package struct Span: Sendable {
    /// As OTLP numbers them.
    package enum Kind: UInt8, Sendable {
        case `internal` = 1
        case producer = 4
        case consumer = 5
    }

    package enum Value: Sendable, Equatable {
        case text(String)
        case number(Int)
        case flag(Bool)
    }

    package var name: String
    package var kind: Kind
    /// The trace, and this span in it.
    package var context: TraceContext
    /// nil: it begins the trace.
    package var parent: TraceContext?
    /// Microseconds since 1970.
    package var start: Int64
    package var end: Int64
    package var attributes: [(String, Value)]
    /// Why it failed; nil: it did not.
    package var failure: String?

    package init(
        _ name: String, _ kind: Kind, context: TraceContext, parent: TraceContext?, start: Int64, end: Int64,
        attributes: [(String, Value)], failure: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.context = context
        self.parent = parent
        self.start = start
        self.end = max(start, end)
        self.attributes = attributes
        self.failure = failure
    }
}
