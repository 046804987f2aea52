// The results that a lease hands to its job, in LEASES behind the payload.

/// The result of a job that the leased one waited for.
public struct LeaseInput: Sendable, Equatable {
    static let size = 8

    /// Which job of the request it is the result of.
    public var index: UInt16
    public var encoding: Encoding
    public var body: [UInt8]

    public init(index: UInt16, encoding: Encoding, body: [UInt8]) {
        self.index = index
        self.encoding = encoding
        self.body = body
    }

    /// Reads `count` inputs that stand one after the other.
    public static func list(_ count: Int, in bytes: borrowing RawSpan) throws(WireError) -> [LeaseInput] {
        var inputs: [LeaseInput] = []
        var cursor = ByteCursor()
        for _ in 0..<count {
            let (head, body) = try skip(&cursor, in: bytes)
            let encoding = Encoding(rawValue: bytes.integer(UInt8.self, at: head + 2)) ?? .bytes
            inputs.append(
                LeaseInput(
                    index: bytes.integer(UInt16.self, at: head), encoding: encoding, body: bytes.array(body)))
        }
        return inputs
    }

    /// Checks one input and moves on over it.
    @discardableResult
    static func skip(_ cursor: inout ByteCursor, in bytes: borrowing RawSpan) throws(WireError) -> (
        head: Int, body: Range<Int>
    ) {
        let head = try cursor.take(size, in: bytes, "input")
        guard Encoding(rawValue: bytes.integer(UInt8.self, at: head + 2)) != nil else {
            throw WireError(.malformed, "encoding \(bytes.integer(UInt8.self, at: head + 2)) of an input is unknown")
        }
        let length = Int(bytes.integer(UInt32.self, at: head + 4))
        guard length <= Limits.inlineBytes else {
            throw WireError(.tooLarge, "an input has \(length) bytes, the limit is \(Limits.inlineBytes)")
        }
        let start = try cursor.take(length, in: bytes, "input")
        return (head, start..<start + length)
    }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(index)
        buffer.append(encoding.rawValue)
        buffer.append(UInt8(0))
        buffer.append(UInt32(body.count))
        buffer.append(body)
    }
}
