import StatexPostgres
import StatexProtocol

/// Writes the binary parameters of a pipeline's statements into one buffer that is reused from commit
/// to commit. (Postgres' binary format: docs of `array_recv` and friends; big-endian.)
struct ParameterWriter: ~Copyable {
    private enum OID {
        static let bytea: UInt32 = 17
        static let int8: UInt32 = 20
        static let int2: UInt32 = 21
        static let int4: UInt32 = 23
        static let text: UInt32 = 25
        static let float4: UInt32 = 700
    }

    var buffer = ByteBuffer(capacity: 1 << 20)
    private(set) var statements: [(name: StaticString, parameters: Parameters)] = []

    mutating func removeAll() {
        buffer.removeAll()
        statements.removeAll(keepingCapacity: true)
    }

    /// The parameters that follow belong to this statement.
    mutating func begin(_ statement: StaticString) { statements.append((statement, Parameters())) }

    private mutating func finish(from start: Int) {
        statements[statements.count - 1].parameters.append(offset: start, length: buffer.count - start)
    }

    mutating func null() { statements[statements.count - 1].parameters.appendNull() }

    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        let start = buffer.count
        buffer.appendBigEndian(value)
        finish(from: start)
    }

    mutating func optional<T: FixedWidthInteger & BitwiseCopyable>(_ value: T?) {
        if let value { integer(value) } else { null() }
    }

    mutating func text(_ value: String?) {
        guard let value else { return null() }
        let start = buffer.count
        buffer.append(value)
        finish(from: start)
    }

    mutating func bytes(_ value: [UInt8]) {
        let start = buffer.count
        buffer.append(value)
        finish(from: start)
    }

    mutating func uuid(_ value: Producer) {
        let start = buffer.count
        buffer.appendBigEndian(value.high)
        buffer.appendBigEndian(value.low)
        finish(from: start)
    }

    // MARK: Arrays

    mutating func int8s<C: Collection>(_ items: C, _ value: (C.Element) -> Int64) {
        array(items, OID.int8) { buffer, item in
            buffer.appendBigEndian(UInt32(8))
            buffer.appendBigEndian(value(item))
        }
    }

    mutating func int4s<C: Collection>(_ items: C, _ value: (C.Element) -> Int32) {
        array(items, OID.int4) { buffer, item in
            buffer.appendBigEndian(UInt32(4))
            buffer.appendBigEndian(value(item))
        }
    }

    mutating func int2s<C: Collection>(_ items: C, _ value: (C.Element) -> Int16) {
        array(items, OID.int2) { buffer, item in
            buffer.appendBigEndian(UInt32(2))
            buffer.appendBigEndian(value(item))
        }
    }

    mutating func floats<C: Collection>(_ items: C, _ value: (C.Element) -> Float) {
        array(items, OID.float4) { buffer, item in
            buffer.appendBigEndian(UInt32(4))
            buffer.appendBigEndian(value(item).bitPattern)
        }
    }

    mutating func texts(_ items: [String]) {
        array(items, OID.text) { buffer, item in
            buffer.appendBigEndian(UInt32(item.utf8.count))
            buffer.append(item)
        }
    }

    /// Byte strings that stand in another buffer.
    mutating func byteas<C: Collection>(
        _ items: C, in source: borrowing ByteBuffer, _ range: (C.Element) -> (start: Int, length: Int)
    ) {
        let start = beginArray(items.count, OID.bytea)
        for item in items {
            let (from, length) = range(item)
            buffer.appendBigEndian(UInt32(length))
            buffer.append(source.bytes.extracting(from..<from + length))
        }
        finish(from: start)
    }

    private mutating func beginArray(_ count: Int, _ type: UInt32) -> Int {
        let start = buffer.count
        // An empty array has no dimension.
        buffer.appendBigEndian(UInt32(count == 0 ? 0 : 1))
        buffer.appendBigEndian(UInt32(0))
        buffer.appendBigEndian(type)
        if count > 0 {
            buffer.appendBigEndian(UInt32(count))
            buffer.appendBigEndian(UInt32(1))
        }
        return start
    }

    @inline(__always)
    private mutating func array<C: Collection>(
        _ items: C, _ type: UInt32, _ write: (inout ByteBuffer, C.Element) -> Void
    ) {
        let start = beginArray(items.count, type)
        for item in items { write(&buffer, item) }
        finish(from: start)
    }
}
