import StatexBenchmarks
import StatexPostgres
import Testing

@testable import StatexJournal

extension JournalTests {
    /// What benchmarks count in a journal: on one that was written by hand, one commit a second.
    @Suite("Counts of benchmarks")
    struct BenchmarkTests {
        private let database: JournalDatabase

        /// Jobs 4096 to 4100 are of the kind `limited`, 4101 is of another. Job 4096 succeeds; 4097 comes back and is
        /// leased again; 4098 is lost; 4099 fails; 4100 has no lease.
        init() throws {
            database = try JournalDatabase()
            try database.run(
                """
                SELECT statex.add_day(0);
                INSERT INTO statex.names VALUES (1, 1, 'limited', 1), (2, 1, 'other', 1);
                INSERT INTO statex.jobs
                    SELECT id, 1, 1000000, 1 << 12, CASE WHEN id = 4101 THEN 2 ELSE 1 END, 0, ''
                    FROM generate_series(4096, 4101) AS id;
                INSERT INTO statex.lease_chunks VALUES
                    (2, 1, 0, 2000000, '{0,1,5}', '{1,2,3}', '{1,1,1}', '{9,9,9}'),
                    (3, 1, 0, 3000000, '{2,3}', '{4,5}', '{1,1}', '{9,9}'),
                    (4, 1, 0, 4000000, '{1}', '{6}', '{1}', '{9}');
                """)
            // Endings: 1 succeeded, 2 failed, 5 lost, 6 returned; times are seconds before the commit.
            try commit(3, job: 4096, token: 1, ends: 10 << 8 | 1, started: 0.5)
            try commit(4, job: 4097, token: 2, ends: 6, started: 0)
            try commit(5, job: 4098, token: 4, ends: 5, started: 0)
            try commit(5, job: 4099, token: 5, ends: 2, started: 0.25)
        }

        private func commit(_ batch: Int, job: Int, token: Int, ends: Int, started: Double) throws {
            try database.run(
                """
                INSERT INTO statex.outcome_chunks VALUES (\(batch), 1, 0, \(batch * 1_000_000), 0, 0,
                    '{\(job - 4_096)}', '{\(token)}', '{\(ends)}', '{\(started)}', '{0}', '{NULL}')
                """)
        }

        @Test("Live leases are counted after each commit, starts without what came back unstarted")
        func audit() throws {
            var expected = LimitAudit()
            expected.leases = 4
            expected.lost = 1
            // After the third commit: 4097, 4098 and 4099. The fourth takes one and gives one.
            expected.mostRunning = 3
            // Leased at 2, 3, 3, 4 s; begun at 2.5, 3 (the lost one: when it was leased), 4 and 4.75 s.
            expected.mostLeased = 3
            expected.mostStarted = 2
            #expect(try LimitAudit(ofKind: "limited", database.url) == expected)
            expected = LimitAudit()
            expected.leases = 1
            expected.mostRunning = 1
            expected.mostLeased = 1
            expected.mostStarted = 1
            #expect(try LimitAudit(ofKind: "other", database.url) == expected)
            #expect(try LimitAudit(ofKind: "unknown", database.url) == LimitAudit())
        }

        @Test("Acknowledged jobs without a final outcome are missing, those with two are doubled")
        func count() throws {
            func counted(_ jobs: Int, from first: Int64 = 0) throws -> [Int] {
                let count = try JournalCount(of: jobs, from: first, database.url)
                return [count.missing, count.doubled]
            }
            #expect(try counted(6) == [5, 0])
            // One that has no row at all.
            #expect(try counted(7) == [6, 0])
            #expect(try counted(5, from: 4_097) == [5, 0])
            for job in 4_097...4_101 { try commit(6, job: job, token: job, ends: 10 << 8 | 1, started: 0) }
            #expect(try counted(6) == [0, 0])
            try commit(7, job: 4_096, token: 1, ends: 12 << 8 | 2, started: 0)
            #expect(try counted(6) == [0, 1])
            #expect(try counted(5, from: 4_097) == [0, 0])
        }

        @Test("Final outcomes are read by kind and commit, from a time on")
        func ends() throws {
            try commit(6, job: 4_101, token: 3, ends: 10 << 8 | 1, started: 0)
            #expect(
                try EndSeries.byKind(from: 0, database.url)
                    == ["limited": EndSeries([(3_000_000, 1)]), "other": EndSeries([(6_000_000, 1)])])
            #expect(try EndSeries.byKind(from: 3_000_001, database.url).keys.sorted() == ["other"])
        }
    }
}
