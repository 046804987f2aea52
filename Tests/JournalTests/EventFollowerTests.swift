import EventPublisher
import StatexClient
import StatexEvents
import StatexProtocol
import StatexZeroMQ
import Testing

extension JournalTests {
    /// What is missing in what is published, is read in the journal.
    @Suite("Following events")
    struct EventFollowerTests {
        private let database: JournalDatabase
        private let publisher: EventPublisher
        private let context: ZeroMQContext
        private let endpoint = EventPublisher.endpoint()

        init() throws {
            context = try ZeroMQContext()
            database = try EventHistoryTests.journal()
            publisher = try EventPublisher(endpoint, in: context)
        }

        /// What it tells until it was told so many events, or of a gap.
        private func news(_ follower: inout EventFollower, events count: Int) throws -> EventFollower.News {
            var all = EventFollower.News()
            let until = ContinuousClock.now + .seconds(20)
            while ContinuousClock.now < until, all.others.count < count {
                let news = try follower.next(milliseconds: 100)
                all.others += news.all
                all.trouble = all.trouble ?? news.trouble
                if all.others.contains(where: \.isGap) { break }
            }
            return all
        }

        @Test("Who begins with now has a place as soon as it is said where the stream stands, and reads nothing")
        func now() throws {
            // A journal that nobody could read.
            var follower = EventFollower(endpoint, journal: "postgresql://nowhere.invalid/statex", in: context)
            #expect(try follower.next(milliseconds: 0).isEmpty && follower.place == nil)
            try publisher.waitForSubscriber()
            try publisher.publish(4, after: 4, id: nil, incarnation: 9)
            while follower.place == nil { #expect(try follower.next(milliseconds: 20_000).isEmpty) }
            #expect(follower.place == EventPlace(incarnation: 9, position: EventPosition(batch: 5)))
        }

        @Test("A gap is read for as long as that takes")
        func gap() throws {
            var follower = EventFollower(
                endpoint, journal: database.url, from: .at(9, EventPosition(batch: 2)), in: context)
            let news = try news(&follower, events: 36)
            #expect(news.others.count == 36 && news.trouble == nil)
            #expect(follower.place == EventPlace(incarnation: 9, position: EventPosition(batch: 5)))
        }

        @Test("Who may not be behind for so long gives up what is missing, says so, and hears what comes")
        func behind() throws {
            var follower = EventFollower(
                endpoint, journal: database.url, from: .at(9, EventPosition(batch: 2)), mostSecondsBehind: 0,
                in: context)
            let given = try news(&follower, events: 36)
            #expect(
                given.others == [
                    .gap(EventGap(incarnation: 9, from: EventPosition(batch: 2), to: EventPosition(batch: 5)))
                ])
            #expect(given.trouble == "the journal grows faster than it can be read")
            #expect(try follower.next(milliseconds: 0).isEmpty)
            try publisher.waitForSubscriber()
            try publisher.publish(5, after: 4, id: 70, incarnation: 9)
            guard case .event(let event) = try news(&follower, events: 1).others.first else {
                Issue.record("nothing was heard")
                return
            }
            #expect(event.sequence == EventSequence(incarnation: 9, batch: 5, index: 0))
        }
    }
}

extension EventNews {
    fileprivate var isGap: Bool { if case .gap = self { true } else { false } }
}
