import EventPublisher
import Foundation
import StatexClient
import StatexProtocol
import StatexZeroMQ
import Testing

/// A stream on a real socket.
@Suite struct EventStreamTests {
    @Test func eventsAndGapsArriveInOrder() async throws {
        let endpoint = EventPublisher.endpoint()
        let stream = try EventStream(endpoint)
        let news = Task {
            var news: [EventNews] = []
            for await one in stream {
                news.append(one)
                if news.count == 3 { break }
            }
            return news
        }
        let publisher = try EventPublisher(endpoint, in: ZeroMQContext())
        try publisher.waitForSubscriber()
        try publisher.publish(4, after: 3, id: 70)
        try publisher.publish(9, after: 6, id: 71)
        let heard = await news.value
        let sequences = heard.compactMap { one -> String? in
            if case .event(let event) = one { return "\(event.sequence) \(event.kind) \(event.jobs ?? 0)" }
            return nil
        }
        #expect(sequences == ["5-4-0 text 3", "5-9-0 text 3"])
        #expect(
            heard[1]
                == .gap(
                    EventGap(incarnation: 5, from: EventPosition(batch: 5), to: EventPosition(batch: 7))))
    }

    @Test func aReaderThatIsCancelledEnds() async throws {
        let stream = try EventStream(EventPublisher.endpoint())
        let task = Task { for await _ in stream {} }
        task.cancel()
        await task.value
    }

    @Test func whoIsTooSlowMissesMessagesAndSeesWhichWhileThePublisherGoesOn() throws {
        let endpoint = EventPublisher.endpoint()
        let context = try ZeroMQContext()
        let publisher = try EventPublisher(endpoint, in: context)
        var receiver = EventReceiver(endpoint, in: context)
        #expect(try receiver.next(milliseconds: 0) == nil)
        try publisher.waitForSubscriber()
        // More than all buffers on the way hold, and nobody reads.
        let last: UInt64 = 20_000
        for batch in 1...last { try publisher.publish(batch, after: batch - 1, id: batch) }
        var cursor = EventCursor()
        cursor.begin(5, at: EventPosition(batch: 1))
        var (heard, missed) = (0, 0)
        func take(_ message: EventMessage) {
            for news in cursor.news(of: message) {
                switch news {
                case .event: heard += 1
                case .gap(let gap): missed += Int(gap.to.batch - gap.from.batch)
                case .worker, .journalChanged: Issue.record("\(news)")
                }
            }
        }
        while let message = try receiver.next(milliseconds: 300) { take(message) }
        try publisher.publish(last + 1, after: last, id: 1)
        take(try #require(try receiver.next(milliseconds: 20_000)))
        #expect(missed > 0)
        #expect(heard + missed == Int(last) + 1)
    }

    @Test func whoDidNotReadForLongHasWhatCameMeanwhile() throws {
        let endpoint = EventPublisher.endpoint()
        let context = try ZeroMQContext()
        let publisher = try EventPublisher(endpoint, in: context)
        var receiver = EventReceiver(endpoint, silenceNanoseconds: 1_000_000, in: context)
        #expect(try receiver.next(milliseconds: 0) == nil)
        try publisher.waitForSubscriber()
        for batch in 1...3 as ClosedRange<UInt64> { try publisher.publish(batch, after: batch - 1, id: batch) }
        // Longer than a silent connection is kept.
        Thread.sleep(forTimeInterval: 0.05)
        for batch in 1...3 as ClosedRange<UInt64> {
            guard case .events(let part) = try receiver.next(milliseconds: 20_000) else {
                Issue.record("no events of commit \(batch)")
                return
            }
            #expect(part.head.batch == batch)
        }
    }

    @Test func aSequenceIsReadAsItIsWritten() {
        let sequence = EventSequence(incarnation: 0xFEED_0000_0000_0001, batch: 12, index: 3)
        #expect(sequence.description == "feed000000000001-12-3")
        #expect(EventSequence(sequence.description) == sequence)
        for text in ["", "1-2", "1-2-3-4", "0-1-1", "x-1-1", "1--1", "1-1-4294967296", "5m"] {
            #expect(EventSequence(text) == nil, "\(text)")
        }
    }
}
