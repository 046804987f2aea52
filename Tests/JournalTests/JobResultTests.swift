import StatexPostgres
import StatexProtocol
import Testing

@testable import StatexJournal
@testable import StatexSchedulerCore

extension JournalTests {
    /// `statex.job_results`, which answers clients about jobs that memory does not know any more.
    @Suite("Results of jobs")
    struct JobResultTests {
        @Test("Many jobs of a page are answered by reading each of its chunks once")
        func readsOnce() throws {
            let database = try JournalDatabase()
            let opened = try database.settings(owner: 1).open()
            var maker = BatchMaker(head: opened.head)
            let connection = opened.takeConnection()
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            for _ in 0..<40 {
                writer.encode(maker.lives(3))
                try writer.send(on: connection) { -1 }
            }
            let chunks = "count(*) || ' of ' || count(DISTINCT page)"
            #expect(try database.query("SELECT \(chunks) FROM statex.lease_chunks") == "40 of 1")
            #expect(try database.query("SELECT \(chunks) FROM statex.outcome_chunks") == "40 of 1")
            let reader = try database.connect()
            try reader.run("BEGIN", doing: "test")
            let found = try reader.query(
                """
                SELECT count(*) FILTER (WHERE state = 10 AND attempts = 1)
                FROM statex.job_results(ARRAY(SELECT id FROM statex.jobs))
                """, doing: "test")
            #expect(found.text(0, 0) == "120")
            for table in ["lease_chunks", "outcome_chunks"] {
                let read = try reader.query(
                    """
                    SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables
                    WHERE relname LIKE '\(table)%'
                    """, doing: "test")
                #expect(read.text(0, 0) == "40", "rows of \(table) that were read")
            }
        }

        @Test("Each is one row, in whatever order and however often it is asked for, on whatever page")
        func rows() throws {
            // The first is the last of its page.
            let first = UInt64(480_000) << 43 | 4_095
            let at = Int64(480_000) * 3_600_000_000
            let database = try JournalDatabase()
            let connection = try database.connect()
            try Statements.prepareCommit(on: connection)
            try Partitions.prepare(on: connection, at: at, hour: 480_000, batch: 1)
            let batch = CommitBatch()
            batch.head.batch = 1
            batch.head.at = at
            for index in 0..<UInt16(4) {
                batch.jobs.append(
                    .init(
                        id: first + UInt64(index),
                        opts: JobOpts.pack(
                            index: index, count: 4, priority: 5, attempts: 3, encoding: 0, hasOptions: false),
                        kind: 1, tenant: 2, payloadStart: 0, payloadLength: 0))
            }
            // The first was lost and then succeeded, the second runs, the third is cancelled unleased, the fourth waits.
            for (id, token, attempt): (UInt64, UInt64, UInt16) in [(0, 1, 1), (0, 2, 2), (1, 3, 1)] {
                batch.leases.append(
                    .init(id: first + id, token: token, worker: 3, attempt: attempt, slot: 0, workerIndex: 0))
            }
            let ends: [(UInt64, UInt64, Ending, JobState?)] = [
                (0, 1, .lost, nil), (0, 2, .succeeded, .succeeded), (2, 0, .cancelled, .cancelled),
            ]
            for (id, token, ending, final) in ends {
                batch.outcomes.append(
                    .init(
                        id: first + id, token: token, started: 2, ended: 1, retry: -1, ending: ending, final: final,
                        result: final == .succeeded ? 0 : -1, slot: 0))
            }
            batch.results.append(.init(job: first, token: 2, ending: .succeeded, encoding: 0, start: 0, length: 3))
            batch.resultBytes.append("yes")
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            writer.encode(batch)
            try writer.send(on: connection) { -1 }
            let asked = [3, 0, 2, 7_000, 1, 0, 3].map { String(first + $0) }.joined(separator: ",")
            let rows = try database.query(
                """
                SELECT concat_ws(' ', id - \(first), state, attempts, losses, ended - \(at), encode(body, 'escape'))
                FROM statex.job_results('{\(asked)}') ORDER BY id
                """)
            #expect(rows == "0 10 2 1 -1000000 yes\n1 0 1 0 \(-at) \n2 13 0 0 -1000000 \n3 0 0 0 \(-at) ")
        }
    }
}
