/// Bytes under construction: grows by doubling, is emptied and reused, and is written without a
/// bounds check for each byte.
///
/// Not copyable: one owner at a time, handed on by moving.
public struct ByteBuffer: ~Copyable, Sendable {
    // A plain allocation rather than [UInt8]: appending an integer to an array costs a uniqueness
    // check and a capacity check for each byte. The pointer never leaves this type, and the type
    // has one owner, so moving it between threads is safe.
    private nonisolated(unsafe) var base: UnsafeMutableRawPointer
    public private(set) var capacity: Int
    public private(set) var count: Int = 0

    public init(capacity: Int = 4_096) {
        self.capacity = max(capacity, 64)
        base = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    public var isEmpty: Bool { count == 0 }

    public mutating func removeAll() { count = 0 }

    public mutating func reserve(_ extra: Int) {
        guard extra > capacity - count else { return }
        let wanted = max(capacity * 2, count + extra)
        let grown = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        grown.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = grown
        capacity = wanted
    }

    @inline(__always)
    public mutating func append<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        reserve(MemoryLayout<T>.size)
        base.storeBytes(of: value.littleEndian, toByteOffset: count, as: T.self)
        count += MemoryLayout<T>.size
    }

    @inline(__always)
    public mutating func appendBigEndian<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        append(value.byteSwapped)
    }

    public mutating func append(_ bytes: borrowing RawSpan) {
        let length = bytes.byteCount
        guard length > 0 else { return }
        reserve(length)
        bytes.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            (base + count).copyMemory(from: start, byteCount: length)
        }
        count += length
    }

    /// Copies a part of another buffer.
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
        (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: length)
        count += length
    }

    /// Writes an integer over bytes that are already there.
    public mutating func replace<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, with value: T) {
        precondition(offset >= 0 && offset <= count - MemoryLayout<T>.size)
        base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }

    /// The bytes written so far.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = RawSpan(_unsafeStart: base, byteCount: count)
            return _overrideLifetime(span, borrowing: self)
        }
    }

    /// For C calls that take a pointer and a length.
    public borrowing func withUnsafeBytes<R: ~Copyable, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R)
        throws(E) -> R
    {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    public borrowing func array() -> [UInt8] { bytes.array(0..<count) }
}
