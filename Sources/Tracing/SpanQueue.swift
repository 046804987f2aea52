import StatexMetrics
import Synchronization

/// Spans that wait to be sent away: so many and no more. Putting one in never waits; what has no room is counted and
/// left out.
package final class SpanQueue: Sendable {
    /// About 500 bytes each: 4 MiB.
    package static let room = 8_192
    /// What goes away in one piece, and what is worth a piece of its own before its time.
    package static let pieceLength = 512

    /// Since the process began.
    package struct Counts: Sendable, Equatable {
        package var sent: UInt64
        /// There was no room.
        package var dropped: UInt64
        /// The receiver would not have them.
        package var refused: UInt64
        /// It was not there, or not in time.
        package var undelivered: UInt64

        package init(sent: UInt64 = 0, dropped: UInt64 = 0, refused: UInt64 = 0, undelivered: UInt64 = 0) {
            self.sent = sent
            self.dropped = dropped
            self.refused = refused
            self.undelivered = undelivered
        }
    }

    private struct State {
        var spans: [Span] = []
        var counts = Counts()
    }

    private let state = Mutex(State())
    /// One for each time that there is something to do.
    package let calls: AsyncStream<Void>
    private let caller: AsyncStream<Void>.Continuation

    package init() {
        // That it was called is all that a call says.
        (calls, caller) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package func put(_ span: Span) {
        let isPiece = state.withLock { state in
            guard state.spans.count < Self.room else {
                state.counts.dropped += 1
                return false
            }
            state.spans.append(span)
            return state.spans.count % Self.pieceLength == 0
        }
        if isPiece { call() }
    }

    /// Has what waits sent away.
    package func call() { caller.yield() }

    /// The oldest.
    package func take() -> [Span] {
        state.withLock { state in
            let piece = Array(state.spans.prefix(Self.pieceLength))
            state.spans.removeFirst(piece.count)
            return piece
        }
    }

    /// What was taken and not sent goes first again.
    package func restore(_ spans: [Span]) { state.withLock { $0.spans.insert(contentsOf: spans, at: 0) } }

    package func count(_ change: (inout Counts) -> Void) { state.withLock { change(&$0.counts) } }

    package var counts: Counts { state.withLock { $0.counts } }
    package var waiting: Int { state.withLock { $0.spans.count } }
}

extension SpanQueue {
    package func write(to text: inout MetricsText) {
        let (counts, waiting) = (counts, waiting)
        text.counter("statex_spans_sent_total", "Spans that the collector took.", counts.sent)
        text.counter(
            "statex_spans_lost_total", "Spans that it did not get, and why.",
            [
                ([("reason", "no_room")], counts.dropped), ([("reason", "refused")], counts.refused),
                ([("reason", "undelivered")], counts.undelivered),
            ])
        text.gauge("statex_spans_waiting", "Spans that wait to be sent.", Double(waiting))
    }
}
