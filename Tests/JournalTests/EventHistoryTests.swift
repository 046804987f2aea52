import StatexClient
import StatexEvents
import StatexProtocol
import StatexSchedulerCore
import Testing

@testable import StatexJournal

extension JournalTests {
    /// Where events begin and end in a journal. (That they are right: `SimulatedJournalTests`.)
    @Suite("Events in the journal")
    struct EventHistoryTests {
        private static let hour: UInt64 = 480_000
        private static let at = Int64(hour) * 3_600_000_000

        /// A journal of four commits, each the whole life of three jobs.
        static func journal() throws -> JournalDatabase {
            let database = try JournalDatabase()
            let connection = try database.connect()
            try Statements.prepareCommit(on: connection)
            try Partitions.prepare(on: connection, at: Self.at, hour: Self.hour, batch: 1)
            var maker = BatchMaker(
                head: ChainHead(
                    batch: 0, incarnation: 9, epoch: 1, nextID: Self.hour << 43, nextToken: 1, nextName: 4))
            for _ in 0..<4 {
                var writer = CommitWriter(owner: Owner(number: 1, name: "owner"))
                writer.encode(maker.lives(3))
                try writer.send(on: connection) { -1 }
            }
            return database
        }

        @Test("They reach from the first commit to behind the last, and any part of them can be read")
        func range() throws {
            var history = try EventHistory(url: try Self.journal().url)
            let place = try #require(try history.place(of: .time(0)))
            #expect(place.from == EventPosition(batch: 1) && place.end == EventPosition(batch: 5))
            let all = try history.events(from: place.from, to: place.end).events
            #expect(all.count == 4 * 3 * 4)
            #expect(Set(all.map(\.sequence)).count == all.count)
            let part = try history.events(
                from: EventPosition(batch: 2, index: 7), to: EventPosition(batch: 4, index: 1)
            ).events
            #expect(part == Array(all[(12 + 7)..<(36 + 1)]))
            #expect(part.first?.sequence == EventSequence(incarnation: 9, batch: 2, index: 7))
        }

        @Test("A time is found by its commit, and one that has not come is behind all")
        func time() throws {
            let history = try EventHistory(url: try Self.journal().url)
            #expect(try history.position(at: Self.at) == EventPosition(batch: 1))
            #expect(try history.position(at: Self.at + 1) == EventPosition(batch: 5))
        }

        @Test("Commits of which retention took rows are not told as if they were whole")
        func retention() throws {
            let database = try Self.journal()
            try database.run(
                """
                INSERT INTO statex.retired VALUES (1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0)
                """)
            let history = try EventHistory(url: database.url)
            #expect(try history.start() == EventPosition(batch: 3))
        }

        @Test("Who comes from the journal before a restore goes on where the restored one begins, if it was past that")
        func restored() throws {
            let database = try Self.journal()
            try database.run("UPDATE statex.commits SET incarnation = 11 WHERE batch >= 3")
            let history = try EventHistory(url: database.url)
            let past = try #require(
                try history.place(of: .after(EventSequence(incarnation: 9, batch: 70, index: 0))))
            #expect(past.from == EventPosition(batch: 3) && past.left == 9 && past.incarnation == 11)
            let before = try #require(
                try history.place(of: .after(EventSequence(incarnation: 9, batch: 1, index: 4))))
            #expect(before.from == EventPosition(batch: 1, index: 5))
        }
    }
}
