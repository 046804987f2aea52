/// What a ROUTER calls a connection. Opaque.
///
/// libzmq lets a peer choose that itself, also what another was called until a moment ago, and otherwise counts. So
/// where there are keys the `Authenticator` names each connection, whatever it calls itself: at random, so that what is
/// said to one that is gone reaches nobody, for ever.
package struct RoutingID: Hashable, Sendable {
    private let first: UInt64
    /// 0: counted by the ROUTER, or claimed to be: one zero byte and four that count.
    private let second: UInt64

    /// nil: neither counted nor of our naming. (A peer that chose its own name is not of Statex.)
    package init?(_ bytes: borrowing RawSpan) {
        switch bytes.byteCount {
        case Self.countedBytes where bytes.unsafeLoad(fromByteOffset: 0, as: UInt8.self) == 0:
            first = UInt64(bytes.unsafeLoadUnaligned(fromByteOffset: 1, as: UInt32.self))
            second = 0
        case Self.namedBytes:
            first = bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self)
            second = bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)
            guard second != 0 else { return nil }
        default: return nil
        }
    }

    /// A name that nobody has, had or guesses: 112 random bits. No byte is zero: libzmq hands it on as text too.
    init() {
        first = .random(in: .min ... .max) | Self.lowestBits
        second = .random(in: .min ... .max) | Self.lowestBits
    }

    /// It is of the `Authenticator`'s form, and not the ROUTER's.
    package var isNamed: Bool { second != 0 }

    /// The property of a connection that a ROUTER takes its name from, as ZMTP writes properties.
    var property: [UInt8] {
        let name = Array("Identity".utf8)
        let length = [0, 0, 0, UInt8(Self.namedBytes)]
        return [UInt8(name.count)] + name + length + withSpan { $0.withUnsafeBytes { Array($0) } }
    }

    func withSpan<R, E: Error>(_ body: (borrowing RawSpan) throws(E) -> R) throws(E) -> R {
        guard !isNamed else {
            let words: [2 of UInt64] = [first, second]
            return try body(words.span.bytes)
        }
        var bytes: [5 of UInt8] = [0, 0, 0, 0, 0]
        for index in 0..<4 { bytes[index + 1] = UInt8(truncatingIfNeeded: first >> (8 * UInt64(index))) }
        return try body(bytes.span.bytes)
    }

    private static var countedBytes: Int { 5 }
    private static var namedBytes: Int { 16 }
    private static var lowestBits: UInt64 { 0x0101_0101_0101_0101 }
}
