import StatexPostgres
import StatexProtocol
import StatexSchedulerCore
import Testing

@testable import StatexJournal

extension JournalTests {
    @Suite("Recovery")
    struct RecoveryTests {
        @Test("A page whose closing was never recorded is closed after a recovery, and not read again")
        func closing() throws {
            // The first day has two pages, with open jobs in the second; each later day has one.
            let past = try Past()
            let first = (Past.firstDay * 24 << 43) >> 12
            let state = try Recovery(url: past.database.url).run()
            #expect(state.finishedPages.first == first && state.finishedPages.count == 9)
            #expect(!state.finishedPages.contains(first + 1))

            let opened = try past.database.settings(owner: 2).open()
            var core = SchedulerCore(CoreSettings(), head: opened.head, seed: 1)
            let now = Now(monotonic: 1, wall: past.time(day: 8, hour: 1))
            core.recoveredName(.kind, "echo", number: 1, at: now)
            core.recoveredName(.tenant, "default", number: 2, at: now)
            core.recovered(state.jobs, workerNames: state.workerNames, at: now)
            core.recoveredFinishedPages(state.finishedPages)
            let taken = core.takeBatch(at: now)
            let batch = try #require(taken)
            // Not the page that the next id stands in.
            #expect(batch.pagesClosed == state.finishedPages.dropLast())
            var writer = CommitWriter(owner: Owner(number: 2, name: "owner 2"))
            writer.encode(batch)
            try writer.send(on: opened.connection) { -1 }

            let again = try Recovery(url: past.database.url).run()
            #expect(again.finishedPages == [state.finishedPages[8]])
            #expect(again.jobs.map(\.id) == state.jobs.map(\.id))
            #expect(try past.database.verify().violations == [])
        }

        /// A journal whose first jobs are leased, one in each of so many commits, and none has ended.
        private func leased(_ count: Int) throws -> (database: JournalDatabase, jobs: [UInt64]) {
            let database = try JournalDatabase()
            let opened = try database.settings(owner: 1).open()
            var maker = BatchMaker(head: opened.head)
            var writer = CommitWriter(owner: Owner(number: 1, name: "owner 1"))
            var jobs: [UInt64] = []
            for _ in 0..<count {
                let batch = maker.lives(1)
                batch.outcomes.removeAll()
                if jobs.isEmpty { batch.names.append(.init(number: 3, family: .worker, name: "w/1")) }
                jobs += batch.jobs.map(\.id)
                writer.encode(batch)
                try writer.send(on: opened.connection) { -1 }
            }
            return (database, jobs)
        }

        @Test("Jobs that were to stop still are, whether they were leased long ago or in the last commit")
        func cancels() throws {
            let (database, jobs) = try leased(3)
            let order = "INSERT INTO statex.actions (batch, at, action, who, ids, reached)"
            try database.run(
                """
                \(order) SELECT max(batch) + 1, 0, 'cancel', 'mira', '{\(jobs[0]),\(jobs[2])}', 2 FROM statex.commits
                """)
            let state = try Recovery(url: database.url).run()
            #expect(state.jobs.map(\.isCancelled) == [true, false, true])
        }

        @Test("Of orders to cancel a recovery reads only those since the first live lease, however many there were")
        func oldCancels() throws {
            let (database, _) = try leased(1)
            try database.run(
                """
                INSERT INTO statex.actions (batch, at, action, who, ids, reached)
                SELECT n / 10 - 10000, 0, 'cancel', 'mira', ARRAY[n], 1 FROM generate_series(1, 20000) AS n;
                ANALYZE statex.actions
                """)
            let lines = try database.query(
                "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "
                    + Recovery.cancels.replacing("$1", with: "(SELECT max(batch) FROM statex.lease_chunks)"))
            #expect(lines.contains("actions_cancels"), "\(lines)")
        }
    }
}
