import StatexPostgres
import StatexProtocol
import StatexReads
import Testing

@testable import StatexJournal
@testable import StatexSchedulerCore

extension JournalTests {
    /// Lists that walk back page by page of ids.
    @Suite("Walking lists")
    struct WalkTests {
        private static let pages = 5
        /// Jobs of each page: those of whole tens are dead.
        private static let jobs = 30

        /// Jobs on some pages with gaps between them, each a request of its own.
        private func database() throws -> JournalDatabase {
            let database = try JournalDatabase()
            let at = Int64(480_000) * 3_600_000_000
            let connection = try database.connect()
            try Statements.prepareCommit(on: connection)
            try Partitions.prepare(on: connection, at: at, hour: 480_000, batch: 1)
            try connection.run(
                """
                INSERT INTO statex.names VALUES (1, 1, 'text', 1), (2, 2, 'acme', 1), (3, 3, 'w/1', 1),
                    (4, 2, 'globex', 1)
                """, doing: "test")
            let batch = CommitBatch()
            batch.head.batch = 1
            batch.head.at = at
            var token: UInt64 = 0
            for page in 0..<Self.pages {
                for index in 0..<Self.jobs {
                    let id = UInt64(480_000) << 43 | UInt64(page * 3) << 12 | UInt64(index)
                    token += 1
                    batch.jobs.append(
                        .init(
                            id: id,
                            opts: JobOpts.pack(
                                index: 0, count: 1, priority: 5, attempts: 3, encoding: 0, hasOptions: false),
                            kind: 1, tenant: index % 20 == 0 ? 4 : 2, payloadStart: 0, payloadLength: 0))
                    batch.leases.append(.init(id: id, token: token, worker: 3, attempt: 1, slot: 0, workerIndex: 0))
                    // The page in the middle has successes alone.
                    let isDead = index % 10 == 0 && page != 2
                    batch.outcomes.append(
                        .init(
                            id: id, token: token, started: 2, ended: 1, retry: -1,
                            ending: isDead ? .failed : .succeeded,
                            final: isDead ? .dead : .succeeded, result: -1, slot: 0))
                }
            }
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            writer.encode(batch)
            try writer.send(on: connection) { -1 }
            return database
        }

        /// All ids of a list, look by look, and how many looks it took.
        private func all(_ list: (Walk) throws -> Listing, limit: Int, patience: Duration) throws -> ([String], Int) {
            var walk = Walk(limit: limit, patience: patience)
            var ids: [String] = []
            for looks in 1... {
                let page = try list(walk)
                #expect(page.rows.count <= limit)
                ids += page.rows.compactMap { $0[0] }
                guard let next = page.next, looks < 1_000 else { return (ids, looks) }
                let below = try #require(UInt64(next))
                #expect(below < walk.below, "it gets on")
                walk.below = below
            }
            return (ids, 0)
        }

        @Test("Whatever its patience, a list shows everything once, newest first, and each look is bounded")
        func bounded() throws {
            let reader = try JournalReader(url: database().url, name: "test")
            var dead = JobFilter()
            dead.states = [.dead]
            var failed = RequestFilter()
            failed.states = [.failed]
            let lists: [(String, Int, Int, (Walk) throws -> Listing)] = [
                ("jobs", Self.pages * Self.jobs, Self.pages, { try reader.jobs(JobFilter(), $0, for: .everything) }),
                ("dead jobs", 12, Self.pages, { try reader.jobs(dead, $0, for: .everything) }),
                (
                    "requests", Self.pages * Self.jobs, Self.pages,
                    { try reader.requests(RequestFilter(), $0, for: .everything) }
                ),
                ("failed requests", 12, Self.pages, { try reader.requests(failed, $0, for: .everything) }),
                // The page without one is jumped over.
                ("letters", 12, 4, { try reader.deadLetters(LetterFilter(), all: false, $0, for: .everything) }),
                (
                    "letters of a tenant", 8, 4,
                    { try reader.deadLetters(LetterFilter(), all: true, $0, for: .tenant("globex")) }
                ),
            ]
            for (name, count, pages, list) in lists {
                let (whole, looks) = try all(list, limit: 1_000, patience: .seconds(60))
                #expect(whole.count == count && looks == 1, "\(name): \(whole.count) in \(looks)")
                #expect(whole.compactMap(UInt64.init) == whole.compactMap(UInt64.init).sorted(by: >), "\(name)")
                // Without patience a look is one page, and the last one says that there is no more.
                let (steps, many) = try all(list, limit: 1_000, patience: .zero)
                #expect(steps == whole && many == pages + 1, "\(name): \(many) looks")
                #expect(try all(list, limit: 7, patience: .seconds(60)).0 == whole, "\(name)")
                #expect(try all(list, limit: 7, patience: .zero).0 == whole, "\(name)")
            }
        }

        @Test("Requests of a full page, each tried again and again, are read well within the database's limit")
        func fullPage() throws {
            let database = try JournalDatabase()
            let at = Int64(480_000) * 3_600_000_000
            let connection = try database.connect()
            try Statements.prepareCommit(on: connection)
            try Partitions.prepare(on: connection, at: at, hour: 480_000, batch: 1)
            try connection.run(
                "INSERT INTO statex.names VALUES (1, 1, 'text', 1), (2, 2, 'acme', 1), (3, 3, 'w/1', 1)", doing: "test")
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            var token: UInt64 = 0
            for attempt in 1...UInt16(8) {
                let batch = CommitBatch()
                batch.head.batch = UInt64(attempt)
                batch.head.at = at
                for index in 0..<UInt64(4_096) {
                    let id = UInt64(480_000) << 43 | index
                    token += 1
                    if attempt == 1 {
                        let opts = JobOpts.pack(
                            index: 0, count: 1, priority: 5, attempts: 9, encoding: 0, hasOptions: false)
                        batch.jobs.append(
                            .init(id: id, opts: opts, kind: 1, tenant: 2, payloadStart: 0, payloadLength: 0))
                    }
                    batch.leases.append(
                        .init(id: id, token: token, worker: 3, attempt: attempt, slot: 0, workerIndex: 0))
                    batch.outcomes.append(
                        .init(
                            id: id, token: token, started: 2, ended: 1, retry: attempt < 8 ? 1 : -1, ending: .failed,
                            final: attempt < 8 ? nil : .dead, result: -1, slot: 0))
                }
                writer.encode(batch)
                try writer.send(on: connection) { -1 }
            }
            var failed = RequestFilter()
            failed.states = [.failed]
            let reader = try JournalReader(url: database.url, name: "test", limit: .seconds(5))
            let list = try reader.requests(failed, Walk(limit: 10, patience: .zero), for: .everything)
            #expect(list.rows.count == 10)
        }

        @Test("What stands beside a dead letter is found by its key, whatever the planner would rather do")
        func lettersByKey() throws {
            let connection = try database().connect()
            try connection.run("SET enable_nestloop = off; SET jit = off", doing: "test")
            let plan = try connection.query(
                "EXPLAIN SELECT * FROM statex.dead_letters WHERE page = 480000::bigint << 31 ORDER BY id DESC LIMIT 50",
                doing: "test")
            let lines = (0..<plan.rows).map { plan.text($0, 0) }
            #expect(lines.contains { $0.contains("Nested Loop") }, "\(lines)")
            for other in ["Hash", "Merge Join", "Merge Left Join"] {
                #expect(!lines.contains { $0.contains(other) }, "\(other): \(lines)")
            }
        }

        @Test("Groups of a whole walk are those of its looks together")
        func groups() throws {
            let reader = try JournalReader(url: database().url, name: "test")
            func counts(_ walk: Walk, _ viewer: Viewer) throws -> (counts: [Int], next: String?) {
                let list = try reader.deadLetterGroups(LetterFilter(), all: false, limit: 10, walk, for: viewer)
                return (list.rows.compactMap { $0[3].flatMap { Int($0) } }, list.next)
            }
            #expect(try counts(Walk(limit: 100, patience: .seconds(60)), .everything).counts == [12])
            #expect(try counts(Walk(limit: 100, patience: .seconds(60)), .tenant("acme")).counts == [4])
            #expect(try counts(Walk(limit: 100, patience: .seconds(60)), .tenant("nobody")).counts == [])
            let newest = try counts(Walk(limit: 100, patience: .zero), .everything)
            #expect(newest.counts == [3] && newest.next != nil)
            let some = try counts(Walk(limit: 7, patience: .seconds(60)), .everything)
            #expect(some.counts == [7] && some.next != nil)
        }

        @Test("An order finds its dead letters on every page, the oldest first, as many as it takes")
        func orders() throws {
            let reader = try JournalReader(url: database().url, name: "test")
            func ids(_ limit: Int, _ viewer: Viewer, until time: Int64? = nil) throws -> [UInt64] {
                var filter = LetterFilter()
                filter.until = time
                let search = LetterSearch(limit: limit, patience: .seconds(60))
                return try reader.deadLetterIDs(filter, search, for: viewer).ids.map(\.rawValue)
            }
            let listed = try all(
                { try reader.deadLetters(LetterFilter(), all: true, $0, for: .everything) }, limit: 100,
                patience: .seconds(60)
            ).0
            let whole = try ids(100, .everything)
            #expect(whole.count == 12 && whole == listed.compactMap(UInt64.init).reversed())
            for limit in 1...12 { #expect(try ids(limit, .everything) == Array(whole.prefix(limit))) }
            #expect(try ids(100, .tenant("acme")).count == 4)
            #expect(try ids(100, .tenant("nobody")).isEmpty)
            let begun = Int64(480_000) * 3_600_000_000
            #expect(try ids(100, .everything, until: begun - 3_600_000_000).isEmpty)
            #expect(try ids(100, .everything, until: begun + 1) == whole)
        }

        @Test("Orders that go on from where one stopped looking reach each dead letter once, whatever the patience")
        func ordersInSteps() throws {
            let reader = try JournalReader(url: database().url, name: "test")
            func steps(limit: Int, patience: Duration, _ filter: LetterFilter = LetterFilter()) throws -> [[UInt64]] {
                var search = LetterSearch(limit: limit, patience: patience)
                var steps: [[UInt64]] = []
                while steps.count < 100 {
                    let found = try reader.deadLetterIDs(filter, search, for: .everything)
                    #expect(found.ids.count <= limit)
                    steps.append(found.ids.map(\.rawValue))
                    guard let next = found.next else { break }
                    #expect(next.rawValue > search.after, "it gets on")
                    search.after = next.rawValue
                }
                return steps
            }
            let whole = try steps(limit: 100, patience: .seconds(60))
            #expect(whole.count == 1 && whole[0].count == 12)
            // Without patience a look is one page, of the four that have some; the last one says that there is no more.
            let pages = try steps(limit: 100, patience: .zero)
            #expect(pages.map(\.count) == [3, 3, 3, 3, 0] && pages.flatMap { $0 } == whole[0])
            for limit in 1...12 {
                for patience in [Duration.zero, .seconds(60)] {
                    let steps = try steps(limit: limit, patience: patience)
                    #expect(steps.flatMap { $0 } == whole[0], "\(limit) in \(patience)")
                }
            }
            // What fits nothing is bounded in the same way, and says where to go on.
            var nothing = LetterFilter()
            nothing.errorClass = "nobody"
            #expect(try steps(limit: 100, patience: .zero, nothing) == [[], [], [], [], []])
            #expect(try steps(limit: 100, patience: .seconds(60), nothing) == [[]])
        }

        @Test("A read that nobody waits for any more ends before its next statement")
        func unwanted() throws {
            let reader = try JournalReader(url: database().url, name: "test")
            let looks = Looks()
            reader.read { looks.take() }
            let search = LetterSearch(limit: 100, patience: .seconds(60))
            looks.left = 3
            #expect(throws: ReadError.failed("nobody waits for the answer any more")) {
                try reader.deadLetterIDs(LetterFilter(), search, for: .everything)
            }
            looks.left = 100
            #expect(try reader.deadLetterIDs(LetterFilter(), search, for: .everything).ids.count == 12)
        }

        /// Who waits for so many statements.
        private final class Looks {
            var left = 0

            func take() -> Bool {
                left -= 1
                return left >= 0
            }
        }

        @Test("When jobs were submitted bounds how far a list looks")
        func times() throws {
            let reader = try JournalReader(url: database().url, name: "test")
            let begun = Int64(480_000) * 3_600_000_000
            // No id has an hour after 2089, and the last moment that may be asked for is of 2199.
            let (late, last) = (Int64(4_102_444_800_000_000), Int64(7_258_118_399_999_999))
            let walk = Walk(limit: 1_000, patience: .seconds(60))
            for (since, until, count): (Int64?, Int64?, Int) in [
                (begun, nil, 150), (begun + 3_600_000_000, nil, 0), (nil, begun, 0), (nil, begun + 1, 150),
                (late, nil, 0), (last, nil, 0), (nil, late, 150), (begun, last, 150), (late, last, 0), (0, 0, 0),
            ] {
                var jobs = JobFilter()
                (jobs.since, jobs.until) = (since, until)
                var requests = RequestFilter()
                (requests.since, requests.until) = (since, until)
                for list in [
                    try reader.jobs(jobs, walk, for: .everything),
                    try reader.requests(requests, walk, for: .everything),
                ] {
                    #expect(list.rows.count == count && list.next == nil, "\(since ?? 0) \(until ?? 0)")
                }
                // What is open is looked for in another way; nothing is here.
                jobs.states = [.queued]
                requests.states = [.open]
                #expect(try reader.jobs(jobs, walk, for: .everything).rows.isEmpty)
                #expect(try reader.requests(requests, walk, for: .everything).rows.isEmpty)
            }
            for (since, until, count): (Int64?, Int64?, Int) in [(late, nil, 0), (nil, late, 12), (nil, last, 12)] {
                var filter = LetterFilter()
                (filter.since, filter.until) = (since, until)
                let list = try reader.deadLetters(filter, all: true, walk, for: .everything)
                #expect(list.rows.count == count && list.next == nil, "\(since ?? 0) \(until ?? 0)")
                let found = try reader.deadLetterIDs(
                    filter, LetterSearch(limit: 100, patience: .seconds(60)), for: .everything)
                #expect(found.ids.count == count && found.next == nil)
            }
        }
    }
}
