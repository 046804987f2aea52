import StatexPostgres
import StatexProtocol
import StatexSchedulerCore
import Testing

@testable import StatexJournal

extension JournalTests {
    @Suite("Adopting a journal")
    struct AdoptTests {
        /// A journal with three commits whose owner is gone.
        private func abandoned() throws -> (JournalDatabase, ChainHead) {
            let database = try JournalDatabase()
            let settings = database.settings(owner: 1)
            let opened = try settings.open()
            var maker = BatchMaker(head: opened.head)
            let connection = opened.takeConnection()
            var writer = CommitWriter(owner: settings.owner)
            for _ in 0..<2 {
                writer.encode(maker.lives(2))
                try writer.send(on: connection) { -1 }
            }
            return (database, maker.head)
        }

        /// Waits for the end of whoever has just gone.
        private func settings(_ database: JournalDatabase) -> JournalSettings {
            var settings = database.settings(owner: 2, takesOver: false)
            settings.courtesySeconds = 30
            return settings
        }

        @Test("It gives a new incarnation, the next batch and epoch, and ids of an hour that has not come")
        func adopted() throws {
            let (database, before) = try abandoned()
            let (adoption, isDone) = try settings(database).adopt { _ in true }
            #expect(isDone && adoption.before == before)
            let after = adoption.after
            #expect(after.incarnation != before.incarnation && after.incarnation != 0)
            #expect(after.batch == before.batch + 1 && after.epoch == before.epoch + 1)
            #expect(after.nextToken == before.nextToken && after.nextName == before.nextName)
            #expect(JobID(rawValue: after.nextID).hour == JobID(rawValue: before.nextID).hour + 1)
            // The next owner goes on from there.
            let settings = database.settings(owner: 3)
            let opened = try settings.open()
            #expect(opened.head.incarnation == after.incarnation)
            #expect(opened.head.batch == after.batch + 1 && opened.head.epoch == after.epoch + 1)
            #expect(opened.head.nextID == after.nextID)
            var maker = BatchMaker(head: opened.head)
            let batch = maker.lives(2)
            var writer = CommitWriter(owner: settings.owner)
            writer.encode(batch)
            try writer.send(on: opened.connection) { -1 }
            let report = try database.verify()
            #expect(report.violations == [])
            #expect(report.jobs == 6 && report.commits == 6)
        }

        @Test("It can be done again, and each time is another incarnation")
        func again() throws {
            let (database, before) = try abandoned()
            let settings = settings(database)
            let first = try settings.adopt { _ in true }.adoption.after
            let second = try settings.adopt { _ in true }.adoption.after
            #expect(Set([before.incarnation, first.incarnation, second.incarnation]).count == 3)
            #expect(second.nextID > first.nextID)
        }

        @Test("While an owner is connected it is refused, and nothing changes")
        func owned() throws {
            let (database, _) = try abandoned()
            let owner = try database.settings(owner: 2).open()
            #expect {
                _ = try database.settings(owner: 3, takesOver: false).adopt { _ in true }
            } throws: { error in
                if case .held(let by)? = error as? AdoptError { return by.hasPrefix("owner 2") }
                return false
            }
            #expect(try Chain.end(owner.connection, shard: 0)?.head == owner.head)
        }

        @Test("Without a yes nothing changes")
        func refused() throws {
            let (database, before) = try abandoned()
            let (_, isDone) = try settings(database).adopt { _ in false }
            #expect(!isDone)
            #expect(try Chain.end(try database.connect(), shard: 0)?.head == before)
        }

        @Test("A database without commits has nothing to adopt")
        func empty() throws {
            let database = try JournalDatabase()
            #expect {
                _ = try settings(database).adopt { _ in true }
            } throws: { error in
                if case .nothingToAdopt? = error as? AdoptError { true } else { false }
            }
        }
    }
}
