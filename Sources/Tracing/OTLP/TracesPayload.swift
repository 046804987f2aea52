// Spans as the OpenTelemetry protocol has them: `ExportTraceServiceRequest` in its JSON encoding.

import StatexProtocol
import StatexTracing

/// Which process the spans are of.
package struct TracedService: Sendable {
    package var name: String
    package var version: String
    /// Tells processes of one name apart.
    package var instance: String

    package init(name: String, version: String, instance: String) {
        self.name = name
        self.version = version
        self.instance = instance
    }
}

enum TracesPayload {
    static func json(_ spans: [Span], of service: TracedService) -> [UInt8] {
        var text = JSONText()
        text.object {
            $0.array("resourceSpans", [service]) { service, text in
                text.object("resource") {
                    write(
                        [
                            ("service.name", .text(service.name)), ("service.version", .text(service.version)),
                            ("service.instance.id", .text(service.instance)),
                        ], to: &$0)
                }
                text.array("scopeSpans", [spans]) { spans, text in
                    text.object("scope") { $0.member("name", "statex") }
                    text.array("spans", spans, write)
                }
            }
        }
        return text.bytes
    }

    private static func write(_ span: Span, to text: inout JSONText) {
        text.member("traceId", span.context.traceID)
        text.member("spanId", span.context.spanID)
        if let parent = span.parent { text.member("parentSpanId", parent.spanID) }
        text.member("name", span.name)
        text.member("kind", Int(span.kind.rawValue))
        // Numbers of 64 bits are texts there.
        text.member("startTimeUnixNano", "\(span.start)000")
        text.member("endTimeUnixNano", "\(span.end)000")
        write(span.attributes, to: &text)
        if let failure = span.failure {
            text.object("status") {
                $0.member("code", 2)
                $0.member("message", failure)
            }
        }
    }

    private static func write(_ attributes: [(String, Span.Value)], to text: inout JSONText) {
        text.array("attributes", attributes) { attribute, text in
            text.member("key", attribute.0)
            text.object("value") {
                switch attribute.1 {
                case .text(let value): $0.member("stringValue", value)
                case .number(let value): $0.member("intValue", String(value))
                case .flag(let value): $0.member("boolValue", value)
                }
            }
        }
    }
}
