import StatexPostgres
import StatexProtocol
import StatexThreads
import Testing

@testable import StatexJournal
@testable import StatexSchedulerCore

extension JournalTests {
    /// Days are in the ids and times are given, so weeks pass at once.
    @Suite("Retention")
    struct RetentionTests {
        /// What readers say of the jobs that matter.
        private func told(_ past: Past) throws -> [String] {
            try past.wanted.map { try past.database.query("SELECT statex.job(\($0))") }
        }

        private func recovered(_ past: Past) throws -> [RecoveredJob] {
            try Recovery(url: past.database.url).run().jobs
        }

        private func expectSame(_ left: [RecoveredJob], _ right: [RecoveredJob]) {
            #expect(left.map(\.id) == right.map(\.id))
            for (left, right) in zip(left, right) {
                #expect(left.opts == right.opts && left.kind == right.kind && left.tenant == right.tenant)
                #expect(left.failures == right.failures && left.lostWith == right.lostWith)
                #expect(left.token == right.token && left.worker == right.worker)
                #expect(left.notBefore == right.notBefore && left.deadline == right.deadline)
            }
        }

        private func expectSound(_ past: Past) throws {
            #expect(try past.database.verify().violations == [])
        }

        /// Tables that belong to no parent.
        private func strays(_ past: Past) throws -> String {
            try past.database.query(
                "SELECT relname FROM pg_class WHERE relname ~ '^(retired|carrying)_' AND relkind = 'r'")
        }

        @Test("Finished history leaves; open jobs stay as they were, for recovery and for views")
        func leaves() throws {
            let past = try Past()
            let (open, texts) = (try recovered(past), try told(past))
            try #require(open.count == 4)
            let finished = past.finished
            #expect(try past.database.query("SELECT statex.job(\(finished))") != "")
            let round = try #require(
                try Retention(url: past.database.url, days: 7).run(now: past.time(day: 8, hour: 1)))
            #expect(round.days == 1)
            #expect(round.jobs == 6_000 && round.carried == 6)
            #expect(round.results == 1)
            expectSame(try recovered(past), open)
            #expect(try told(past) == texts)
            #expect(try past.database.query("SELECT statex.job(\(finished))") == "")
            #expect(
                try past.database.query("SELECT min(id) >> 43 FROM statex.jobs WHERE id NOT IN (\(past.wantedList))")
                    == String((Past.firstDay + 1) * 24))
            try expectSound(past)
            #expect(try strays(past) == "")
            #expect(try Retention(url: past.database.url, days: 7).run(now: past.time(day: 8, hour: 2)) == nil)
        }

        @Test("Carried jobs go on, and leave a round after they ended long enough ago")
        func goOn() throws {
            let past = try Past()
            _ = try Retention(url: past.database.url, days: 7).run(now: past.time(day: 8, hour: 1))
            // Two end, the other two stay open.
            try past.commit { batch, maker in
                batch.leases.append(past.lease(past.wanted[0], maker.head.nextToken))
                batch.outcomes.append(past.outcome(past.wanted[0], maker.head.nextToken))
                batch.outcomes.append(past.outcome(past.wanted[1], past.openToken))
                maker.head.nextToken += 1
            }
            try expectSound(past)
            let open = try recovered(past)
            #expect(open.count == 2)
            let texts = try told(past)
            let second = try #require(
                try Retention(url: past.database.url, days: 7).run(now: past.time(day: 10, hour: 1)))
            #expect(second.days == 2 && second.carried == 6)
            #expect(try told(past) == texts)
            expectSame(try recovered(past), open)
            try expectSound(past)
            let third = try #require(
                try Retention(url: past.database.url, days: 7).run(now: past.time(day: 30, hour: 1)))
            // With what ended of the request of one of them.
            #expect(third.carried == 4)
            expectSame(try recovered(past), open)
            try expectSound(past)
            #expect(try past.database.query("SELECT count(*) FROM statex.jobs") == "4")
        }

        @Test("What commits write between the copy and the exchange is not lost")
        func meanwhile() throws {
            let past = try Past()
            let retention = try Retention(url: past.database.url, days: 7)
            let due = try #require(try retention.due(at: past.time(day: 8, hour: 1)))
            let copy = try retention.carry(due)
            try past.commit { batch, maker in
                batch.outcomes.append(past.outcome(past.wanted[1], past.openToken))
                batch.leases.append(past.lease(past.wanted[0], maker.head.nextToken))
                maker.head.nextToken += 1
            }
            let (open, texts) = (try recovered(past), try told(past))
            try retention.exchange(copy)
            expectSame(try recovered(past), open)
            #expect(try told(past) == texts)
            try expectSound(past)
        }

        @Test("A round that ends at any of its steps is finished or done again by the next", arguments: 0..<4)
        func stops(step: Int) throws {
            let past = try Past()
            let (open, texts) = (try recovered(past), try told(past))
            let now = past.time(day: 8, hour: 1)
            do {
                let retention = try Retention(url: past.database.url, days: 7)
                let due = try #require(try retention.due(at: now))
                let copy = try retention.carry(due)
                if step == 1 {
                    try retention.connection.run("BEGIN", doing: "test")
                    for table in CarriedTable.allCases.reversed() {
                        try retention.connection.run("DROP TABLE statex.\(copy.scratch(table))", doing: "test")
                    }
                }
                if step >= 2 { try retention.exchange(copy) }
                if step == 3 {
                    let some = try past.database.query(
                        "SELECT relname FROM pg_class WHERE relname ~ '^retired_' AND relkind = 'r' LIMIT 1")
                    try past.database.run("DROP TABLE statex.\(some)")
                }
            }
            #expect(try strays(past) != "")
            expectSame(try recovered(past), open)
            #expect(try told(past) == texts)
            try expectSound(past)
            let round = try Retention(url: past.database.url, days: 7).run(now: now)
            #expect((round == nil) == (step >= 2))
            #expect(try strays(past) == "")
            #expect(try past.database.query("SELECT count(*) FROM statex.retired") == "1")
            expectSame(try recovered(past), open)
            try expectSound(past)
        }

        @Test("A round whose backend is killed at any moment leaves a sound journal")
        func killed() throws {
            let past = try Past()
            let (open, texts) = (try recovered(past), try told(past))
            let now = past.time(day: 8, hour: 1)
            let killer = try past.database.connect()
            var random = SeededGenerator(seed: 9)
            var kills = 0
            for _ in 0..<20 {
                let url = past.database.url
                let round = NamedThread("retention") { _ = try? Retention(url: url, days: 7).run(now: now) }
                // So many questions are so much time.
                for _ in 0..<random.next() % 400 {
                    let asked = try killer.query("SELECT 1", doing: "test")
                    _ = consume asked
                }
                let killed = try killer.query(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'statex retention' AND datname = current_database()",
                    doing: "test")
                kills += Int(killed.integer(0, 0))
                round.join()
                // A backend that was told to end holds its locks until it has.
                try past.database.waitUntil(
                    "count(*) = 0 FROM pg_stat_activity WHERE application_name = 'statex retention' AND datname = current_database()"
                )
                try expectSound(past)
                expectSame(try recovered(past), open)
            }
            #expect(kills > 0)
            _ = try Retention(url: past.database.url, days: 7).run(now: now)
            #expect(try strays(past) == "")
            #expect(try past.database.query("SELECT count(*) FROM statex.retired") == "1")
            #expect(try told(past) == texts)
            try expectSound(past)
        }

        @Test("A reader that stays holds up the exchange, and no commit")
        func reader() throws {
            let past = try Past()
            let retention = try Retention(url: past.database.url, days: 7)
            let copy = try retention.carry(try #require(try retention.due(at: past.time(day: 8, hour: 1))))
            let reader = try past.database.connect()
            try reader.run("BEGIN; SELECT count(*) FROM statex.lease_chunks", doing: "test")
            #expect {
                try retention.tryExchange(copy)
            } throws: { error in
                (error as? PostgresError)?.isLockTimeout == true
            }
            try retention.connection.run("ROLLBACK", doing: "test")
            try past.commit { batch, _ in batch.outcomes.append(past.outcome(past.wanted[1], past.openToken)) }
            try reader.run("ROLLBACK", doing: "test")
            try retention.exchange(copy)
            try expectSound(past)
            #expect(try recovered(past).count == 3)
        }

        @Test("Commits go on while a round runs, with the statements that they prepared before")
        func underLoad() throws {
            let past = try Past()
            let connection = try past.database.connect()
            try Statements.prepareCommit(on: connection)
            var writer = CommitWriter(owner: Owner(number: 1, name: "test"))
            let (url, now) = (past.database.url, past.time(day: 8, hour: 1))
            let round = NamedThread("retention") { _ = try? Retention(url: url, days: 7).run(now: now) }
            var commits = 0
            let ledger = try past.database.connect()
            while try commits % 50 != 0
                || ledger.query("SELECT count(*) FROM statex.retired", doing: "test").integer(0, 0) == 0
            {
                let batch = past.maker.lives(20)
                // A lease and an outcome of a carried job in each.
                batch.leases.append(past.lease(past.wanted[0], past.maker.head.nextToken))
                batch.outcomes.append(past.outcome(past.wanted[0], past.maker.head.nextToken))
                batch.outcomes[20].ending = .returned
                batch.outcomes[20].final = nil
                past.maker.head.nextToken += 1
                writer.encode(batch)
                try writer.send(on: connection) { -1 }
                commits += 1
                try #require(commits < 20_000)
            }
            round.join()
            try expectSound(past)
            #expect(
                try past.database.query(
                    "SELECT count(*) FROM statex.leases WHERE page = \(past.wanted[0] >> 12) AND job = \(past.wanted[0])"
                )
                    == String(commits))
        }

        @Test("One process at a time does it")
        func alone() throws {
            let past = try Past()
            let other = try past.database.connect()
            try other.run("SELECT pg_advisory_lock(\(JournalSettings.retentionLockClass), 0)", doing: "test")
            #expect(try Retention(url: past.database.url, days: 7).run(now: past.time(day: 8, hour: 1)) == nil)
        }

        @Test("Nothing is due before the day's end is past retention")
        func notYet() throws {
            let past = try Past()
            #expect(try Retention(url: past.database.url, days: 7).run(now: past.time(day: 8, hour: 0) - 1) == nil)
            #expect(try Retention(url: past.database.url, days: 36_500).run() == nil)
            #expect(try Retention(url: past.database.url, days: 7).run(now: 5) == nil)
            let empty = try JournalDatabase()
            #expect(try Retention(url: empty.url, days: 1).run() == nil)
        }

        @Test("Ranges of commits leave when nothing of them is left but carried rows; the last commit stays")
        func commitRanges() throws {
            let boundary: UInt64 = 1 << 24
            let past = try Past(firstBatch: boundary - 2)
            #expect(try past.database.query("SELECT count(*) FROM statex.commits WHERE batch < \(boundary)") == "2")
            let open = try recovered(past)
            // The range's commits spoke of the first day only, which is not due yet.
            #expect(try Retention(url: past.database.url, days: 7).run(now: past.time(day: 7, hour: 12)) == nil)
            let round = try #require(
                try Retention(url: past.database.url, days: 7).run(now: past.time(day: 8, hour: 1)))
            #expect(round.said[0] > 0)
            #expect(try past.database.query("SELECT min(batch) FROM statex.commits") == String(boundary))
            #expect(try past.database.query("SELECT to_regclass('statex.submits_0') IS NULL") == "t")
            expectSame(try recovered(past), open)
            try expectSound(past)
            try past.commit { batch, _ in batch.outcomes.append(past.outcome(past.wanted[1], past.openToken)) }
            _ = try Retention(url: past.database.url, days: 7).run(now: past.time(day: 300, hour: 1))
            try expectSound(past)
            #expect(try past.database.query("SELECT min(batch) FROM statex.commits") == String(boundary))
            let opened = try past.database.settings(owner: 5).open()
            #expect(opened.head.batch == past.maker.head.batch + 1)
        }

        @Test("A clock that stepped back behind what is kept finds a place for everything")
        func clockBack() throws {
            let past = try Past()
            _ = try Retention(url: past.database.url, days: 7).run(now: past.time(day: 8, hour: 1))
            let connection = try past.database.connect()
            try Partitions.prepare(on: connection, at: past.time(day: 0, hour: 5), hour: Past.firstDay * 24, batch: 30)
            #expect(
                try past.database.query("SELECT to_regclass('statex.keys_\(Past.firstDay)') IS NOT NULL") == "t")
            #expect(
                try past.database.query("SELECT to_regclass('statex.jobs_\(Past.firstDay)') IS NULL") == "t")
            try past.commit { batch, maker in
                maker.head.nextID = ((Past.firstDay * 24) << 43) + 100_000
                let lives = maker.lives(3)
                maker.head.batch -= 1
                (batch.jobs, batch.leases, batch.outcomes) = (lives.jobs, lives.leases, lives.outcomes)
                batch.payloads.buffer.append([UInt8](repeating: 0, count: 9))
            }
            #expect(try past.database.query("SELECT count(*) FROM statex.jobs_carried_\(Past.firstDay + 1)") == "9")
        }

        @Test("Keys leave with their day")
        func keys() throws {
            let past = try Past()
            let before = try past.database.query("SELECT count(*) FROM pg_class WHERE relname ~ '^keys_[0-9]+$'")
            _ = try Retention(url: past.database.url, days: 7).run(now: past.time(day: 8, hour: 1))
            let after = try past.database.query("SELECT count(*) FROM pg_class WHERE relname ~ '^keys_[0-9]+$'")
            #expect(try #require(Int(after)) == (try #require(Int(before))) - 1)
        }

        @Test("Rows that vanish without retention are found after a round, too")
        func stillJudged() throws {
            let past = try Past()
            _ = try Retention(url: past.database.url, days: 7).run(now: past.time(day: 8, hour: 1))
            for (plant, finds) in [
                ("DELETE FROM statex.jobs WHERE id = \(past.wanted[2])", "and no row"),
                (
                    "DELETE FROM statex.lease_chunks WHERE page > \((Past.firstDay + 1) * 24 << 31)",
                    "which was never leased"
                ),
                ("UPDATE statex.retired SET outcomes = outcomes - 1", "retention: all commits say"),
                ("UPDATE statex.commits SET jobs = jobs + 1 WHERE batch = 1", "retention: all commits say"),
                ("DELETE FROM statex.commits WHERE batch = 1", "the chain begins at 2"),
            ] {
                let copy = try JournalDatabase(copying: past.database)
                try copy.run(plant)
                let found = try copy.verify().violations
                #expect(found.contains { $0.contains(finds) }, "\(plant): \(found)")
            }
        }
    }
}

/// A journal of nine days, written by hand: six thousand jobs that ended on the first day, six of that
/// day that are wanted longer, and some each later day.
final class Past {
    static let firstDay: UInt64 = 20_000

    let database: JournalDatabase
    var maker: BatchMaker
    private let owner = Owner(number: 1, name: "test")
    /// Waits for its time with options; leased; failed once; and a request of three jobs: one was lost once,
    /// one ended on the last day, one on the first.
    private(set) var wanted: [UInt64] = []
    /// The lease that has not ended, of `wanted[1]`.
    private(set) var openToken: UInt64 = 0
    private(set) var finished: UInt64 = 0

    var wantedList: String { wanted.map(String.init).joined(separator: ", ") }

    init(firstBatch: UInt64 = 1) throws {
        database = try JournalDatabase()
        maker = BatchMaker(
            head: ChainHead(
                batch: firstBatch - 1, incarnation: 7, epoch: 1, nextID: Self.firstDay * 24 << 43, nextToken: 1,
                nextName: 10))
        if firstBatch > 1 {
            try database.run(
                "INSERT INTO statex.retired VALUES (0, 0, 0, 0, 0, 0, 0, \(firstBatch), 0, 0, 0, 0)")
        }
        let first = maker.lives(6_000)
        finished = first.jobs[17].id
        wanted = (0..<6).map { first.jobs[Int($0)].id + 6_000 }
        // Two of the thousands have results: one that leaves, and one of a job that is wanted.
        try write(first) { batch in
            batch.outcomes[17].result = 0
            batch.resultBytes.append([UInt8]([7]))
            batch.results.append(
                .init(
                    job: finished, token: batch.outcomes[17].token, ending: .succeeded, encoding: 0, start: 0, length: 1
                ))
        }
        let lives = maker.lives(6)
        try write(lives) { batch in
            batch.jobs[0].opts |= 1 << 45
            for index in 0..<3 {
                batch.jobs[3 + index].opts = JobOpts.pack(
                    index: UInt16(index), count: 3, priority: 5, attempts: 3, encoding: 0, hasOptions: false)
            }
            var options = JobOptions()
            options.runAt = time(day: 40, hour: 0)
            batch.options.append(.init(id: wanted[0], options: options, labels: []))
            openToken = batch.leases[1].token
            batch.leases.remove(at: 4)
            batch.leases.remove(at: 0)
            batch.outcomes.remove(at: 4)
            batch.outcomes.removeFirst(2)
            batch.outcomes[0].ending = .failed
            batch.outcomes[0].final = nil
            batch.outcomes[0].retry = 60
            batch.outcomes[0].result = 0
            batch.resultBytes.append([UInt8]([1, 65, 66]))
            batch.results.append(
                .init(job: wanted[2], token: batch.outcomes[0].token, ending: .failed, encoding: 0, start: 0, length: 3)
            )
            batch.outcomes[1].ending = .lost
            batch.outcomes[1].final = nil
        }
        for day in 1...8 as ClosedRange<UInt64> {
            maker.head.nextID = (Self.firstDay + day) * 24 << 43
            try write(maker.lives(10)) { batch in
                guard day == 8 else { return }
                batch.leases.append(lease(wanted[4], maker.head.nextToken))
                batch.outcomes.append(outcome(wanted[4], maker.head.nextToken))
            }
            maker.head.nextToken += 1
        }
    }

    func time(day: Int64, hour: Int64) -> Int64 { ((Int64(Self.firstDay) + day) * 24 + hour) * 3_600_000_000 }

    func lease(_ id: UInt64, _ token: UInt64) -> CommitBatch.LeaseRow {
        .init(id: id, token: token, worker: 3, attempt: 1, slot: 0, workerIndex: 0)
    }

    func outcome(_ id: UInt64, _ token: UInt64) -> CommitBatch.OutcomeRow {
        .init(
            id: id, token: token, started: 0.5, ended: 0.25, retry: -1, ending: .succeeded, final: .succeeded,
            result: -1, slot: 0)
    }

    /// One more commit, on the last day.
    func commit(_ change: (CommitBatch, inout BatchMaker) -> Void) throws {
        let batch = CommitBatch()
        var maker = maker
        change(batch, &maker)
        maker.number(batch)
        self.maker = maker
        try write(batch) { _ in }
    }

    private func write(_ batch: CommitBatch, _ change: (CommitBatch) -> Void) throws {
        change(batch)
        let connection = try database.connect()
        try Partitions.prepare(
            on: connection, at: batch.head.at, hour: batch.head.nextID >> 43, batch: batch.head.batch)
        try Statements.prepareCommit(on: connection)
        var writer = CommitWriter(owner: owner)
        writer.encode(batch)
        try writer.send(on: connection) { -1 }
    }
}
