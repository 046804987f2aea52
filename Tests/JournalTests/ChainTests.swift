import StatexHandOff
import StatexPostgres
import StatexProtocol
import StatexSchedulerCore
import StatexThreads
import Testing

@testable import StatexJournal

/// The thread that commits, with what a test needs around it.
private final class CommitThread {
    let handOff: HandOff
    private let thread: NamedThread
    /// What it told besides commits.
    private(set) var downs = 0
    /// What it said for the log.
    let said: Mailbox<String>

    init(_ opened: consuming sending OpenedJournal, _ settings: JournalSettings) throws {
        let handOff = try HandOff()
        let said = Mailbox<String>(wakeup: try Wakeup())
        let moved = Moved(Committer(opened, settings: settings, handOff: handOff) { said.put($0) })
        self.said = said
        self.handOff = handOff
        thread = NamedThread("journal") {
            if var committer = moved.take() { committer.run() }
        }
    }

    func order(_ batch: CommitBatch) { handOff.commits.put(.commit(Lent(batch))) }

    /// Waits for the end of the commit that was ordered; nil: it is durable.
    func wait() throws -> StepDown? {
        for _ in 0..<600 {
            handOff.eventWakeup.wait(milliseconds: 100)
            for event in handOff.events.takeAll() {
                switch event {
                case .committed: return nil
                case .stepDown(let reason): return reason
                case .down: downs += 1
                case .up, .owned, .read: break
                }
            }
        }
        throw PostgresError(doing: "test", state: nil, message: "no end of a commit within a minute")
    }

    func commit(_ batch: CommitBatch) throws -> StepDown? {
        order(batch)
        return try wait()
    }

    func stop() {
        handOff.commits.put(.stop)
        thread.join()
    }
}

extension JournalTests {
    @Suite("The chain")
    struct ChainTests {
        private func started(_ database: JournalDatabase) throws -> (CommitThread, BatchMaker, JournalSettings) {
            let settings = database.settings(owner: 1)
            let opened = try settings.open()
            let maker = BatchMaker(head: opened.head)
            return (try CommitThread(opened, settings), maker, settings)
        }

        private func batches(_ database: JournalDatabase) throws -> String {
            try database.query("SELECT string_agg(batch || ':' || epoch, ' ' ORDER BY batch) FROM statex.commits")
        }

        private let killJournal =
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'statex journal' AND datname = current_database()"

        @Test("A new owner appends to the chain; the old one's next commit is refused, and it steps down")
        func fenced() throws {
            let database = try JournalDatabase()
            var (old, maker, _) = try started(database)
            #expect(try old.commit(maker.lives(3)) == nil)
            let opened = try database.settings(owner: 2).open()
            #expect(opened.head.epoch == 2)
            #expect(opened.head.batch == 3)
            #expect(opened.head.nextID == maker.head.nextID)
            let reason = try #require(try old.commit(maker.lives(3)))
            guard case .fenced = reason else {
                Issue.record("stepped down for another reason: \(reason)")
                return
            }
            #expect(try database.query("SELECT count(*) FROM statex.jobs") == "3")
            #expect(try batches(database) == "1:1 2:1 3:2")
            old.stop()
        }

        @Test("An owner that is connected is asked for politely")
        func courtesy() throws {
            let database = try JournalDatabase()
            let (old, _, _) = try started(database)
            #expect {
                _ = try database.settings(owner: 2, takesOver: false).open()
            } throws: { error in
                if case .held(let owner)? = error as? JournalOpenError { return owner.hasPrefix("owner 1") }
                return false
            }
            old.stop()
            #expect(try batches(database) == "1:1")
        }

        @Test("A commit that finds its connection gone is sent again and happens once")
        func connectionLost() throws {
            let database = try JournalDatabase()
            var (owner, maker, _) = try started(database)
            try database.run(killJournal)
            #expect(try owner.commit(maker.lives(5)) == nil)
            #expect(owner.downs > 0)
            #expect(try owner.commit(maker.lives(5)) == nil)
            let said = owner.said.takeAll()
            #expect(said.count == 2, "once when it goes, once when it is back: \(said)")
            #expect(said.first?.hasPrefix("the journal is down: ") == true && said.last == "the journal is back")
            #expect(try database.query("SELECT count(*) FROM statex.jobs") == "10")
            #expect(try batches(database) == "1:1 2:1 3:1")
            owner.stop()
        }

        @Test("A commit whose first try did happen is known by its row")
        func happenedBefore() throws {
            let database = try JournalDatabase()
            var (owner, maker, settings) = try started(database)
            let batch = maker.lives(5)
            // The first try: the same owner's bytes, whose answer nobody heard.
            var writer = CommitWriter(owner: settings.owner)
            writer.encode(batch)
            let first = try database.connect()
            try Statements.prepareCommit(on: first)
            try writer.send(on: first) { -1 }
            #expect(try owner.commit(batch) == nil)
            #expect(try owner.commit(maker.lives(5)) == nil)
            #expect(try database.query("SELECT count(*) FROM statex.jobs") == "10")
            owner.stop()
        }

        @Test("A try that is still under way is waited for, and its end decides", arguments: [true, false])
        func happensLater(itHappens: Bool) throws {
            let database = try JournalDatabase()
            var (owner, maker, settings) = try started(database)
            let batch = maker.lives(5)
            // A backend that lost its client in the middle holds the chain's row.
            let orphan = try database.connect()
            try orphan.run("BEGIN", doing: "test")
            let held = try orphan.query(
                """
                INSERT INTO statex.commits (shard, batch, incarnation, epoch, at, next_id, next_token, next_name, owner_number,
                    backend_pid, jobs, leases, outcomes, results, checksum)
                VALUES (0, \(batch.head.batch), \(Int64(bitPattern: batch.head.incarnation)), \(batch.head.epoch), 0, 1, 1, 1,
                    \(settings.owner.number), 0, 0, 0, 0, 0, 0)
                """, doing: "test")
            _ = consume held
            owner.order(batch)
            try database.waitUntil(
                "count(*) = 1 FROM pg_stat_activity WHERE application_name = 'statex journal' AND wait_event_type = 'Lock' AND datname = current_database()"
            )
            try orphan.run(itHappens ? "COMMIT" : "ROLLBACK", doing: "test")
            #expect(try owner.wait() == nil)
            #expect(try database.query("SELECT count(*) FROM statex.jobs") == (itHappens ? "0" : "5"))
            #expect(try batches(database) == "1:1 2:1")
            owner.stop()
        }

        /// What a restore or a failover does, behind the owner's back.
        private func setBack(_ database: JournalDatabase, to batch: Int) throws {
            for table in ["commits", "jobs", "lease_chunks", "outcome_chunks"] {
                try database.run("DELETE FROM statex.\(table) WHERE batch > \(batch)")
            }
        }

        /// Commits 2 to 4, of two jobs each, and the ids of the last two.
        private func acknowledged(_ owner: CommitThread, _ maker: inout BatchMaker) throws -> Range<UInt64> {
            #expect(try owner.commit(maker.lives(2)) == nil)
            let first = maker.head.nextID
            for _ in 0..<2 { #expect(try owner.commit(maker.lives(2)) == nil) }
            return first..<maker.head.nextID
        }

        @Test("A journal that lost commits is noticed after a reconnect, and the jobs that vanished are named")
        func wentBackwards() throws {
            let database = try JournalDatabase()
            var (owner, maker, _) = try started(database)
            let vanished = try acknowledged(owner, &maker)
            try setBack(database, to: 2)
            try database.run(killJournal)
            let reason = try #require(try owner.commit(maker.lives(2)))
            #expect(reason == .wentBackwards(LostCommits(acknowledged: 4, left: 2, jobs: [vanished])))
            owner.stop()
        }

        @Test("An idle owner notices by itself that its journal lost commits")
        func wentBackwardsIdle() throws {
            let database = try JournalDatabase()
            var (owner, maker, _) = try started(database)
            let vanished = try acknowledged(owner, &maker)
            try setBack(database, to: 2)
            #expect(
                try owner.wait() == .wentBackwards(LostCommits(acknowledged: 4, left: 2, jobs: [vanished])))
            owner.stop()
        }

        @Test("Commits that were lost are named also when another owner went on from what was left")
        func wentBackwardsAndOn() throws {
            let database = try JournalDatabase()
            var (owner, maker, _) = try started(database)
            let vanished = try acknowledged(owner, &maker)
            try setBack(database, to: 2)
            // It makes commit 3 its own, and then as many as the first one had.
            let settings = database.settings(owner: 2)
            let opened = try settings.open()
            #expect(opened.head.batch == 3)
            var other = BatchMaker(head: opened.head)
            let successor = try CommitThread(opened, settings)
            #expect(try successor.commit(other.lives(2)) == nil)
            #expect(try successor.commit(other.lives(2)) == nil)
            let reason = try #require(try owner.commit(maker.lives(2)))
            #expect(reason == .wentBackwards(LostCommits(acknowledged: 4, left: 2, jobs: [vanished])))
            owner.stop()
            successor.stop()
        }

        @Test("A journal that was set back to before its owner names what earlier owners gave, too")
        func wentBackBeforeTheOwner() throws {
            let database = try JournalDatabase()
            let settings = database.settings(owner: 1)
            let opened = try settings.open()
            let beginning = opened.head.nextID
            var maker = BatchMaker(head: opened.head)
            let first = try CommitThread(opened, settings)
            _ = try acknowledged(first, &maker)
            first.stop()
            let next = database.settings(owner: 2)
            let reopened = try next.open()
            var nextMaker = BatchMaker(head: reopened.head)
            let second = try CommitThread(reopened, next)
            #expect(try second.commit(nextMaker.lives(3)) == nil)
            try setBack(database, to: 1)
            try database.run(killJournal)
            let reason = try #require(try second.commit(nextMaker.lives(1)))
            #expect(
                reason
                    == .wentBackwards(
                        LostCommits(acknowledged: 6, left: 1, jobs: [beginning..<nextMaker.head.nextID - 1])))
            second.stop()
        }

        @Test("Backends that die at any moment lose nothing and double nothing")
        func backendsDie() throws {
            let database = try JournalDatabase()
            var (owner, maker, _) = try started(database)
            let killer = try database.connect()
            var random = SeededGenerator(seed: 5)
            for _ in 0..<60 {
                owner.order(maker.lives(20, payload: [UInt8](repeating: 9, count: 2_000)))
                if random.next() % 3 == 0 {
                    let nap = try killer.query(
                        "SELECT pg_sleep(\(Double(random.next() % 4_000) / 1_000_000))", doing: "test")
                    _ = consume nap
                    let killed = try killer.query(killJournal, doing: "test")
                    _ = consume killed
                }
                #expect(try owner.wait() == nil)
            }
            owner.stop()
            #expect(owner.downs > 0)
            let report = try database.verify()
            #expect(report.violations == [])
            #expect(report.commits == 61)
            #expect(report.jobs == 1_200)
            #expect(report.finals == 1_200)
        }

        @Test("An owner with nothing to commit hears of the new one from the reading thread")
        func watched() throws {
            let database = try JournalDatabase()
            let first = try database.settings(owner: 1).open()
            let epoch = first.head.epoch
            let handOff = try HandOff()
            let url = database.url
            let reading = NamedThread("reader") {
                var reader = Reader(url: url, keyDays: 7, epoch: epoch, handOff: handOff) { _ in }
                reader.run()
            }
            _ = try database.settings(owner: 2).open().head
            // Anything wakes it.
            handOff.reads.put(.keys([], unique: [], tag: 1))
            var reason: StepDown?
            for _ in 0..<600 where reason == nil {
                handOff.eventWakeup.wait(milliseconds: 100)
                for event in handOff.events.takeAll() {
                    if case .stepDown(let why) = event { reason = why }
                }
            }
            guard case .fenced? = reason else {
                Issue.record("not told: \(String(describing: reason))")
                return
            }
            handOff.reads.put(.stop)
            reading.join()
        }

        @Test("The journal's names may repeat for a worker, and for nothing else")
        func names() throws {
            let database = try JournalDatabase()
            var (owner, maker, _) = try started(database)
            func batch(_ family: NameFamily, _ number: UInt32) -> CommitBatch {
                let batch = CommitBatch()
                batch.names.append(.init(number: number, family: family, name: "same"))
                maker.number(batch)
                return batch
            }
            #expect(try owner.commit(batch(.worker, 1)) == nil)
            #expect(try owner.commit(batch(.worker, 2)) == nil)
            #expect(try owner.commit(batch(.kind, 3)) == nil)
            let reason = try owner.commit(batch(.kind, 4))
            guard case .broken? = reason else {
                Issue.record("a kind got two numbers: \(String(describing: reason))")
                return
            }
            owner.stop()
        }
    }
}
