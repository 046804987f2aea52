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
    /// Requests, newest first.
    package borrowing func requests(
        _ filter: RequestFilter, _ walk: Walk, for viewer: Viewer
    ) throws(ReadError) -> Listing {
        let query = PageQuery(
            columns: requestColumns,
            // The jobs of a request have ids in a row, so those of its last may lie in the page above.
            newest: """
                WITH newest AS (SELECT max(id) AS id FROM statex.jobs WHERE id < $1::bigint AND id >= $2::bigint)
                SELECT n.id, greatest(n.id, (SELECT max(j.id + ((j.opts >> 12) & 8191) - 1) FROM statex.jobs j
                    WHERE j.id BETWEEN n.id >> 12 << 12 AND n.id AND j.opts & 4095 = 0)) FROM newest n
                """,
            open: filter.states == [.open] ? .requests : nil,
            rows: """
                SELECT \(requestColumns.selection) FROM (\(Self.requests)) r
                WHERE id BETWEEN $1::bigint AND $2::bigint AND ($5::text IS NULL OR tenant = $5)
                    AND ($6::text IS NULL OR $6 = ANY (kinds)) AND ($7::text[] IS NULL OR state = ANY ($7))
                    AND ($8::bigint IS NULL OR created_at >= statex.time($8))
                    AND ($9::bigint IS NULL OR created_at < statex.time($9))
                ORDER BY id DESC LIMIT $4::bigint
                """,
            filter: [
                filter.kind, filter.states.map(\.name).sqlArray, filter.since.map(String.init),
                filter.until.map(String.init),
            ], since: filter.since, until: filter.until)
        return try self.walk(walk, query, tenant: filter.tenant, for: viewer)
    }

    /// Made of their jobs (retries by hand are jobs of their own); as `RequestState` has it. OFFSET 0 keeps what is asked
    /// of requests out of the plan for their jobs: taken for a sign that there is one, it made a loop over a full page
    /// inside another one, and 5 s of 0.1.
    private static let requests = """
        SELECT request AS id, min(tenant) AS tenant, CASE
                WHEN bool_or(state NOT IN ('succeeded', 'failed', 'dead', 'cancelled', 'expired')) THEN 'open'
                WHEN bool_or(state IN ('failed', 'dead', 'expired')) THEN 'failed'
                WHEN bool_or(state = 'cancelled') THEN 'cancelled' ELSE 'succeeded' END AS state,
            min(created_at) AS created_at, max(ended_at) AS ended_at, count(*) AS jobs,
            array_agg(DISTINCT kind ORDER BY kind) AS kinds
        FROM (SELECT request, tenant, state, created_at, ended_at, kind, retry_of
            FROM statex.jobs_between($1::bigint, $3::bigint) OFFSET 0) j
        WHERE retry_of IS NULL GROUP BY request
        """
}

private let requestColumns: [Column] = [
    .text("id"), .text("tenant"), .text("state"), .time("created_at"),
    .time("ended_at", "CASE WHEN state <> 'open' THEN ended_at END"), .number("jobs"), .list("kinds"),
]
