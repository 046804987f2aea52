import StatexProtocol

/// Which jobs a list shows.
package struct JobFilter: Sendable {
    /// Any of them; none: all.
    package var states: [JobState] = []
    package var kind: String?
    package var tenant: String?
    /// All of them.
    package var tags: [String] = []
    /// Microseconds since 1970 between which they were submitted.
    package var since: Int64?
    package var until: Int64?

    package init() {}

    /// Whether a worker has begun is not in the journal.
    fileprivate var stateNames: [String] {
        Set(states.map { $0 == .running ? JobState.leased.name : $0.name }).sorted()
    }
}

/// What a list says of each job.
package enum JobForm: Sendable {
    /// As the command line prints it.
    case brief
    /// As the gateway shows it.
    case full

    fileprivate var columns: [Column] {
        switch self {
        case .brief: briefColumns
        case .full: fullColumns
        }
    }
}

extension JournalReader {
    /// Jobs, newest first, from below an id on. The list walks back page of ids by page of ids; when `patience` is
    /// over it ends with what it has and says where to go on.
    package borrowing func jobs(
        _ filter: JobFilter, below start: UInt64, limit: Int, patience: Duration, form: JobForm = .brief,
        for viewer: Viewer
    ) throws(ReadError) -> Listing {
        let columns = form.columns
        var rows: [Row] = []
        var tenant: String?
        switch viewer.narrowed(to: filter.tenant) {
        case .nothing: return Listing(columns, [])
        case .one(let one): tenant = one
        case .all: break
        }
        var below = min(start, JobID.highest(submittedBefore: filter.until))
        let lowest = JobID.lowest(submittedSince: filter.since)
        let deadline = ContinuousClock.now + patience
        while rows.count < limit {
            // Ids rise with time, so a page is one index look-up away however long the history is.
            let found = try self.rows(
                """
                SELECT max(id) FROM statex.jobs WHERE id < $1::bigint AND id >= $2::bigint
                """, [String(below), String(lowest)])
            guard let text = found.first?.first, let newest = text.flatMap(UInt64.init) else {
                return Listing(columns, rows)
            }
            guard ContinuousClock.now < deadline else { return Listing(columns, rows, next: String(below)) }
            let page = newest >> JobID.pageBits
            rows += try self.rows(
                """
                SELECT \(columns.selection) FROM statex.jobs_between($1::bigint, $2::bigint)
                WHERE ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR tenant = $4)
                    AND ($5::text[] IS NULL OR tags @> $5) AND ($6::text[] IS NULL OR state = ANY ($6))
                    AND ($7::bigint IS NULL OR created_at >= statex.time($7))
                    AND ($8::bigint IS NULL OR created_at < statex.time($8))
                ORDER BY id DESC LIMIT $9::bigint
                """,
                [
                    String(page << JobID.pageBits), String(newest), filter.kind, tenant, filter.tags.sqlArray,
                    filter.stateNames.sqlArray, filter.since.map(String.init), filter.until.map(String.init),
                    String(limit - rows.count),
                ])
            below = page << JobID.pageBits
        }
        return Listing(columns, rows, next: rows.last?[0])
    }
}

extension JobID {
    // Ids begin with the hour.

    /// One hour more, for a clock that was set back.
    static func highest(submittedBefore time: Int64?) -> UInt64 {
        guard let time, time >= 0, time < 1 << 52 else { return UInt64.max >> 1 }
        return (UInt64(time) / 3_600_000_000 + 2) << (shardBits + counterBits)
    }

    static func lowest(submittedSince time: Int64?) -> UInt64 {
        time.map { UInt64(max(0, $0) / 3_600_000_000) << (shardBits + counterBits) } ?? 0
    }
}
