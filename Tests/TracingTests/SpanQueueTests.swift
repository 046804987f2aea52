import StatexMetrics
import StatexProtocol
import StatexTracing
import Testing

@Suite struct SpanQueueTests {
    private func span(_ name: String = "a") -> Span {
        Span(name, .internal, context: .random(), parent: nil, start: 5, end: 4, attributes: [])
    }

    @Test func `spans come out in their order, a piece at a time`() {
        let queue = SpanQueue()
        for number in 0..<SpanQueue.pieceLength + 2 { queue.put(span("\(number)")) }
        let first = queue.take()
        #expect(first.count == SpanQueue.pieceLength && first.first?.name == "0")
        #expect(queue.take().map(\.name) == ["\(SpanQueue.pieceLength)", "\(SpanQueue.pieceLength + 1)"])
        #expect(queue.take().isEmpty && queue.waiting == 0)
    }

    @Test func `what has no room is left out, and counted`() {
        let queue = SpanQueue()
        for _ in 0..<SpanQueue.room + 3 { queue.put(span()) }
        #expect(queue.waiting == SpanQueue.room && queue.counts == SpanQueue.Counts(dropped: 3))
        var text = MetricsText()
        queue.write(to: &text)
        #expect(String(decoding: text.bytes, as: UTF8.self).contains(#"statex_spans_lost_total{reason="no_room"} 3"#))
    }

    @Test func `a full piece is called for at once`() async {
        let queue = SpanQueue()
        for _ in 0..<SpanQueue.pieceLength { queue.put(span()) }
        var calls = queue.calls.makeAsyncIterator()
        #expect(await calls.next() != nil)
    }

    @Test func `a span never ends before it began`() { #expect(span().end == 5) }
}
