import StatexPostgres
import StatexProtocol
import StatexReads
import Testing

@testable import StatexJournal
@testable import StatexSchedulerCore

extension JournalTests {
    /// Lists of open jobs jump over pages that hold none any more.
    @Suite("Lists of open jobs")
    struct OpenPageTests {
        private static let pages: UInt64 = 40
        private static let start = UInt64(480_000) << 43
        private static let begins = start | 1 << 12 | 4_095
        private static let open = start | 2 << 12

        /// Finished jobs on all pages, and a request that begins at the end of one and is open in the next.
        private func database(closed: [UInt64]) throws -> JournalDatabase {
            let database = try JournalDatabase()
            let at = Int64(480_000) * 3_600_000_000
            let connection = try database.connect()
            try Statements.prepareCommit(on: connection)
            try Partitions.prepare(on: connection, at: at, hour: 480_000, batch: 1)
            try connection.run(
                "INSERT INTO statex.names VALUES (1, 1, 'text', 1), (2, 2, 'acme', 1), (3, 3, 'w/1', 1)", doing: "test")
            let batch = CommitBatch()
            batch.head.batch = 1
            batch.head.at = at
            batch.pagesClosed = closed.map { Self.start >> 12 | $0 }
            var token: UInt64 = 0
            func job(_ id: UInt64, index: UInt16, count: UInt16, isOpen: Bool = false) {
                token += 1
                batch.jobs.append(
                    .init(
                        id: id,
                        opts: JobOpts.pack(
                            index: index, count: count, priority: 5, attempts: 3, encoding: 0, hasOptions: false),
                        kind: 1, tenant: 2, payloadStart: 0, payloadLength: 0))
                guard !isOpen else { return }
                batch.leases.append(.init(id: id, token: token, worker: 3, attempt: 1, slot: 0, workerIndex: 0))
                batch.outcomes.append(
                    .init(
                        id: id, token: token, started: 2, ended: 1, retry: -1, ending: .succeeded, final: .succeeded,
                        result: -1, slot: 0))
            }
            for page in 0..<Self.pages { job(Self.start | page << 12 | 1, index: 0, count: 1) }
            job(Self.begins, index: 0, count: 2)
            job(Self.open, index: 1, count: 2, isOpen: true)
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            writer.encode(batch)
            try writer.send(on: connection) { -1 }
            return database
        }

        private func lists(_ reader: borrowing JournalReader, _ walk: Walk) throws -> (jobs: Listing, requests: Listing)
        {
            var jobs = JobFilter()
            jobs.states = [.queued, .delayed]
            var requests = RequestFilter()
            requests.states = [.open]
            return (
                try reader.jobs(jobs, walk, for: .tenant("acme")), try reader.requests(requests, walk, for: .everything)
            )
        }

        @Test("What is open is found in one look, however many closed pages lie above it")
        func jumps() throws {
            let database = try database(closed: (0..<Self.pages).filter { $0 != 2 })
            let reader = try JournalReader(url: database.url, name: "test")
            let (jobs, requests) = try lists(reader, Walk(limit: 10, patience: .zero))
            #expect(jobs.rows.map { $0[0] } == ["\(Self.open)"])
            // It lies on the page of its first job, which is closed.
            #expect(requests.rows.isEmpty && requests.next == "\(Self.open)")
            let (none, begun) = try lists(reader, Walk(below: Self.open, limit: 10, patience: .zero))
            #expect(none.rows.isEmpty && none.next == nil)
            #expect(begun.rows.map { $0[0] } == ["\(Self.begins)"])
            let open = try reader.openJobs(ofTenant: "acme", limit: 10, patience: .zero)
            #expect(open.kinds.map(\.states) == [[.queued: 1]])
        }

        @Test("What is open is found where no page is known as closed, too", arguments: [[], [0, 39]] as [[UInt64]])
        func walks(closed: [UInt64]) throws {
            let database = try database(closed: closed)
            let reader = try JournalReader(url: database.url, name: "test")
            let (jobs, requests) = try lists(reader, Walk(limit: 10, patience: .seconds(60)))
            #expect(jobs.rows.map { $0[0] } == ["\(Self.open)"] && jobs.next == nil)
            #expect(requests.rows.map { $0[0] } == ["\(Self.begins)"] && requests.next == nil)
        }
    }
}
