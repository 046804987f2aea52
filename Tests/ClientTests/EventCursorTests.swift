import StatexClient
import StatexProtocol
import Testing

/// What a subscriber makes of what reaches it.
@Suite struct EventCursorTests {
    private static let journal: UInt64 = 0xA1

    private func part(
        _ batch: UInt64, after: UInt64, first: Int = 0, count: Int = 2, total: Int? = nil,
        journal: UInt64 = EventCursorTests.journal, epoch: UInt32 = 1
    ) -> EventPart {
        let head = EventsHead(
            batch: batch, after: after, first: first, total: total ?? (first + count), at: 0, shard: 0)
        let packed = (0..<count).map { offset in
            EventPart.Packed(
                index: UInt32(first + offset),
                EventRecord(.jobLeased, id: 7, request: 7, at: 0, kind: 0, tenant: 1, number: 1))
        }
        return EventPart(
            incarnation: journal, epoch: epoch, head: head, count: UInt32(count), packed: packed,
            names: ["text", "acme"])
    }

    /// As `event 5-0`, `gap 3-0 to 5-0`.
    private func hear(_ cursor: inout EventCursor, _ part: EventPart) -> [String] {
        cursor.news(of: .events(part)).map { news in
            switch news {
            case .event(let event): "event \(event.sequence.batch)-\(event.sequence.index)"
            case .gap(let gap): "gap \(gap.from.batch)-\(gap.from.index) to \(gap.to.batch)-\(gap.to.index)"
            case .journalChanged(let before, let after): "journal \(before) to \(after)"
            case .worker: "worker"
            }
        }
    }

    @Test func whatFollowsHasNoGapAlsoIfCommitsBetweenHadNoEvents() {
        var cursor = EventCursor()
        #expect(hear(&cursor, part(5, after: 2)) == ["event 5-0", "event 5-1"])
        #expect(hear(&cursor, part(9, after: 5, count: 1)) == ["event 9-0"])
    }

    @Test func whatWasLostIsAGapFromWhereItWasHad() {
        var cursor = EventCursor()
        _ = hear(&cursor, part(5, after: 4))
        #expect(hear(&cursor, part(9, after: 7, count: 1)) == ["gap 6-0 to 8-0", "event 9-0"])
        #expect(hear(&cursor, part(10, after: 9, count: 1)) == ["event 10-0"])
    }

    @Test func partsOfACommitFollowEachOtherAndALostOneIsAGap() {
        var cursor = EventCursor()
        #expect(hear(&cursor, part(5, after: 4, first: 0, count: 2, total: 6)) == ["event 5-0", "event 5-1"])
        #expect(
            hear(&cursor, part(5, after: 4, first: 4, count: 2, total: 6))
                == ["gap 5-2 to 5-4", "event 5-4", "event 5-5"])
        #expect(hear(&cursor, part(6, after: 5, count: 1)) == ["event 6-0"])
        // The last part is lost.
        _ = hear(&cursor, part(7, after: 6, first: 0, count: 1, total: 2))
        #expect(hear(&cursor, part(8, after: 7, count: 1)) == ["gap 7-1 to 8-0", "event 8-0"])
    }

    @Test func whatWasHadIsNotHeardTwice() {
        var cursor = EventCursor(after: EventSequence(incarnation: Self.journal, batch: 5, index: 0))
        #expect(hear(&cursor, part(5, after: 4)) == ["event 5-1"])
        #expect(hear(&cursor, part(5, after: 4)) == [])
        #expect(hear(&cursor, part(4, after: 3)) == [])
    }

    @Test func whereTheStreamStandsShowsWhatWasLostThoughNothingFollows() {
        var cursor = EventCursor()
        #expect(hear(&cursor, part(5, after: 3, count: 0)) == [])
        #expect(cursor.position == EventPosition(batch: 6))
        #expect(hear(&cursor, part(8, after: 7, count: 0)) == ["gap 6-0 to 8-0"])
        #expect(hear(&cursor, part(8, after: 7, count: 0)) == [])
        #expect(cursor.position == EventPosition(batch: 9))
    }

    @Test func aReaderThatComesBackSeesAllThatItMissed() {
        var cursor = EventCursor(after: EventSequence(incarnation: Self.journal, batch: 5, index: 3))
        #expect(hear(&cursor, part(9, after: 9, count: 0)) == ["gap 5-4 to 10-0"])
    }

    @Test func aSchedulerThatWasReplacedIsNotHeard() {
        var cursor = EventCursor()
        _ = hear(&cursor, part(5, after: 4, epoch: 2))
        #expect(hear(&cursor, part(6, after: 5, epoch: 1)) == [])
        #expect(hear(&cursor, part(6, after: 5, count: 1, epoch: 2)) == ["event 6-0"])
    }

    @Test func anotherJournalIsToldAndTheOneThatWasLeftIsNeverHeardAgain() {
        var cursor = EventCursor()
        _ = hear(&cursor, part(50, after: 49))
        #expect(hear(&cursor, part(9, after: 8, count: 1, journal: 0xB2)) == ["journal 161 to 178", "event 9-0"])
        #expect(hear(&cursor, part(51, after: 50)) == [])
        #expect(hear(&cursor, part(10, after: 9, count: 1, journal: 0xB2)) == ["event 10-0"])
    }
}
