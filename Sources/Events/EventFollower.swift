import CLinux
import StatexClient
import StatexKeys
import StatexPostgres
import StatexProtocol
import StatexZeroMQ

/// The events of a journal from some place on and for ever: heard where they are published, and read in the journal
/// where something is missing. Each comes once, in order. Blocking, and for one thread.
package struct EventFollower: ~Copyable {
    /// What came next. A gap in it could not be filled, and `trouble` says why.
    package struct News: Sendable {
        /// Events that were heard.
        package var part: EventPart?
        /// Everything else: what was read in the journal, too.
        package var others: [EventNews] = []
        package var trouble: String?

        package init(part: EventPart) { self.part = part }

        package init(_ others: [EventNews] = [], trouble: String? = nil) {
            self.others = others
            self.trouble = trouble
        }

        package var isEmpty: Bool { part == nil && others.isEmpty }

        /// For who wants to know everything.
        package var all: [EventNews] { (part.map { $0.events.map { .event($0) } } ?? []) + others }
    }

    private let url: String
    private let patience: Int64
    private let mostBehind: Int64
    /// Where to start is yet to be found out.
    private var start: EventStart
    private var receiver: EventReceiver
    private var cursor = EventCursor()
    private var history: EventHistory?
    /// A part whose events are not all told yet, and what is missing before them.
    private var held: EventPart?
    private var gap: EventGap?
    private var troubledSince: Int64?
    /// Since when one gap has come right after the other, and when the last was filled.
    private var behindSince: Int64?
    private var filledAt: Int64 = 0

    /// Who hears no gap for so long is not behind any more.
    private static let calm: Int64 = 2_000_000_000

    /// - Parameters:
    ///   - url: of the journal.
    ///   - patienceSeconds: so long a journal that is not there is waited for before a gap is told.
    ///   - mostSecondsBehind: a journal that grows faster than it can be read is read for so long, then what is missing
    ///     is told as a gap; nil: it is read for as long as that takes.
    package init(
        _ endpoint: String, keys: PeerKeys? = nil, journal url: String, from start: EventStart = .now,
        patienceSeconds: Int64 = 30, mostSecondsBehind: Int64? = nil,
        in context: ZeroMQContext
    ) {
        self.url = url
        self.start = start
        patience = patienceSeconds * 1_000_000_000
        mostBehind = mostSecondsBehind.map { $0 * 1_000_000_000 } ?? .max
        receiver = EventReceiver(endpoint, keys: keys, in: context)
    }

    /// Up to where everything was told; nil: nothing was heard yet.
    package var place: EventPlace? {
        cursor.position.map { EventPlace(incarnation: cursor.incarnation, position: $0) }
    }

    /// What comes next; nothing, if nothing came in this time.
    package mutating func next(milliseconds: Int, or wakeup: Wakeup? = nil) throws(ZeroMQError) -> News {
        do throws(PostgresError) {
            if let first = try begin() { return first }
            if let gap { return try fill(gap) }
        } catch {
            return try troubled(error, wakeup)
        }
        if held == nil {
            guard let message = try receiver.next(milliseconds: milliseconds, or: wakeup) else { return News() }
            switch message {
            case .workers(let events): return News(events.map { .worker($0) })
            case .events(let part): held = part
            }
        }
        guard let part = held else { return News() }
        switch cursor.look(at: part) {
        case .nothing:
            held = nil
            return News()
        case .gap(let gap):
            miss(gap)
            return News()
        case .journalChanged(let before, let position):
            start = position.map { .at(before, $0) } ?? .now
            return News(position == nil ? [.journalChanged(from: before, to: part.incarnation)] : [])
        case .events(let first):
            held = nil
            return News(part: part.from(first))
        }
    }

    // MARK: The journal

    /// Finds the place to start from; what stands in the journal from there on is a gap.
    private mutating func begin() throws(PostgresError) -> News? {
        if case .now = start { return nil }
        if history == nil { history = try EventHistory(url: url) }
        let place = try history?.place(of: start)
        start = .now
        guard let place else { return nil }
        cursor.begin(place.incarnation, at: place.from)
        if place.from < place.end {
            miss(EventGap(incarnation: place.incarnation, from: place.from, to: place.end))
        }
        return News(
            place.left.map { [.journalChanged(from: $0, to: place.incarnation)] } ?? [])
    }

    /// What is published while a gap is filled waits in the socket; more of it than fits there is the next gap.
    private mutating func miss(_ gap: EventGap) {
        let now = clinux_monotonic_nanoseconds()
        if behindSince == nil || now - filledAt > Self.calm { behindSince = now }
        self.gap = gap
    }

    private mutating func fill(_ gap: EventGap) throws(PostgresError) -> News {
        if history == nil { history = try EventHistory(url: url) }
        let kept = try history?.start() ?? gap.from
        if gap.from < kept { return giveUp(gap, to: min(kept, gap.to), "retention took them") }
        if let behindSince, clinux_monotonic_nanoseconds() - behindSince > mostBehind {
            return giveUp(gap, to: gap.to, "the journal grows faster than it can be read")
        }
        guard let found = try history?.events(from: gap.from, to: gap.to) else { return News() }
        troubledSince = nil
        reached(found.reached, of: gap)
        return News(found.events.map { .event($0) })
    }

    private mutating func giveUp(_ gap: EventGap, to end: EventPosition, _ trouble: String) -> News {
        reached(end, of: gap)
        let lost = EventGap(incarnation: gap.incarnation, from: gap.from, to: end)
        return News([.gap(lost)], trouble: trouble)
    }

    private mutating func reached(_ position: EventPosition, of gap: EventGap) {
        cursor.filled(to: position)
        self.gap = position < gap.to ? EventGap(incarnation: gap.incarnation, from: position, to: gap.to) : nil
        if self.gap == nil { filledAt = clinux_monotonic_nanoseconds() }
    }

    /// The journal is away: it is asked again for a while, then what it would have said is given up.
    private mutating func troubled(_ error: PostgresError, _ wakeup: Wakeup?) throws(ZeroMQError) -> News {
        history = nil
        let now = clinux_monotonic_nanoseconds()
        let since = troubledSince ?? now
        troubledSince = since
        guard now - since >= patience else {
            var poller = Poller()
            if let wakeup { poller.add(descriptor: wakeup.descriptor) }
            _ = try poller.wait(milliseconds: 500)
            return News(trouble: error.description)
        }
        troubledSince = nil
        if let gap { return giveUp(gap, to: gap.to, error.description) }
        // From a place that was had, the first message shows a gap. That of a time is not known: the stream begins
        // where it is.
        if case .at(let incarnation, let position) = start { cursor.begin(incarnation, at: position) }
        start = .now
        return News(trouble: error.description)
    }
}
