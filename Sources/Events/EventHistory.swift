// The events of commits, made from the journal's rows: the same, with the same sequences, that the scheduler
// published when these commits became durable. Whoever missed some reads them here.

import StatexClient
import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// Where a reader of events starts.
package enum EventStart: Sendable {
    /// With what is published from now on.
    case now
    /// With what follows there, in the journal of that incarnation.
    case at(UInt64, EventPosition)
    /// With what was committed since then; microseconds since 1970.
    case time(Int64)

    /// Behind an event that somebody had.
    package static func after(_ sequence: EventSequence) -> EventStart {
        .at(sequence.incarnation, EventPosition(after: sequence))
    }
}

/// Reads the journal. Blocking, and for one thread; it reads only, and nothing waits for it.
package struct EventHistory: ~Copyable {
    private let connection: Connection
    private let shard: UInt8
    private var names: [UInt32: String] = [:]

    /// Rows of commits that are looked at together: about 10 MiB here.
    private static let rowsAtOnce = 20_000
    private static let commitsAtOnce = 2_000

    /// - Parameter limit: how long one statement may take.
    package init(url: String, shard: UInt8 = 0, limit: Duration = .seconds(60)) throws(PostgresError) {
        let opened = try Connection(url, name: "statex events")
        // No list is worth holding anything up; and chunks are found by their batches, not by reading all.
        try opened.run(
            """
            SET default_transaction_read_only = on; SET statement_timeout = '\(limit.components.seconds)s'; SET search_path = pg_catalog;
            SET jit = off; SET enable_seqscan = off
            """, doing: "settings")
        connection = opened
        self.shard = shard
    }

    borrowing func query(_ sql: String, _ parameters: [String?]) throws(PostgresError) -> StatexPostgres.Result {
        try connection.query(sql, parameters, doing: "events of jobs")
    }

    /// A place in the journal as it is now.
    package struct Place: Sendable {
        package var incarnation: UInt64
        package var from: EventPosition
        /// Behind the last commit.
        package var end: EventPosition
        /// The reader comes from this incarnation; of commits that the restored journal does not have, nothing counts.
        package var left: UInt64?
    }

    /// - Returns: nil: the journal is empty.
    package func place(of start: EventStart) throws(PostgresError) -> Place? {
        guard let end = try end() else { return nil }
        var place = Place(incarnation: end.incarnation, from: end.position, end: end.position)
        switch start {
        case .now: break
        case .time(let time): place.from = try position(at: time)
        case .at(let incarnation, let position):
            place.from = position
            guard incarnation != end.incarnation else { break }
            place.from = min(position, try self.start(of: end.incarnation) ?? end.position)
            place.left = incarnation
        }
        return place
    }

    /// Behind the last commit.
    package func end() throws(PostgresError) -> (incarnation: UInt64, position: EventPosition)? {
        let rows = try connection.query(
            "SELECT incarnation, batch FROM statex.commits WHERE shard = \(shard) ORDER BY batch DESC LIMIT 1",
            doing: "the chain's end")
        guard rows.rows == 1 else { return nil }
        return (UInt64(bitPattern: rows.integer(0, 0)), EventPosition(batch: UInt64(rows.integer(0, 1)) + 1))
    }

    /// Where the events begin that the journal still has whole: retention took rows of commits before.
    package func start() throws(PostgresError) -> EventPosition {
        let rows = try connection.query(
            """
            SELECT greatest((SELECT coalesce(max(through_batch), 0) FROM statex.retired),
                (SELECT coalesce(min(batch), 1) - 1 FROM statex.commits WHERE shard = \(shard)))
            """, doing: "where events begin")
        return EventPosition(batch: UInt64(rows.integer(0, 0)) + 1)
    }

    /// The first commit of a journal incarnation.
    package func start(of incarnation: UInt64) throws(PostgresError) -> EventPosition? {
        let rows = try connection.query(
            """
            SELECT batch FROM statex.commits WHERE shard = \(shard) AND incarnation = $1::bigint ORDER BY batch LIMIT 1
            """, [String(Int64(bitPattern: incarnation))], doing: "where a journal begins")
        return rows.rows == 1 ? EventPosition(batch: UInt64(rows.integer(0, 0))) : nil
    }

    /// The first commit that was made at that time or later (microseconds since 1970), found by halving.
    package func position(at time: Int64) throws(PostgresError) -> EventPosition {
        var low = try start().batch
        var high = try end()?.position.batch ?? low
        while low < high {
            let middle = low + (high - low) / 2
            let rows = try connection.query(
                "SELECT at FROM statex.commits WHERE shard = \(shard) AND batch >= \(middle) ORDER BY batch LIMIT 1",
                doing: "the commit of a time")
            if rows.rows == 1, rows.integer(0, 0) < time { low = middle + 1 } else { high = middle }
        }
        return EventPosition(batch: low)
    }

    /// The next events of a gap.
    ///
    /// - Returns: the events, and how far they reach: up to `gap.to` at last.
    package mutating func events(
        from: EventPosition, to: EventPosition
    ) throws(PostgresError) -> (events: [JobEvent], reached: EventPosition) {
        // One snapshot, so that retention takes nothing away between two questions.
        try connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ", doing: "read events")
        do throws(PostgresError) {
            let found = try read(from: from, to: to)
            try connection.run("COMMIT", doing: "read events")
            return found
        } catch {
            try? connection.run("ROLLBACK", doing: "read events")
            throw error
        }
    }

    private mutating func read(
        from: EventPosition, to: EventPosition
    ) throws(PostgresError) -> (events: [JobEvent], reached: EventPosition) {
        let last = to.index > 0 ? to.batch : to.batch - 1
        guard from < to, last >= from.batch else { return ([], to) }
        let commits = try commits(from.batch...last)
        guard let end = commits.last else { return ([], to) }
        var facts = try JournalFacts(of: commits, on: connection)
        var made = CommitEvents()
        var events: [JobEvent] = []
        for commit in commits {
            facts.batch = commit.batch
            made.derive(
                jobs: facts.jobs[commit.batch] ?? [], leases: facts.leases[commit.batch] ?? [],
                outcomes: facts.outcomes[commit.batch] ?? [], at: commit.at, from: &facts)
            try readNames(of: made.all)
            for (index, event) in made.all.enumerated() {
                let sequence = EventSequence(
                    incarnation: commit.incarnation, batch: commit.batch, index: UInt32(index))
                let position = EventPosition(batch: commit.batch, index: UInt32(index))
                guard position >= from, position < to else { continue }
                events.append(self.event(event, sequence))
            }
        }
        return (events, end.batch < last ? EventPosition(batch: end.batch + 1) : to)
    }

    private func event(_ event: CommitEvent, _ sequence: EventSequence) -> JobEvent {
        JobEvent(
            event.type, sequence: sequence, id: JobID(rawValue: event.id), request: JobID(rawValue: event.request),
            index: event.index, kind: names[UInt32(bitPattern: event.kind)] ?? "",
            tenant: names[UInt32(bitPattern: event.tenant)] ?? "",
            worker: event.lease.worker == 0 ? nil : names[event.lease.worker] ?? "", number: event.number,
            ending: event.ending, at: event.at)
    }

    /// Commits from the first on, as many as are looked at together.
    private func commits(_ range: ClosedRange<UInt64>) throws(PostgresError) -> [JournalCommit] {
        let rows = try connection.query(
            """
            SELECT batch, incarnation, at, next_id, jobs + leases + outcomes FROM statex.commits
            WHERE shard = \(shard) AND batch BETWEEN \(range.lowerBound) AND \(range.upperBound)
            ORDER BY batch LIMIT \(Self.commitsAtOnce)
            """, doing: "commits")
        var commits: [JournalCommit] = []
        var left = Self.rowsAtOnce
        for row in 0..<rows.rows where left > 0 {
            left -= Int(rows.integer(row, 4))
            commits.append(
                JournalCommit(
                    batch: UInt64(rows.integer(row, 0)), incarnation: UInt64(bitPattern: rows.integer(row, 1)),
                    at: rows.integer(row, 2), nextID: UInt64(rows.integer(row, 3))))
        }
        return commits
    }

    private mutating func readNames(of events: [CommitEvent]) throws(PostgresError) {
        var unknown: Set<UInt32> = []
        for event in events {
            for number in [UInt32(bitPattern: event.kind), UInt32(bitPattern: event.tenant), event.lease.worker]
            where number != 0 && names[number] == nil { unknown.insert(number) }
        }
        guard !unknown.isEmpty else { return }
        // Worker incarnations come and go.
        if names.count > 100_000 { names.removeAll() }
        let rows = try connection.query(
            "SELECT number, name FROM statex.names WHERE number = ANY ($1::integer[])",
            ["{" + unknown.map(String.init).joined(separator: ",") + "}"], doing: "names")
        for row in 0..<rows.rows { names[UInt32(truncatingIfNeeded: rows.integer(row, 0))] = rows.text(row, 1) }
    }
}

struct JournalCommit {
    var batch: UInt64
    var incarnation: UInt64
    var at: Int64
    var nextID: UInt64
}
