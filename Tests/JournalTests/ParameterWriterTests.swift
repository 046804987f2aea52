import StatexPostgres
import StatexProtocol
import Testing

@testable import StatexJournal

extension JournalTests {
    @Suite("Binary parameters")
    struct ParameterWriterTests {
        @Test("An array stands as Postgres documents it")
        func layout() {
            var writer = ParameterWriter()
            writer.begin("x")
            writer.int2s([1, -2]) { Int16($0) }
            let bytes = writer.buffer.array()
            #expect(
                bytes == [
                    0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 21, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0, 0, 0, 2, 0xFF,
                    0xFE,
                ])
            #expect(writer.statements[0].parameters.ranges.map(\.offset) == [0])
            #expect(writer.statements[0].parameters.ranges.map(\.length) == [bytes.count])
        }

        @Test("An empty array has no dimension")
        func empty() {
            var writer = ParameterWriter()
            writer.begin("x")
            writer.int8s([Int64]()) { $0 }
            #expect(writer.buffer.array() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20])
        }

        @Test("Null is no bytes at a negative length, and takes no place of the next one")
        func null() {
            var writer = ParameterWriter()
            writer.begin("x")
            writer.null()
            writer.optional(Int32?.none)
            writer.text(nil)
            writer.integer(Int32(7))
            #expect(writer.statements[0].parameters.ranges.map(\.length) == [-1, -1, -1, 4])
            #expect(writer.buffer.array() == [0, 0, 0, 7])
            writer.removeAll()
            #expect(writer.statements.isEmpty && writer.buffer.isEmpty)
        }

        @Test("Postgres reads back what was written, of every type")
        func roundTrip() throws {
            let connection = try Connection(WithPostgres.url, name: "test")
            try connection.prepare(
                "all",
                """
                SELECT concat_ws('|', $1::int2, $2::int4, $3::int8, $4::text, $5::bytea, $6::uuid, $7::int8[], $8::int4[],
                    $9::int2[], $10::float4[], $11::text[], $12::bytea[], coalesce($13::int8, -1))::text
                """)
            var writer = ParameterWriter()
            var slab = ByteBuffer()
            slab.append([UInt8]([1, 2, 3, 4, 5]))
            writer.begin("all")
            writer.integer(Int16.min)
            writer.integer(Int32.max)
            writer.integer(Int64.min)
            writer.text("ä")
            writer.bytes([0, 255])
            writer.uuid(Producer(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF))
            writer.int8s([Int64.max, -1]) { $0 }
            writer.int4s([Int32]()) { $0 }
            writer.int2s([7]) { $0 }
            writer.floats([0.5, -2]) { $0 }
            writer.texts(["a", "b c"])
            writer.byteas([(1, 2), (5, 0)], in: slab) { (start: $0.0, length: $0.1) }
            writer.null()
            try connection.beginPipeline()
            try writer.buffer.withUnsafeBytes { bytes throws(PostgresError) in
                try connection.send("all", writer.statements[0].parameters, in: bytes)
            }
            try connection.sync()
            // (The macro cannot take a value that is not copyable.)
            guard let answer = try connection.nextAnswer(doing: "test") else {
                Issue.record("no answer")
                return
            }
            let text = answer.text(0, 0)
            _ = consume answer
            #expect(
                text == #"-32768|2147483647|-9223372036854775808|ä|\x00ff|00112233-4455-6677-8899-aabbccddeeff|"#
                    + #"{9223372036854775807,-1}|{}|{7}|{0.5,-2}|{a,"b c"}|{"\\x0203","\\x"}|-1"#)
            #expect(try connection.nextAnswer(doing: "test") == nil)
        }
    }
}
