import StatexPostgres
import StatexProtocol
import Testing

@testable import StatexJournal
@testable import StatexReads
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

        @Test("What closes later is jumped over in the next look, and what is open in a restored journal is found")
        func follows() throws {
            let database = try database(closed: [0, 39])
            let reader = try JournalReader(url: database.url, name: "test")
            let look = Walk(limit: 10, patience: .zero)
            #expect(try lists(reader, look).jobs.rows.isEmpty, "page 38 is looked at, and nothing is open there")
            try database.run(
                """
                INSERT INTO statex.commits SELECT shard, 2, incarnation, epoch, at, next_id, next_token, next_name,
                    owner_number, backend_pid, 0, 0, 0, 0, 0,
                    ARRAY(SELECT \(Self.start >> 12) + p FROM generate_series(1, 38) p WHERE p <> 2), NULL
                FROM statex.commits WHERE batch = 1
                """)
            #expect(try lists(reader, look).jobs.rows.map { $0[0] } == ["\(Self.open)"])
            // Another journal's commit has the number of the last that was read: there page 20 has an open job.
            let job = Self.start | 20 << 12 | 9
            try database.run(
                """
                DELETE FROM statex.commits WHERE batch = 2;
                INSERT INTO statex.commits SELECT shard, 2, incarnation + 1, epoch, at, next_id, next_token, next_name,
                    owner_number, backend_pid, 1, 0, 0, 0, 0,
                    ARRAY(SELECT \(Self.start >> 12) + p FROM generate_series(1, 38) p WHERE p NOT IN (2, 20)), NULL
                FROM statex.commits WHERE batch = 1;
                INSERT INTO statex.jobs SELECT \(job), 2, created, opts, kind, tenant, payload FROM statex.jobs
                WHERE id = \(Self.start | 1 << 12 | 1)
                """)
            #expect(try lists(reader, look).jobs.rows.map { $0[0] } == ["\(job)"])
        }

        @Test("More commits with closed pages than are read at once are passed in few looks, once")
        func manyCommits() throws {
            // Each page closes in a commit of its own: those that matter in the oldest, which are read last.
            let database = try database(closed: [39])
            let count = 2 * OpenPages.commitsAtOnce
            try database.run(
                """
                INSERT INTO statex.commits SELECT shard, b, incarnation, epoch, at, next_id, next_token, next_name,
                    owner_number, backend_pid, 0, 0, 0, 0, 0,
                    ARRAY[\(Self.start >> 12) + CASE WHEN b <= 39 AND b <> 3 THEN b - 1 ELSE b + 100 END], NULL
                FROM statex.commits, generate_series(2, \(count)) b WHERE batch = 1
                """)
            let reader = try JournalReader(url: database.url, name: "test")
            var walk = Walk(limit: 10, patience: .zero)
            var found: [String?] = []
            var looks = 0
            while looks < 10 {
                looks += 1
                let list = try lists(reader, walk).jobs
                found += list.rows.map { $0[0] }
                guard let next = list.next.flatMap(UInt64.init) else { break }
                walk.below = next
            }
            #expect(found == ["\(Self.open)"] && looks < 10)
            // All is known now: one look suffices.
            let again = try lists(reader, Walk(limit: 10, patience: .zero)).jobs
            #expect(again.rows.map { $0[0] } == found)
        }

        @Test("Pages that close in any order become the same runs, and no other page is taken for one of them")
        func runs() {
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<50 {
                let pages = (0..<300 as Range<UInt64>).filter { _ in Int.random(in: 0..<3, using: &generator) > 0 }
                var closed = ClosedPages()
                for (index, page) in (pages + pages.prefix(20)).shuffled(using: &generator).enumerated() {
                    closed.add(page, in: .init(batch: UInt64(index), incarnation: "1"))
                }
                let known = Set(pages)
                for page in 0..<UInt64(310) {
                    let run = closed.run(around: page)
                    #expect((run != nil) == known.contains(page))
                    guard let run else { continue }
                    #expect(run.allSatisfy(known.contains) && !known.contains(run.upperBound + 1))
                    #expect(run.lowerBound == 0 || !known.contains(run.lowerBound - 1))
                }
            }
        }
    }
}
