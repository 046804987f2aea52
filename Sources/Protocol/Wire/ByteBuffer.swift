/// Bytes under construction: grows by doubling, is emptied and reused, and is written without a
/// bounds check for each byte.
///
/// Not copyable: one owner at a time, handed on by moving. Inlinable, because its callers in other
/// modules write millions of integers a second through it.
@frozen public struct ByteBuffer: ~Copyable, Sendable {
    // A plain allocation rather than [UInt8]: appending an integer to an array costs a uniqueness
    // check and a capacity check for each byte. The pointer never leaves this type, and the type
    // has one owner, so moving it between threads is safe.
    @usableFromInline nonisolated(unsafe) var base: UnsafeMutableRawPointer
    @usableFromInline var room: Int
    @usableFromInline var used: Int

    public init(capacity: Int = 4_096) {
        room = max(capacity, 64)
        used = 0
        base = .allocate(byteCount: room, alignment: 16)
    }

    deinit { base.deallocate() }

    @inlinable public var count: Int { used }
    @inlinable public var capacity: Int { room }
    @inlinable public var isEmpty: Bool { used == 0 }

    @inlinable public mutating func removeAll() { used = 0 }

    @inlinable @inline(__always)
    public mutating func reserve(_ extra: Int) {
        if extra > room - used { grow(extra) }
    }

    @usableFromInline @inline(never)
    mutating func grow(_ extra: Int) {
        let wanted = max(room * 2, used + extra)
        let grown = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        grown.copyMemory(from: base, byteCount: used)
        base.deallocate()
        base = grown
        room = wanted
    }

    @inlinable @inline(__always)
    public mutating func append<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        reserve(MemoryLayout<T>.size)
        base.storeBytes(of: value.littleEndian, toByteOffset: used, as: T.self)
        used += MemoryLayout<T>.size
    }

    @inlinable @inline(__always)
    public mutating func appendBigEndian<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        append(value.byteSwapped)
    }

    @inlinable
    public mutating func append(_ bytes: borrowing RawSpan) {
        let length = bytes.byteCount
        guard length > 0 else { return }
        reserve(length)
        bytes.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            (base + used).copyMemory(from: start, byteCount: length)
        }
        used += length
    }

    /// Copies a part of another buffer.
    @inlinable
    public mutating func append(_ other: borrowing ByteBuffer, from start: Int, length: Int) {
        append(other.bytes.extracting(start..<start + length))
    }

    public mutating func append(_ bytes: [UInt8]) { append(bytes.span.bytes) }

    public mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0).bytes) }
    }

    public mutating func append(zeros length: Int) {
        reserve(length)
        (base + used).initializeMemory(as: UInt8.self, repeating: 0, count: length)
        used += length
    }

    /// Writes an integer over bytes that are already there.
    public mutating func replace<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, with value: T) {
        precondition(offset >= 0 && offset <= used - MemoryLayout<T>.size)
        base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }

    /// The bytes written so far.
    @inlinable public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = RawSpan(_unsafeStart: base, byteCount: used)
            return _overrideLifetime(span, borrowing: self)
        }
    }

    /// For C calls that take a pointer and a length.
    @inlinable
    public borrowing func withUnsafeBytes<R: ~Copyable, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R)
        throws(E) -> R
    {
        try body(UnsafeRawBufferPointer(start: base, count: used))
    }

    public borrowing func array() -> [UInt8] { bytes.array(0..<used) }
}
