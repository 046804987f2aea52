/// Which trace something belongs to, and which of its spans caused it: `traceparent` of W3C Trace Context.
///
/// Only what is right is one: whoever gets a text from outside decides what a wrong one means there.
public struct TraceContext: Sendable, Hashable, CustomStringConvertible {
    /// Bytes of the text, in the version that is written.
    public static let length = 55
    /// Follows "must be" and "takes".
    public static let rule =
        "version, trace id, parent id and flags as W3C Trace Context has them: lower-case hexadecimal, no id of zeros, "
        + "such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    private let high: UInt64
    private let low: UInt64
    /// Never 0.
    private let span: UInt64
    private let flags: UInt8

    /// Those that are known: sampled, and that the trace id is random.
    private static let knownFlags: UInt8 = 3

    /// nil: it is none. A later version is read as far as it is known, and written as version 00.
    public init?(_ text: String) {
        let bytes = Array(text.utf8.prefix(Self.length + 1))
        guard bytes.count >= Self.length, [2, 35, 52].allSatisfy({ bytes[$0] == UInt8(ascii: "-") }),
            let version = Self.number(bytes[..<2]), let high = Self.number(bytes[3..<19]),
            let low = Self.number(bytes[19..<35]), let span = Self.number(bytes[36..<52]),
            let flags = Self.number(bytes[53..<55])
        else { return nil }
        // What a later version adds begins with a dash; 255 is no version.
        guard version != 0xFF, bytes.count == Self.length || version > 0 && bytes[Self.length] == UInt8(ascii: "-"),
            high | low != 0, span != 0
        else { return nil }
        self.init(high: high, low: low, span: span, flags: UInt8(truncatingIfNeeded: flags) & Self.knownFlags)
    }

    private init(high: UInt64, low: UInt64, span: UInt64, flags: UInt8) {
        self.high = high
        self.low = low
        self.span = span
        self.flags = flags
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    /// Begins a trace that is to be recorded.
    package static func random() -> TraceContext {
        TraceContext(
            high: .random(in: 1 ... .max), low: .random(in: .min ... .max), span: .random(in: 1 ... .max),
            flags: knownFlags)
    }

    /// The same trace, for what a new span causes.
    package func child() -> TraceContext {
        TraceContext(high: high, low: low, span: .random(in: 1 ... .max), flags: flags)
    }

    /// Whether who began the trace records it: only then do others.
    public var isSampled: Bool { flags & 1 != 0 }

    /// 32 hexadecimal digits.
    public var traceID: String { Self.hex(high, 16) + Self.hex(low, 16) }
    /// 16 hexadecimal digits.
    public var spanID: String { Self.hex(span, 16) }

    /// As `traceparent` has it.
    public var description: String { "00-\(traceID)-\(spanID)-\(Self.hex(UInt64(flags), 2))" }

    private static func hex(_ value: UInt64, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }
}
