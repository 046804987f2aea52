// How the text of a value is read, and shown again.

import Foundation
import StatexObjects
import StatexProtocol

/// What a source says, before it is understood.
enum RawValue: Equatable {
    case text(String)
    case list([String])
}

/// Why a text is not a value, said so that it can follow "key: ".
struct FormatError: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// Turns text into a value of one type and back. `base` is the directory that relative paths start at.
struct ValueFormat<Value> {
    let parse: (_ raw: RawValue, _ base: String) throws(FormatError) -> Value
    let show: (Value) -> String

    /// A format of one text (a list is refused).
    fileprivate init(
        _ parse: @escaping (_ text: String, _ base: String) throws(FormatError) -> Value,
        show: @escaping (Value) -> String
    ) {
        self.parse = { raw, base throws(FormatError) in
            guard case .text(let text) = raw else { throw FormatError("must be one value, not a list") }
            guard text.utf8.count <= 4096 else { throw FormatError("has \(text.utf8.count) bytes, the limit is 4096") }
            guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
                throw FormatError("must not contain control characters: \(text.shown)")
            }
            return try parse(text, base)
        }
        self.show = show
    }

    /// The same for other files of this room.
    init(text parse: @escaping (String) throws(FormatError) -> Value, show: @escaping (Value) -> String) {
        self.init({ text, _ throws(FormatError) in try parse(text) }, show: show)
    }

    init(
        raw parse: @escaping (RawValue, String) throws(FormatError) -> Value, show: @escaping (Value) -> String
    ) {
        self.parse = parse
        self.show = show
    }
}

extension ValueFormat<Int> {
    static func integer(_ range: ClosedRange<Int>) -> Self {
        Self(
            { text, _ throws(FormatError) in
                guard let value = Int(text), range.contains(value) else {
                    throw FormatError(
                        "must be a whole number from \(range.lowerBound) to \(range.upperBound), not \(text.shown)")
                }
                return value
            }, show: { String($0) })
    }

    /// A number of bytes, with or without a unit: `65536`, `64 KiB`, `2GiB`.
    static func bytes(_ range: ClosedRange<Int>) -> Self {
        Self(
            { text, _ throws(FormatError) in
                let digits = text.prefix { $0.isASCII && $0.isNumber }
                let unit = String(text.dropFirst(digits.count)).trimmed
                guard let scale = byteUnits.first(where: { $0.name == unit })?.scale, let number = Int(digits),
                    case (let value, let overflow) = number.multipliedReportingOverflow(by: scale), !overflow,
                    range.contains(value)
                else {
                    let limits = "\(byteText(range.lowerBound)) to \(byteText(range.upperBound))"
                    throw FormatError(
                        "must be a size from \(limits), such as 65536, 64 KiB or 2 GiB, not \(text.shown)")
                }
                return value
            }, show: byteText)
    }
}

/// Digits and a dot only: no exponent, no "inf", no "nan".
private func decimal(_ text: String) -> Double? {
    text.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2E } ? Double(text) : nil
}

extension ValueFormat<Double> {
    static func number(_ range: ClosedRange<Double>) -> Self {
        Self(
            { text, _ throws(FormatError) in
                guard let value = decimal(text), range.contains(value) else {
                    throw FormatError(
                        "must be a number from \(shown(range.lowerBound)) to \(shown(range.upperBound)), not \(text.shown)"
                    )
                }
                return value
            }, show: shown)
    }

    private static func shown(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
    }
}

private let byteUnits: [(name: String, scale: Int)] = [
    ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1), ("B", 1),
]

private func byteText(_ count: Int) -> String {
    guard count > 0, let unit = byteUnits.first(where: { count % $0.scale == 0 }), unit.scale > 1 else {
        return String(count)
    }
    return "\(count / unit.scale) \(unit.name)"
}

extension Duration {
    /// In seconds, as the configuration writes it.
    var text: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        guard milliseconds % 1000 != 0 else { return String(milliseconds / 1000) }
        var fraction = String(1000 + milliseconds % 1000).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return "\(milliseconds / 1000).\(fraction)"
    }
}

extension ValueFormat<Duration> {
    /// A number of seconds, down to milliseconds.
    static func seconds(_ range: ClosedRange<Double>) -> Self {
        Self(
            { text, _ throws(FormatError) in
                guard let value = decimal(text), range.contains(value) else {
                    throw FormatError(
                        "must be a number of seconds from \(number(range.lowerBound)) to \(number(range.upperBound)), not \(text.shown)"
                    )
                }
                return .milliseconds(Int64((value * 1000).rounded()))
            }, show: \.text)
    }

    private static func number(_ value: Double) -> String { Duration.milliseconds(Int64(value * 1000)).text }
}

extension ValueFormat where Value: RawRepresentable<String> & CaseIterable {
    static func choice() -> Self {
        Self(
            { text, _ throws(FormatError) in
                guard let value = Value(rawValue: text) else {
                    throw FormatError(
                        "must be one of \(Value.allCases.map(\.rawValue).joined(separator: ", ")), not \(text.shown)")
                }
                return value
            }, show: \.rawValue)
    }
}

extension ValueFormat<Bool> {
    static var yesOrNo: Self {
        Self(
            { text, _ throws(FormatError) in
                switch text {
                case "yes", "true": return true
                case "no", "false": return false
                default: throw FormatError("must be yes or no, not \(text.shown)")
                }
            }, show: { $0 ? "yes" : "no" })
    }
}

extension ValueFormat<String> {
    private init(_ rule: String, _ accepts: @escaping (String) -> Bool, show: @escaping (String) -> String = { $0 }) {
        self.init(
            { text, _ throws(FormatError) in
                guard accepts(text) else { throw FormatError("must be \(rule), not \(show(text).shown)") }
                return text
            }, show: show)
    }

    static var text: Self { Self("a text", { _ in true }) }

    /// What a job carries: any text that fits into a message.
    static var payload: Self {
        Self(
            raw: { raw, _ throws(FormatError) in
                guard case .text(let text) = raw else { throw FormatError("must be one text; quote it") }
                guard text.utf8.count <= Limits.inlineBytes else {
                    throw FormatError("has \(text.utf8.count) bytes, the limit is \(Limits.inlineBytes)")
                }
                return text
            }, show: { "\($0.utf8.count) bytes" })
    }

    /// A label or a tag of a job.
    static var label: Self { Self("1 to 64 bytes", { (1...64).contains($0.utf8.count) }) }

    /// Made absolute.
    static var path: Self {
        Self(
            { text, base throws(FormatError) in
                guard !text.isEmpty else { throw FormatError("must be a path; it is empty") }
                var path = text.hasPrefix("/") ? text : base + "/" + text
                while path.count > 1, path.hasSuffix("/") { path.removeLast() }
                return path
            }, show: { $0 })
    }

    /// A path, or a name that is looked for in `PATH`.
    static var program: Self {
        Self(
            { text, base throws(FormatError) in
                guard !text.isEmpty else { throw FormatError("must be a program's name or path; it is empty") }
                return text.contains("/") ? try path.parse(.text(text), base) : text
            }, show: { $0 })
    }

    static var endpoint: Self {
        Self(
            "an endpoint such as ipc:///run/statex/submit.sock or tcp://127.0.0.1:7301",
            { text in
                ["ipc://", "tcp://"].contains { text.hasPrefix($0) && text.count > $0.count }
            })
    }

    /// Shown without its password.
    static var databaseURL: Self {
        Self(
            "a URL such as postgresql://user@host/statex",
            { text in
                ["postgresql://", "postgres://"].contains { text.hasPrefix($0) }
            }, show: redactedURL)
    }

    static var httpURL: Self {
        Self(
            { text, _ throws(FormatError) in
                guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else {
                    throw FormatError("must begin with http:// or https://")
                }
                let authority = text.dropFirst(scheme.count)
                guard !authority.contains("@") else {
                    throw FormatError("must not hold a user or a password; give the key by key_file or key_environment")
                }
                guard !authority.isEmpty,
                    authority.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || ".-_:[]".contains($0)) })
                else {
                    throw FormatError(
                        "must be scheme, host and port only, such as http://127.0.0.1:8000; the path has its own key")
                }
                return text
            }, show: { $0 })
    }

    static var httpPath: Self {
        Self(
            "a path such as /v1/chat/completions, without a query",
            { text in
                text.hasPrefix("/")
                    && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/.-_~".contains($0)) }
            })
    }

    static var variableName: Self {
        Self(
            "the name of an environment variable",
            { text in
                text.first?.isNumber == false
                    && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            })
    }

    /// An option of an audio endpoint, such as `model` or `timestamp_granularities[]`.
    static var formField: Self {
        Self(
            "an option's name; the recording and streaming are not for the configuration",
            { text in
                !["", "file", "stream"].contains(text)
                    && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-.[]".contains($0)) }
            })
    }

    /// What the protocol takes as a kind's or a tenant's name.
    static var name: Self {
        Self("1 to 128 bytes", { (1...128).contains($0.utf8.count) })
    }

    static var kind: Self {
        Self(KindName.rule, KindName.isValid)
    }
}

extension ValueFormat<[String]> {
    /// In a file a list, in the environment and in flags texts joined by `:` as in `PATH`.
    static func list(of element: ValueFormat<String>, count: ClosedRange<Int>) -> Self {
        Self(
            raw: { raw, base throws(FormatError) in
                let texts =
                    switch raw {
                    case .list(let texts): texts
                    case .text(let text): text.split(separator: ":").map(String.init)
                    }
                guard count.contains(texts.count) else {
                    throw FormatError(
                        "must have \(count.lowerBound) to \(count.upperBound) entries, not \(texts.count)")
                }
                var values: [String] = []
                for text in texts { values.append(try element.parse(.text(text), base)) }
                return values
            }, show: { $0.map(element.show).joined(separator: " ") })
    }
}

extension ValueFormat<[String]> {
    /// Folders, made absolute, and buckets.
    static var objectRoots: Self {
        let texts = Self.list(of: .objectRoot, count: 1...16)
        return Self(
            raw: { raw, base throws(FormatError) in
                guard case .text(let text) = raw else { return try texts.parse(raw, base) }
                // The colon of `s3://` joins nothing.
                var parts: [String] = []
                for part in text.split(separator: ":").map(String.init) {
                    if parts.last == "s3", part.hasPrefix("//") {
                        parts[parts.count - 1] += ":" + part
                    } else {
                        parts.append(part)
                    }
                }
                return try texts.parse(.list(parts), base)
            }, show: texts.show)
    }
}

extension ValueFormat<String> {
    fileprivate static var objectRoot: Self {
        Self(
            { text, base throws(FormatError) in
                let location: ObjectLocation
                do throws(ObjectError) { location = try ObjectLocation(text) } catch {
                    throw FormatError("has an entry that is none: \(error)")
                }
                guard case .folder(let path) = location else { return location.text }
                return try Self.path.parse(.text(path), base)
            }, show: { $0 })
    }

    /// A region of AWS, or what another service calls its own.
    static var region: Self {
        Self(
            "1 to 64 letters, digits and hyphens, such as eu-central-1",
            { text in
                (1...64).contains(text.utf8.count)
                    && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
            })
    }
}

/// The URL with `***` for its password, wherever it stands: before the `@`, or as a parameter.
package func redactedURL(_ url: String) -> String {
    var text = url
    if let start = text.range(of: "://")?.upperBound {
        // Up to the last @ before the path: a password may hold an @ that somebody did not escape.
        let authority = text[start...].prefix { $0 != "/" && $0 != "?" }
        if let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") {
            text.replaceSubrange(text.index(after: colon)..<at, with: "***")
        }
    }
    for name in ["password=", "sslpassword="] {
        var position = text.startIndex
        while let found = text.range(of: name, range: position..<text.endIndex) {
            let end = text[found.upperBound...].firstIndex(of: "&") ?? text.endIndex
            text.replaceSubrange(found.upperBound..<end, with: "***")
            position = text.index(found.upperBound, offsetBy: 3)
        }
    }
    return text
}

extension ValueFormat<[ResourceAmount]> {
    /// A list of `name=amount`, each name once.
    static var amounts: Self {
        let texts = ValueFormat<[String]>.list(of: .text, count: 0...Limits.resourcesInWorker)
        return Self(
            raw: { raw, base throws(FormatError) in
                var amounts: [ResourceAmount] = []
                for text in try texts.parse(raw, base) {
                    let parts = text.split(separator: "=", maxSplits: 1).map { String($0).trimmed }
                    guard parts.count == 2, (1...Limits.labelBytes).contains(parts[0].utf8.count),
                        let amount = UInt32(parts[1]), amount > 0
                    else {
                        throw FormatError(
                            "must have entries such as gpu=1: a name of 1 to \(Limits.labelBytes) bytes and a whole "
                                + "number from 1 to \(UInt32.max), not \(text.shown)")
                    }
                    guard !amounts.contains(where: { $0.name == parts[0] }) else {
                        throw FormatError("has \(parts[0].shown) twice")
                    }
                    amounts.append(ResourceAmount(parts[0], amount))
                }
                return amounts
            }, show: { amounts in texts.show(amounts.map { "\($0.name)=\($0.amount)" }) })
    }
}
