import CLinux
import StatexPostgres
import StatexProtocol

/// The floor: how fast this Postgres takes durable rows at all, with nothing of Statex in the way.
///
/// A table of six columns with 256-byte payloads, one btree, `INSERT … SELECT FROM unnest` with binary
/// arrays, one pipeline a commit, groups of 1,000, 400,000 rows, one connection that sends and waits in
/// turn. It is what other figures are divided by: this file does not change.
package enum Floor {
    static let rows = 400_000
    static let group = 1_000
    static let payloadBytes = 256

    /// - Returns: rows a second.
    package static func run(url: String) throws(PostgresError) -> Double {
        let connection = try Connection(url, name: "statex floor")
        try connection.run(
            """
            SET synchronous_commit = on; SET client_min_messages = error; DROP TABLE IF EXISTS statex_floor;
            CREATE TABLE statex_floor (id bigint, kind int, tenant int, created bigint, opts int, payload bytea);
            CREATE INDEX ON statex_floor (id)
            """, doing: "floor")
        try connection.prepare("floor_begin", "BEGIN")
        try connection.prepare(
            "floor_insert",
            """
            INSERT INTO statex_floor SELECT * FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::int8[], $5::int4[], $6::bytea[])
            """)
        try connection.prepare("floor_commit", "COMMIT")
        let payload = [UInt8](repeating: 120, count: payloadBytes)
        var buffer = ByteBuffer(capacity: 1 << 20)
        let started = clinux_monotonic_nanoseconds()
        for first in stride(from: 0, to: rows, by: group) {
            buffer.removeAll()
            var parameters = Parameters()
            column(&buffer, &parameters, type: 20) { buffer, row in integer(&buffer, Int64(first + row)) }
            column(&buffer, &parameters, type: 23) { buffer, _ in integer(&buffer, Int32(1)) }
            column(&buffer, &parameters, type: 23) { buffer, _ in integer(&buffer, Int32(1)) }
            column(&buffer, &parameters, type: 20) { buffer, _ in integer(&buffer, started) }
            column(&buffer, &parameters, type: 23) { buffer, _ in integer(&buffer, Int32(0)) }
            column(&buffer, &parameters, type: 17) { buffer, _ in
                buffer.appendBigEndian(UInt32(payload.count))
                buffer.append(payload)
            }
            try commit(connection, buffer, parameters)
        }
        let seconds = Double(clinux_monotonic_nanoseconds() - started) / 1_000_000_000
        try connection.run("DROP TABLE statex_floor", doing: "floor")
        return Double(rows) / seconds
    }

    private static func commit(
        _ connection: borrowing Connection, _ buffer: borrowing ByteBuffer, _ parameters: Parameters
    ) throws(PostgresError) {
        try connection.beginPipeline()
        try buffer.withUnsafeBytes { bytes throws(PostgresError) in
            try connection.send("floor_begin", Parameters(), in: bytes)
            try connection.send("floor_insert", parameters, in: bytes)
            try connection.send("floor_commit", Parameters(), in: bytes)
        }
        try connection.sync()
        while let answer = try connection.nextAnswer(doing: "floor") { _ = consume answer }
        connection.endPipeline()
    }

    private static func column(
        _ buffer: inout ByteBuffer, _ parameters: inout Parameters, type: UInt32,
        _ value: (inout ByteBuffer, Int) -> Void
    ) {
        let start = buffer.count
        for word in [1, 0, type, UInt32(group), 1] { buffer.appendBigEndian(word) }
        for row in 0..<group { value(&buffer, row) }
        parameters.append(offset: start, length: buffer.count - start)
    }

    private static func integer<T: FixedWidthInteger & BitwiseCopyable>(_ buffer: inout ByteBuffer, _ value: T) {
        buffer.appendBigEndian(UInt32(MemoryLayout<T>.size))
        buffer.appendBigEndian(value)
    }
}
