import StatexHandOff
import StatexPostgres
import StatexProtocol
import Testing

@testable import StatexJournal
@testable import StatexSchedulerCore

extension JournalTests {
    @Suite("Dependencies in rows")
    struct DependencyRowTests {
        /// The first two jobs of the request are the last of their page.
        private static let request = UInt64(480_000) << 43 | 4_094
        private static let at = Int64(480_000) * 3_600_000_000

        /// A commit of a request of four jobs whose first page is closed: 0 and 1 ended; 2 takes the results of
        /// both, 3 waits for 1 and 2.
        private func database(ending second: JobState) throws -> JournalDatabase {
            let database = try JournalDatabase()
            let connection = try database.connect()
            try Statements.prepareCommit(on: connection)
            try Partitions.prepare(on: connection, at: Self.at, hour: 480_000, batch: 1)
            let batch = CommitBatch()
            batch.head.batch = 1
            batch.head.at = Self.at
            let after: [[JobDependency]] = [
                [], [], [JobDependency(on: 0, isInput: true), JobDependency(on: 1, isInput: true)],
                [JobDependency(on: 1, failsDependant: true), JobDependency(on: 2)],
            ]
            for index in 0..<UInt16(4) {
                var options = JobOptions()
                options.after = after[Int(index)]
                batch.jobs.append(
                    .init(
                        id: Self.request + UInt64(index),
                        opts: JobOpts.pack(
                            index: index, count: 4, priority: 5, attempts: 3, encoding: 0,
                            hasOptions: !options.isEmpty),
                        kind: 1, tenant: 2, payloadStart: 0, payloadLength: 0))
                guard !options.isEmpty else { continue }
                batch.options.append(.init(id: Self.request + UInt64(index), options: options, labels: []))
            }
            for (offset, final) in [JobState.succeeded, second].enumerated() {
                batch.outcomes.append(
                    .init(
                        id: Self.request + UInt64(offset), token: UInt64(offset + 1), started: 0, ended: 0, retry: -1,
                        ending: final == .succeeded ? .succeeded : .failed, final: final,
                        result: offset == 0 ? 0 : -1, slot: 0))
                batch.leases.append(
                    .init(
                        id: Self.request + UInt64(offset), token: UInt64(offset + 1), worker: 3, attempt: 1, slot: 0,
                        workerIndex: 0))
            }
            batch.results.append(
                .init(job: Self.request, token: 1, ending: .succeeded, encoding: 1, start: 0, length: 3))
            batch.resultBytes.append("ref")
            batch.pagesClosed = [Self.request >> 12]
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            writer.encode(batch)
            try writer.send(on: connection) { -1 }
            return database
        }

        @Test("A new owner finds what jobs still wait for, also across a closed page")
        func succeeded() throws {
            let jobs = try Recovery(url: database(ending: .succeeded).url).run().jobs
            #expect(jobs.map(\.id) == [Self.request + 2, Self.request + 3])
            #expect(jobs.map(\.waitsFor) == [[], [JobDependency(on: 2)]])
        }

        @Test("A new owner finds what jobs wait for in vain")
        func failed() throws {
            let jobs = try Recovery(url: database(ending: .dead).url).run().jobs
            #expect(
                jobs.map(\.waitsFor) == [
                    [JobDependency(on: 1, isInput: true)],
                    [JobDependency(on: 1, failsDependant: true), JobDependency(on: 2)],
                ])
        }

        @Test("A lease's inputs are the results of the jobs that it names, empty ones too")
        func inputs() throws {
            let connection = try database(ending: .succeeded).connect()
            let lease = Outbox.Lease(worker: 0, slot: 0, token: 9)
            let wanted = [Self.request + 2, Self.request + 3, Self.request + 9].map {
                PayloadWanted(lease: lease, id: $0, hasCheckpoint: false)
            }
            let found = try PayloadReader.read(wanted, connection)
            #expect(found.map(\.wanted.id) == [Self.request + 2, Self.request + 3])
            #expect(
                found.map(\.inputs) == [
                    [
                        LeaseInput(index: 0, encoding: .object, body: Array("ref".utf8)),
                        LeaseInput(index: 1, encoding: .bytes, body: []),
                    ], [],
                ])
        }
    }
}
