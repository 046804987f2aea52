import StatexClient
import StatexPostgres
import StatexProtocol

/// A place in the events of a journal: all before it are had.
package struct EventPlace: Sendable, Equatable {
    package var incarnation: UInt64
    package var position: EventPosition

    package init(incarnation: UInt64, position: EventPosition) {
        self.incarnation = incarnation
        self.position = position
    }

    /// What the last event before it may be called: whoever says it goes on here.
    package var sequence: EventSequence? {
        if position.index > 0 {
            return EventSequence(incarnation: incarnation, batch: position.batch, index: position.index - 1)
        }
        guard incarnation != 0, position.batch > 0 else { return nil }
        // The commit before may have had any number of events: this one is behind all of them.
        return EventSequence(incarnation: incarnation, batch: position.batch - 1, index: .max - 1)
    }

    /// Whether an event of this sequence lies behind it, in the same journal.
    package func isBefore(_ sequence: EventSequence) -> Bool {
        sequence.incarnation == incarnation && EventPosition(after: sequence) > position
    }
}

/// What a stream missed, read in the journal in steps.
package struct EventReplay: Sendable {
    /// What was found, in order. A gap in it could not be filled, and `trouble` says why.
    package struct Part: Sendable {
        package var news: [EventNews] = []
        package var trouble: String?
        /// Where the next part begins; nil: this was the last one.
        package var next: EventPosition?
    }

    private let url: String
    private let start: EventSequence
    private let end: EventPlace

    /// - Parameters:
    ///   - url: of the journal.
    ///   - start: the last event that was had.
    ///   - end: from where on it is heard.
    package init(journal url: String, after start: EventSequence, to end: EventPlace) {
        self.url = url
        self.start = start
        self.end = end
    }

    /// The events of some jobs and of the request of the first of them. Only the commits that touched them are read.
    /// - Parameter limit: so many commits at most; more are a gap.
    package func events(ofJobs ids: ClosedRange<UInt64>, commits limit: Int) throws(PostgresError) -> Part {
        var history = try EventHistory(url: url)
        guard var (part, from) = try begin(&history) else { return Part() }
        let to = end.position
        let commits = try history.commits(ofJobs: ids, from: from, to: to, limit: limit + 1)
        guard commits.count <= limit else { return give(up: from, &part, "too many commits to read them again") }
        for batch in commits {
            let found = try history.events(
                from: max(from, EventPosition(batch: batch)), to: min(to, EventPosition(batch: batch + 1)))
            part.news += found.events.lazy.filter { ids.contains($0.id.rawValue) }.map { .event($0) }
            from = found.reached
        }
        return part
    }

    /// The next events of all jobs.
    /// - Parameter position: where the part before ended; nil: this is the first.
    package func events(from position: EventPosition?) throws(PostgresError) -> Part {
        var history = try EventHistory(url: url)
        var part = Part()
        var from = position ?? end.position
        if position == nil {
            guard let begun = try begin(&history) else { return part }
            (part, from) = begun
        }
        guard from < end.position else { return part }
        let found = try history.events(from: from, to: end.position)
        part.news += found.events.map { .event($0) }
        part.next = found.reached < end.position ? found.reached : nil
        return part
    }

    /// Says that what follows is not read again.
    package func give(up from: EventPosition, because trouble: String) -> Part {
        var part = Part()
        return give(up: from, &part, trouble)
    }

    private func give(up from: EventPosition, _ part: inout Part, _ trouble: String) -> Part {
        part.news.append(.gap(EventGap(incarnation: end.incarnation, from: from, to: end.position)))
        part.trouble = trouble
        part.next = nil
        return part
    }

    /// Finds the place in the journal as it is now.
    /// - Returns: nil: there is nothing to read.
    private func begin(_ history: inout EventHistory) throws(PostgresError) -> (Part, EventPosition)? {
        guard let place = try history.place(of: .after(start)) else { return nil }
        var part = Part()
        if let left = place.left { part.news.append(.journalChanged(from: left, to: place.incarnation)) }
        // The journal was restored just now: who hears it will be told so.
        guard place.incarnation == end.incarnation else { return (part, end.position) }
        let kept = try history.start()
        guard place.from < kept, place.from < end.position else { return (part, place.from) }
        let reached = min(kept, end.position)
        part.news.append(.gap(EventGap(incarnation: end.incarnation, from: place.from, to: reached)))
        part.trouble = "retention took them"
        return (part, reached)
    }
}

extension EventHistory {
    /// Which commits have rows of these jobs.
    fileprivate func commits(
        ofJobs ids: ClosedRange<UInt64>, from: EventPosition, to: EventPosition, limit: Int
    ) throws(PostgresError) -> [UInt64] {
        guard from < to else { return [] }
        let rows = try query(
            """
            SELECT DISTINCT batch FROM (
                SELECT batch FROM statex.lease_chunks_of($1::bigint, $2::bigint)
                UNION ALL
                SELECT batch FROM statex.outcome_chunks_of($1::bigint, $2::bigint)
                UNION ALL
                SELECT j.batch FROM statex.jobs j WHERE j.id = $1::bigint
            ) AS touched
            WHERE batch BETWEEN $3::bigint AND $4::bigint ORDER BY batch LIMIT \(limit)
            """, [ids.lowerBound, ids.upperBound, from.batch, to.batch].map { String($0) })
        return (0..<rows.rows).map { UInt64(rows.integer($0, 0)) }
    }
}
