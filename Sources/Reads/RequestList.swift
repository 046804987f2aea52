import StatexProtocol

/// Which requests a list shows.
package struct RequestFilter: Sendable {
    /// Any of them; none: all.
    package var states: [RequestState] = []
    /// Of one of its jobs.
    package var kind: String?
    package var tenant: String?
    /// Microseconds since 1970 between which they were submitted.
    package var since: Int64?
    package var until: Int64?

    package init() {}
}

extension JournalReader {
    /// Requests, newest first, from below an id on. As the list of jobs it walks back page of ids by page of ids; when
    /// `patience` is over it ends with what it has and says where to go on.
    package borrowing func requests(
        _ filter: RequestFilter, below start: UInt64, limit: Int, patience: Duration, for viewer: Viewer
    ) throws(ReadError) -> Listing {
        var rows: [Row] = []
        var tenant: String?
        switch viewer.narrowed(to: filter.tenant) {
        case .nothing: return Listing(requestColumns, [])
        case .one(let one): tenant = one
        case .all: break
        }
        var below = min(start, JobID.highest(submittedBefore: filter.until))
        let lowest = JobID.lowest(submittedSince: filter.since)
        let deadline = ContinuousClock.now + patience
        while rows.count < limit {
            // The jobs of a request have ids in a row, so those of its last may lie in the page above.
            let found = try self.rows(
                """
                WITH newest AS (SELECT max(id) AS id FROM statex.jobs WHERE id < $1::bigint AND id >= $2::bigint)
                SELECT n.id, greatest(n.id, (SELECT max(j.id + ((j.opts >> 12) & 8191) - 1) FROM statex.jobs j
                    WHERE j.id BETWEEN n.id >> 12 << 12 AND n.id AND j.opts & 4095 = 0)) FROM newest n
                """, [String(below), String(lowest)])
            guard let row = found.first, let newest = row[0].flatMap(UInt64.init), let last = row[1] else {
                return Listing(requestColumns, rows)
            }
            guard ContinuousClock.now < deadline else { return Listing(requestColumns, rows, next: String(below)) }
            let first = (newest >> JobID.pageBits) << JobID.pageBits
            rows += try self.rows(
                """
                SELECT \(requestColumns.selection) FROM (\(Self.requests)) r
                WHERE id BETWEEN $1::bigint AND $3::bigint
                    AND ($4::text IS NULL OR $4 = ANY (kinds)) AND ($5::text IS NULL OR tenant = $5)
                    AND ($6::text[] IS NULL OR state = ANY ($6))
                    AND ($7::bigint IS NULL OR created_at >= statex.time($7))
                    AND ($8::bigint IS NULL OR created_at < statex.time($8))
                ORDER BY id DESC LIMIT $9::bigint
                """,
                [
                    String(first), last, String(newest), filter.kind, tenant, filter.states.map(\.name).sqlArray,
                    filter.since.map(String.init), filter.until.map(String.init), String(limit - rows.count),
                ])
            below = first
        }
        return Listing(requestColumns, rows, next: rows.last?[0])
    }

    /// Made of their jobs (retries by hand are jobs of their own); as `RequestState` has it.
    private static let requests = """
        SELECT request AS id, min(tenant) AS tenant, CASE
                WHEN bool_or(state NOT IN ('succeeded', 'failed', 'dead', 'cancelled', 'expired')) THEN 'open'
                WHEN bool_or(state IN ('failed', 'dead', 'expired')) THEN 'failed'
                WHEN bool_or(state = 'cancelled') THEN 'cancelled' ELSE 'succeeded' END AS state,
            min(created_at) AS created_at, max(ended_at) AS ended_at, count(*) AS jobs,
            array_agg(DISTINCT kind ORDER BY kind) AS kinds
        FROM statex.jobs_between($1::bigint, $2::bigint) WHERE retry_of IS NULL GROUP BY request
        """
}

private let requestColumns: [Column] = [
    .text("id"), .text("tenant"), .text("state"), .time("created_at"),
    .time("ended_at", "CASE WHEN state <> 'open' THEN ended_at END"), .number("jobs"), .list("kinds"),
]
