// UNIQUE, an option of a request in SUBMIT: not beside another one of the same key.

/// When a request must not be recorded because of an earlier one. Keys count inside a tenant and a kind, and
/// those of the two rules are apart.
public struct UniqueRule: Sendable, Equatable {
    /// 1 to `Limits.userKeyBytes` bytes.
    public var key: [UInt8]
    /// Once in so many seconds, counted from when the last one was accepted. 0: not while one is unfinished.
    public var seconds: UInt32

    public init(key: [UInt8], seconds: UInt32 = 0) {
        self.key = key
        self.seconds = seconds
    }

    init(reading options: borrowing RawSpan, _ length: Int, _ cursor: inout ByteCursor) throws(WireError) {
        guard length >= 5, length <= 4 + Limits.userKeyBytes else {
            throw WireError(
                .tooLarge, "unique has \(length) bytes, it takes a time of 4 and a key of 1 to \(Limits.userKeyBytes)")
        }
        seconds = try cursor.read(UInt32.self, in: options, "unique")
        guard seconds <= Limits.uniqueSeconds else {
            throw WireError(.tooLarge, "unique for \(seconds) s, the limit is \(Limits.uniqueSeconds)")
        }
        let start = try cursor.take(length - 4, in: options, "unique")
        key = options.array(start..<start + length - 4)
    }

    var length: Int { 4 + key.count }

    func write(to buffer: inout ByteBuffer) {
        buffer.append(seconds)
        buffer.append(key)
    }

    /// As the journal keeps it: which rule it is, then the key.
    package var stored: [UInt8] { [UInt8(ascii: seconds == 0 ? "u" : "o")] + key }
}
