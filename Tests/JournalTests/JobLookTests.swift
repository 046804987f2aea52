import StatexPostgres
import StatexProtocol
import StatexReads
import Testing

@testable import StatexJournal
@testable import StatexSchedulerCore

extension JournalTests {
    /// A look at some jobs among many others of their page.
    @Suite("Looks at jobs")
    struct JobLookTests {
        /// So many commits of three jobs each, all on one page.
        private static let commits = 40

        private func filled() throws -> JournalDatabase {
            let database = try JournalDatabase()
            let opened = try database.settings(owner: 1).open()
            var maker = BatchMaker(head: opened.head)
            let connection = opened.takeConnection()
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            for _ in 0..<Self.commits {
                writer.encode(maker.lives(3))
                try writer.send(on: connection) { -1 }
            }
            return database
        }

        @Test(
            "Of a page only the chunks that speak of the job are read",
            arguments: [
                "SELECT count(*) FROM statex.jobs_between(ID, ID) WHERE state = 'succeeded'",
                "SELECT count(*) FROM statex.job_status WHERE id = ID AND state = 'succeeded'",
                "SELECT count(*) FROM statex.job_results(ARRAY[ID]) WHERE state = 10",
                "SELECT count(*) FROM statex.leases_of(ID, ID) JOIN statex.outcomes_of(ID, ID) USING (job, token)",
            ])
        func readsFew(look: String) throws {
            let database = try filled()
            let id = try database.query("SELECT id FROM statex.jobs ORDER BY id OFFSET 61 LIMIT 1")
            let reader = try database.connect()
            // As it is chosen for any job, and on a table of this size too.
            try reader.run("SET enable_seqscan = off; SET enable_bitmapscan = off; BEGIN", doing: "test")
            #expect(try reader.query(look.replacing("ID", with: id), doing: "test").text(0, 0) == "1")
            for table in ["lease_chunks", "outcome_chunks"] {
                let read = try reader.query(
                    """
                    SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables
                    WHERE relname LIKE '\(table)%'
                    """, doing: "test")
                let rows = read.integer(0, 0)
                #expect((1...4).contains(rows), "rows of \(table) that were read: \(rows)")
            }
        }

        @Test(
            "A request has all of its jobs, as looks at each of them have them, whether they are few or many",
            arguments: [RequestRecord.looksMost, RequestRecord.looksMost + 1])
        func request(count: Int) throws {
            let database = try JournalDatabase()
            let opened = try database.settings(owner: 1).open()
            var maker = BatchMaker(head: opened.head)
            let connection = opened.takeConnection()
            try connection.run(
                "INSERT INTO statex.names VALUES (1, 1, 'text', 1), (2, 2, 'acme', 1), (3, 3, 'w/1', 1)", doing: "test")
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            let batch = maker.lives(count + 1)
            // And a neighbour behind them.
            for index in 0..<count {
                batch.jobs[index].opts = JobOpts.pack(
                    index: UInt16(index), count: UInt16(count), priority: 5, attempts: 3, encoding: 0, hasOptions: false
                )
            }
            batch.outcomes.remove(at: count - 1)
            writer.encode(batch)
            try writer.send(on: connection) { -1 }

            let reader = try JournalReader(url: database.url, name: "test")
            let ids = batch.jobs.map { JobID(rawValue: $0.id) }
            let record = try #require(try reader.request(ids[0], for: .tenant("acme")))
            #expect(record.state == .open && record.jobs.states.filter { $0 == .succeeded }.count == count - 1)
            let alone = try ids[..<count].map { id in try #require(try reader.job(id, for: .everything)) }
            #expect(record.jobs.list.rows == alone.map { Array($0.list.rows[0].dropLast()) })
            #expect(record.looks.map(\.list.rows) == (count > RequestRecord.looksMost ? [] : alone.map(\.list.rows)))
            #expect(try reader.request(ids[0], for: .tenant("other")) == nil)
            #expect(try reader.request(ids[1], for: .everything) == nil)
        }

        @Test("Leases and outcomes of a range are those of the views, from one page to the next too")
        func ranges() throws {
            let database = try filled()
            // Chunks with holes, a retry, and a neighbour page.
            try database.run(
                """
                INSERT INTO statex.lease_chunks (batch, page, base, at, offsets, tokens, attempts, workers)
                SELECT 900 + p, page + p, 5000, at, '{100,2000,4095}', '{1,2,3}', '{1,1,2}', '{1,1,1}'
                FROM (SELECT page, at FROM statex.lease_chunks LIMIT 1) AS c, generate_series(0, 1) AS p;
                INSERT INTO statex.outcome_chunks (batch, page, base, at, not_succeeded, with_result, offsets, tokens, ends,
                    started, ended, retry_at)
                SELECT 900 + p, page + p, 5000, at, 1, 0, '{0,2000,4095}', '{1,2,3}', '{2561,2,2561}', '{1,1,1}', '{0,0,0}',
                    '{NULL,7,NULL}'
                FROM (SELECT page, at FROM statex.outcome_chunks LIMIT 1) AS c, generate_series(0, 1) AS p
                """)
            let page = try database.query("SELECT min(page) << 12 FROM statex.lease_chunks")
            let start = try #require(Int64(page))
            for (low, high) in [
                (0, 0), (61, 61), (100, 100), (58, 64), (0, 63), (0, 64), (90, 2_000), (4_095, 4_096),
                (4_040, 4_200), (2_000, 6_096), (0, 8_191), (50, 49),
            ] as [(Int64, Int64)] {
                for (function, view) in [("leases_of", "leases"), ("outcomes_of", "outcomes")] {
                    let (low, high) = (start + low, start + high)
                    let difference = """
                        SELECT count(*) FROM (
                            (SELECT * FROM statex.\(function)(\(low), \(high)) EXCEPT ALL
                             SELECT * FROM statex.\(view) WHERE job BETWEEN \(low) AND \(high))
                            UNION ALL
                            (SELECT * FROM statex.\(view) WHERE job BETWEEN \(low) AND \(high) EXCEPT ALL
                             SELECT * FROM statex.\(function)(\(low), \(high)))) AS d
                        """
                    #expect(try database.query(difference) == "0", "\(function) from \(low - start) to \(high - start)")
                }
            }
            let everything = "SELECT count(*) FROM statex.outcomes_of(\(start), \(start + 8_191))"
            #expect(try database.query(everything) == String(3 * Self.commits + 6))
        }
    }
}
