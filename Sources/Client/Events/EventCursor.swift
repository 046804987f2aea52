import StatexProtocol

/// How far a subscriber is in a journal: it has every event before this place.
public struct EventPosition: Sendable, Equatable, Comparable {
    public var batch: UInt64
    /// Of the commit's events, the first that it does not have.
    public var index: UInt32

    public init(batch: UInt64, index: UInt32 = 0) {
        self.batch = batch
        self.index = index
    }

    /// Behind an event.
    public init(after sequence: EventSequence) { self.init(batch: sequence.batch, index: sequence.index + 1) }

    public static func < (left: EventPosition, right: EventPosition) -> Bool {
        left.batch != right.batch ? left.batch < right.batch : left.index < right.index
    }
}

/// Events that did not arrive: those from one place up to another. The journal has them, as long as it keeps them.
public struct EventGap: Sendable, Equatable {
    public var incarnation: UInt64
    public var from: EventPosition
    public var to: EventPosition

    public init(incarnation: UInt64, from: EventPosition, to: EventPosition) {
        self.incarnation = incarnation
        self.from = from
        self.to = to
    }
}

/// What a subscriber makes of the messages that reach it, some of them twice and some not at all. Pure.
package struct EventCursor: Sendable {
    package enum Step: Sendable, Equatable {
        /// It was had before, or is of a scheduler that was replaced.
        case nothing
        /// The journal was restored: what the stream goes on with is another one. It was had up to there, and how far
        /// the other one is had is not known yet.
        case journalChanged(from: UInt64, at: EventPosition?)
        /// Events are missing; afterwards, all the events of the part.
        case gap(EventGap)
        /// The events of the part from this index on.
        case events(from: UInt32)
    }

    /// 0: none is known yet.
    package private(set) var incarnation: UInt64 = 0
    package private(set) var position: EventPosition?
    private var epoch: UInt32 = 0
    private var left: Set<UInt64> = []

    package init() {}

    /// Behind the last event that somebody had.
    package init(after sequence: EventSequence) {
        incarnation = sequence.incarnation
        position = EventPosition(after: sequence)
    }

    /// The events of this journal incarnation are had up to there.
    package mutating func begin(_ incarnation: UInt64, at position: EventPosition) {
        if self.incarnation != incarnation, self.incarnation != 0 { left.insert(self.incarnation) }
        self.incarnation = incarnation
        self.position = position
    }

    /// What is to be done next about a part; asked again until it says `events` or `nothing`.
    package mutating func look(at part: EventPart) -> Step {
        guard !left.contains(part.incarnation) else { return .nothing }
        guard part.incarnation == incarnation || incarnation == 0 else {
            let (before, had) = (incarnation, position)
            left.insert(before)
            incarnation = part.incarnation
            epoch = part.epoch
            position = nil
            return .journalChanged(from: before, at: had)
        }
        incarnation = part.incarnation
        guard part.epoch >= epoch else { return .nothing }
        epoch = part.epoch
        let start = EventPosition(batch: part.head.batch, index: part.head.first)
        let position = self.position ?? (part.count == 0 ? EventPosition(batch: part.head.batch + 1) : start)
        self.position = position
        if let end = missingEnd(of: part, from: position, start) {
            return .gap(EventGap(incarnation: incarnation, from: position, to: end))
        }
        if part.count == 0 {
            self.position = max(position, EventPosition(batch: part.head.batch + 1))
            return .nothing
        }
        let next = part.end
        guard next > position else { return .nothing }
        self.position = next
        return .events(from: position.batch == part.head.batch ? max(position.index, part.head.first) : part.head.first)
    }

    /// The events up to there were read elsewhere, or are given up.
    package mutating func filled(to position: EventPosition) {
        if let before = self.position, before >= position { return }
        self.position = position
    }

    /// Where what is missing before a part ends; nil: nothing is.
    private func missingEnd(
        of part: EventPart, from position: EventPosition, _ start: EventPosition
    ) -> EventPosition? {
        if part.head.first > 0, position < start { return start }
        guard position.batch <= part.head.after else { return nil }
        return EventPosition(batch: part.head.after + 1)
    }
}
