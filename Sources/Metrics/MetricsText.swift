/// Writes Prometheus' text format, version 0.0.4.
///
/// Names and help are ours and literal; labels' values may be anything that somebody called a kind or a
/// tenant, and are escaped.
package struct MetricsText: Sendable {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package enum FamilyType: String, Sendable {
        case counter, gauge, histogram
    }

    /// A name and its value, each.
    package typealias Labels = [(String, String)]

    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// All samples of one name stand together, which the format wants.
    private mutating func begin(_ name: StaticString, _ type: FamilyType, _ help: StaticString) {
        append("# HELP \(name) \(help)\n# TYPE \(name) \(type.rawValue)\n")
    }

    package mutating func counter(_ name: StaticString, _ help: StaticString, _ value: UInt64) {
        counter(name, help, [([], value)])
    }

    package mutating func counter(_ name: StaticString, _ help: StaticString, _ samples: [(Labels, UInt64)]) {
        begin(name, .counter, help)
        for (labels, value) in samples { append("\(name)\(Self.text(labels)) \(value)\n") }
    }

    /// A counter of seconds.
    package mutating func counter(_ name: StaticString, _ help: StaticString, seconds: Double) {
        begin(name, .counter, help)
        append("\(name) \(Self.text(seconds))\n")
    }

    package mutating func gauge(_ name: StaticString, _ help: StaticString, _ value: Double) {
        gauge(name, help, [([], value)])
    }

    package mutating func gauge(_ name: StaticString, _ help: StaticString, _ samples: [(Labels, Double)]) {
        begin(name, .gauge, help)
        for (labels, value) in samples { append("\(name)\(Self.text(labels)) \(Self.text(value))\n") }
    }

    package mutating func histogram(_ name: StaticString, _ help: StaticString, _ value: Histogram) {
        histogram(name, help, [([], value)])
    }

    package mutating func histogram(_ name: StaticString, _ help: StaticString, _ samples: [(Labels, Histogram)]) {
        begin(name, .histogram, help)
        for (labels, value) in samples {
            for (bound, count) in zip(Self.bounds, value.cumulative) {
                append("\(name)_bucket\(Self.text(labels + [("le", bound)])) \(count)\n")
            }
            append("\(name)_sum\(Self.text(labels)) \(Self.text(value.seconds))\n")
            append("\(name)_count\(Self.text(labels)) \(value.count)\n")
        }
    }

    private static let bounds = Histogram.bounds.map { text(Double($0) / 1_000_000_000) } + ["+Inf"]

    private static func text(_ labels: Labels) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return value }
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    private static func text(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
        // Whole numbers without a fraction, as people write them.
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return value.description
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
