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

    private let start: EventSequence
    private let end: EventPlace
    private let isWanted: @Sendable () -> Bool

    /// - Parameters:
    ///   - start: the last event that was had.
    ///   - end: from where on it is heard.
    ///   - isWanted: asked between commits: what nobody waits for any more is given up, with an error.
    package init(
        after start: EventSequence, to end: EventPlace, while isWanted: @escaping @Sendable () -> Bool = { true }
    ) {
        self.start = start
        self.end = end
        self.isWanted = isWanted
    }

    /// So many retries by hand of a request are looked up, each with two looks at an index; of more it is a gap.
    private static let retries = 1_000

    /// The events of a request as who listens to it hears them: those of jobs that were retried by hand are among them,
    /// and its end is the last. Only the commits that touched it are read.
    /// - Parameters:
    ///   - jobs: how many it has.
    ///   - isOver: all of these are final. Then its end is among the events if it was not had, heard here or not.
    ///   - limit: so many commits at most; more are a gap.
    package func events(
        ofRequest id: JobID, jobs: Int, isOver: Bool, commits limit: Int, in history: inout EventHistory
    ) throws(PostgresError) -> Part {
        let ids = id.rawValue...id.rawValue + UInt64(max(jobs, 1)) - 1
        var part = try events(touching: ids, retries: Self.retries, isOver: isOver, commits: limit, &history) {
            $0.request == id
        }
        part.cutBehindEnd(isOver: isOver)
        return part
    }

    /// The same of one job.
    package func events(
        ofJob id: JobID, isOver: Bool, commits limit: Int, in history: inout EventHistory
    ) throws(PostgresError) -> Part {
        try events(touching: id.rawValue...id.rawValue, retries: 0, isOver: isOver, commits: limit, &history) {
            $0.id == id && !$0.type.isOfRequest
        }
    }

    /// - Parameter most: so many retries by hand of these jobs are read too.
    private func events(
        touching ids: ClosedRange<UInt64>, retries most: Int, isOver: Bool, commits limit: Int,
        _ history: inout EventHistory, _ includes: (JobEvent) -> Bool
    ) throws(PostgresError) -> Part {
        guard case (var part, let from, let to)? = try begin(&history, throughEnd: isOver) else { return Part() }
        guard from < to else { return part }
        let retries = most > 0 ? try history.retries(ofJobs: ids, limit: most + 1) : []
        guard retries.count <= most else {
            return give(up: from, to: to, &part, "too many retries to read them again")
        }
        let commits = try history.commits(
            ofJobs: ids, retries, untilLast: isOver, from: from, to: to, limit: limit + 1)
        guard commits.count <= limit else {
            return give(up: from, to: to, &part, "too many commits to read them again")
        }
        for batch in commits {
            // Not a part of them: to a client it would look like all.
            guard isWanted() else {
                throw PostgresError(doing: "events of jobs", state: "57014", message: "nobody waits for them any more")
            }
            let found = try history.events(
                from: max(from, EventPosition(batch: batch)), to: min(to, EventPosition(batch: batch + 1)))
            part.news += found.events.filter(includes).map { .event($0) }
        }
        return part
    }

    /// The next events of all jobs.
    /// - Parameter position: where the part before ended; nil: this is the first.
    package func events(
        from position: EventPosition?, in history: inout EventHistory
    ) throws(PostgresError) -> Part {
        var part = Part()
        var from = position ?? end.position
        if position == nil {
            guard let begun = try begin(&history) else { return part }
            (part, from) = (begun.part, begun.from)
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
        return give(up: from, to: end.position, &part, trouble)
    }

    private func give(up from: EventPosition, to: EventPosition, _ part: inout Part, _ trouble: String) -> Part {
        part.news.append(.gap(EventGap(incarnation: end.incarnation, from: from, to: to)))
        part.trouble = trouble
        part.next = nil
        return part
    }

    /// Finds the place in the journal as it is now.
    /// - Parameter throughEnd: reads to the journal's end: nothing is heard behind `end`.
    /// - Returns: nil: there is nothing to read.
    private func begin(
        _ history: inout EventHistory, throughEnd: Bool = false
    ) throws(PostgresError) -> (part: Part, from: EventPosition, to: EventPosition)? {
        guard let place = try history.place(of: .after(start)) else { return nil }
        var part = Part()
        if let left = place.left { part.news.append(.journalChanged(from: left, to: place.incarnation)) }
        // The journal was restored just now: who hears it will be told so.
        guard place.incarnation == end.incarnation else { return (part, end.position, end.position) }
        let to = throughEnd ? max(place.end, end.position) : end.position
        let kept = try history.start()
        guard place.from < kept, place.from < to else { return (part, place.from, to) }
        let reached = min(kept, to)
        part.news.append(.gap(EventGap(incarnation: end.incarnation, from: place.from, to: reached)))
        part.trouble = "retention took them"
        return (part, reached, to)
    }
}

extension EventReplay.Part {
    /// A stream of a request ends with it: what is retried by hand afterwards nobody is told who listens.
    /// - Parameter isOver: the request is; an end that is not here was had.
    fileprivate mutating func cutBehindEnd(isOver: Bool) {
        func event(_ news: EventNews) -> JobEvent? { if case .event(let event) = news { event } else { nil } }
        let end = news.firstIndex { event($0).map { $0.type.isOfRequest && $0.type != .requestCreated } ?? false }
        if let end {
            news.removeSubrange((end + 1)...)
        } else if isOver {
            news.removeAll { event($0) != nil }
        }
    }
}

extension EventHistory {
    /// The retries by hand of these jobs, and those of the retries, at most so many.
    fileprivate borrowing func retries(ofJobs ids: ClosedRange<UInt64>, limit: Int) throws(PostgresError) -> [UInt64] {
        // OFFSET 0: each is found by its letter in the index, whatever the planner knows. Ids rise: a retry is behind
        // what it is of.
        let rows = try query(
            """
            WITH RECURSIVE retries AS (
                SELECT x.id FROM statex.job_options x
                WHERE x.retry_of BETWEEN $1::bigint AND $2::bigint AND x.id > $1::bigint
                UNION ALL
                SELECT n.id FROM retries r CROSS JOIN LATERAL (
                    SELECT x.id FROM statex.job_options x WHERE x.retry_of = r.id AND x.id > $1::bigint OFFSET 0) AS n
            )
            SELECT id FROM retries LIMIT \(limit)
            """, [ids.lowerBound, ids.upperBound].map { String($0) })
        return (0..<rows.rows).map { UInt64(rows.integer($0, 0)) }
    }

    /// Which commits have rows of these jobs and of their retries.
    /// - Parameter untilLast: none behind the last that has rows of the jobs themselves.
    fileprivate borrowing func commits(
        ofJobs ids: ClosedRange<UInt64>, _ retries: [UInt64], untilLast: Bool, from: EventPosition, to: EventPosition,
        limit: Int
    ) throws(PostgresError) -> [UInt64] {
        let rows = try query(
            """
            WITH own AS (
                SELECT batch FROM statex.lease_chunks_of($1::bigint, $2::bigint)
                UNION ALL
                SELECT batch FROM statex.outcome_chunks_of($1::bigint, $2::bigint)
                UNION ALL
                SELECT j.batch FROM statex.jobs j WHERE j.id = $1::bigint
            ), touched AS (
                SELECT batch FROM own
                UNION ALL
                SELECT t.batch FROM unnest($3::bigint[]) AS r(id) CROSS JOIN LATERAL (
                    SELECT batch FROM statex.lease_chunks_of(r.id, r.id)
                    UNION ALL
                    SELECT batch FROM statex.outcome_chunks_of(r.id, r.id)) AS t
                WHERE NOT $4::boolean OR t.batch <= (SELECT max(batch) FROM own)
            )
            SELECT DISTINCT batch FROM touched
            WHERE batch BETWEEN $5::bigint AND $6::bigint ORDER BY batch LIMIT \(limit)
            """,
            [
                String(ids.lowerBound), String(ids.upperBound),
                "{" + retries.map { String($0) }.joined(separator: ",") + "}", String(untilLast), String(from.batch),
                String(to.batch),
            ])
        return (0..<rows.rows).map { UInt64(rows.integer($0, 0)) }
    }
}
