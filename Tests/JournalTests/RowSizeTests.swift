import StatexProtocol
import StatexSchedulerCore
import Testing

@testable import StatexJournal

extension JournalTests {
    @Suite("Row sizes")
    struct RowSizeTests {
        @Test("A full chunk is a row under 2,000 bytes, neither compressed nor moved out of line")
        func chunks() throws {
            let database = try JournalDatabase()
            let opened = try database.settings(owner: 1).open()
            var maker = BatchMaker(head: opened.head)
            let connection = opened.takeConnection()
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            var random = SeededGenerator(seed: 4)
            let batch = maker.lives(1_000)
            for index in batch.leases.indices {
                // What compresses least, and the widest of everything.
                let token = UInt64(1) << 40 + random.next() % UInt64(Int32.max - 1)
                batch.leases[index].token = token
                batch.leases[index].worker = UInt32(truncatingIfNeeded: random.next())
                batch.leases[index].attempt = UInt16(random.next() % 200)
                batch.outcomes[index].token = token
                batch.outcomes[index].started = Float(random.next() % 1_000_000) / 7
                batch.outcomes[index].ended = Float(random.next() % 1_000_000) / 7
                batch.outcomes[index].retry = Float(random.next() % 1_000_000) / 7
            }
            writer.encode(batch)
            try writer.send(on: connection) { -1 }
            for (table, entries, full) in [("lease_chunks", "workers", "100"), ("outcome_chunks", "ends", "80")] {
                let widest = try database.query("SELECT max(pg_column_size(c.*)) FROM statex.\(table) c")
                #expect(try #require(Int(widest)) < 2_000, "\(table): \(widest)")
                #expect(try database.query("SELECT max(cardinality(\(entries))) FROM statex.\(table)") == full)
                let moved = try database.query(
                    """
                    SELECT coalesce(sum(pg_relation_size(c.reltoastrelid)), 0) FROM pg_partition_tree('statex.\(table)') p
                    JOIN pg_class c ON c.oid = p.relid WHERE c.reltoastrelid <> 0
                    """)
                #expect(moved == "0", "\(table)")
                let compressed = try database.query(
                    "SELECT count(*) FROM statex.\(table) WHERE pg_column_compression(tokens) IS NOT NULL")
                #expect(compressed == "0", "\(table)")
            }
        }
    }
}
