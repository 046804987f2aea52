import StatexClient
import StatexEvents
import StatexPostgres
import StatexProtocol
import StatexSchedulerCore
import Testing

@testable import StatexJournal
@testable import StatexSimulation

extension JournalTests {
    /// What the simulator's cores committed, written to a real Postgres: the reader of recovery and the
    /// verifier must see there what the simulator's journal says.
    @Suite("Simulated histories in a real journal")
    struct SimulatedJournalTests {
        @Test(
            "Recovery finds the same jobs, after any commit, and the verifier finds nothing",
            arguments: [3, 11, 24, 58] as [UInt64])
        func same(seed: UInt64) throws {
            let world = World(SimulationRun(seed: seed))
            world.run()
            try #require(world.violations == [])
            let database = try JournalDatabase()
            let connection = try database.connect()
            try Statements.prepareCommit(on: connection)
            var random = SeededGenerator(seed: seed)
            let copy = SimulatedJournal(
                incarnation: world.journal.end.incarnation, firstID: world.journal.ids.first ?? 1)
            for commit in world.journal.commits {
                let hour = commit.head.nextID >> 43
                try Partitions.prepare(on: connection, at: commit.head.at, hour: hour, batch: commit.head.batch)
                var writer = CommitWriter(
                    owner: Owner(number: UInt64(bitPattern: Int64(commit.owner)), name: "scheduler"))
                writer.encode(batch(commit))
                try writer.send(on: connection) { -1 }
                guard case .durable = copy.append(commit) else {
                    Issue.record("commit \(commit.head.batch) does not follow")
                    return
                }
                if random.next() % 8 == 0 { try compare(copy, database) }
            }
            try compare(copy, database)
            let report = try database.verify()
            #expect(report.violations == [])
            #expect(report.jobs == world.journal.ids.count)
            #expect(report.open == 0)
            try compareEvents(world, database)
        }

        /// What is made of the rows in Postgres is what the simulator's subscribers were told, commit by commit.
        private func compareEvents(_ world: World, _ database: JournalDatabase) throws {
            let oracle = EventOracle(world.journal)
            oracle.noteAll()
            var expected: [String] = []
            for commit in world.journal.commits {
                for (index, event) in oracle.events(of: commit).enumerated() {
                    expected.append("\(commit.head.batch) \(index) \(event)")
                }
            }
            var history = try EventHistory(url: database.url)
            let end = try #require(try history.end()).position
            var from = EventPosition(batch: 1)
            var found: [String] = []
            while from < end {
                // In pieces that begin and end anywhere.
                let to = min(end, EventPosition(batch: from.batch + 7, index: 2))
                let read = try history.events(from: from, to: to)
                found += read.events.map { event in
                    let simulated = SimulatedEvent(
                        type: event.type, id: event.id.rawValue, request: event.request.rawValue, kind: event.kind,
                        tenant: event.tenant, worker: event.worker ?? "",
                        number: UInt16(event.attempt ?? event.jobs ?? 0))
                    return "\(event.sequence.batch) \(event.sequence.index) \(simulated)"
                }
                from = read.reached
            }
            #expect(expected.count > 20)
            #expect(found == expected)
        }

        private func compare(_ journal: SimulatedJournal, _ database: JournalDatabase) throws {
            let real = try Recovery(url: database.url).run()
            let simulated = journal.recover()
            #expect(real.workerNames == simulated.workerNames)
            #expect(real.jobs.map(\.id) == simulated.jobs.map(\.id))
            for (left, right) in zip(real.jobs, simulated.jobs) {
                #expect(left.opts == right.opts && left.kind == right.kind && left.tenant == right.tenant)
                #expect(left.failures == right.failures, "job \(left.id)")
                #expect(left.lostWith == right.lostWith, "job \(left.id)")
                #expect(left.token == right.token && left.worker == right.worker, "job \(left.id)")
                // A retry's time is stored as seconds in 4 bytes.
                #expect(abs(left.notBefore - right.notBefore) < 100, "job \(left.id)")
                #expect(left.deadline == right.deadline && left.runLimit == right.runLimit, "job \(left.id)")
                #expect(left.isCancelled == right.isCancelled, "job \(left.id)")
                #expect(left.waitsFor == right.waitsFor, "job \(left.id)")
                #expect(left.siblings == right.siblings, "job \(left.id)")
                #expect(left.retriedRequest == right.retriedRequest, "job \(left.id)")
            }
        }

        private func batch(_ commit: SimulatedJournal.Commit) -> CommitBatch {
            let batch = CommitBatch()
            batch.head = commit.head
            batch.jobs = commit.jobs
            for (index, payload) in commit.payloads.enumerated() {
                batch.jobs[index].payloadStart = batch.payloads.buffer.count
                batch.payloads.buffer.append(payload)
            }
            batch.options = commit.options
            batch.leases = commit.leases
            batch.outcomes = commit.outcomes
            batch.results = commit.results
            batch.resultBytes.append(commit.resultBytes)
            batch.names = commit.names
            batch.submits = commit.submits
            batch.keys = commit.keys
            batch.actions = commit.actions
            batch.pagesClosed = commit.pagesClosed
            return batch
        }
    }
}
