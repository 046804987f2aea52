// Reading and writing little-endian bytes. A cursor holds an offset, never the bytes: a `RawSpan`
// cannot be kept, so the message is handed to each call and nothing can point into a freed one.

/// Where reading stands in a message. Each read checks what is left first.
@frozen public struct ByteCursor {
    public var offset: Int

    @inlinable public init(at offset: Int = 0) { self.offset = offset }

    @inlinable public func remaining(in bytes: borrowing RawSpan) -> Int { bytes.byteCount - offset }

    /// Moves on over `count` bytes and returns where they begin.
    @inlinable @inline(__always)
    public mutating func take(_ count: Int, in bytes: borrowing RawSpan, _ field: StaticString) throws(WireError) -> Int
    {
        guard count >= 0, count <= bytes.byteCount - offset else {
            throw WireError.truncated(field, needs: count, has: bytes.byteCount - offset)
        }
        let start = offset
        offset += count
        return start
    }

    @inlinable @inline(__always)
    public mutating func read<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type, in bytes: borrowing RawSpan, _ field: StaticString
    ) throws(WireError) -> T {
        let start = try take(MemoryLayout<T>.size, in: bytes, field)
        return bytes.integer(type, at: start)
    }

    /// Reads `count` bytes as strict UTF-8 without NUL.
    public mutating func text(_ count: Int, in bytes: borrowing RawSpan, _ field: StaticString) throws(WireError)
        -> String
    {
        let start = try take(count, in: bytes, field)
        return try bytes.text(start..<start + count, field)
    }
}

extension WireError {
    @usableFromInline @inline(never)
    static func truncated(_ field: StaticString, needs: Int, has: Int) -> WireError {
        WireError(.malformed, "\(field) needs \(needs) bytes, the message has \(has) left")
    }
}

extension RawSpan {
    /// An integer whose bytes the caller has already checked to be there.
    @inlinable @inline(__always)
    public func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T {
        precondition(offset >= 0 && offset <= byteCount - MemoryLayout<T>.size)
        return T(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }

    /// The bytes of `range` as strict UTF-8 without NUL, as Postgres takes text.
    public func text(_ range: Range<Int>, _ field: StaticString) throws(WireError) -> String {
        let text: String? = extracting(range).withUnsafeBytes { bytes in
            bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
        }
        guard let text else { throw WireError(.malformed, "\(field) is not UTF-8 without NUL") }
        return text
    }

    /// A copy of the bytes of `range`.
    public func array(_ range: Range<Int>) -> [UInt8] {
        extracting(range).withUnsafeBytes { [UInt8]($0) }
    }
}
