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

    /// Whether only open jobs fit.
    fileprivate var isOfOpen: Bool { !states.isEmpty && states.allSatisfy { !$0.isFinal } }

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
    /// Jobs, newest first.
    package borrowing func jobs(
        _ filter: JobFilter, _ walk: Walk, form: JobForm = .brief, for viewer: Viewer
    ) throws(ReadError) -> Listing {
        let columns = form.columns
        let query = PageQuery(
            columns: columns,
            newest: "SELECT max(id), max(id) FROM statex.jobs WHERE id < $1::bigint AND id >= $2::bigint",
            open: filter.isOfOpen ? .jobs : nil,
            rows: """
                SELECT \(columns.selection) FROM statex.jobs_between($1::bigint, $3::bigint)
                WHERE id <= $2::bigint AND ($5::text IS NULL OR tenant = $5)
                    AND ($6::text IS NULL OR kind = $6) AND ($7::text[] IS NULL OR tags @> $7)
                    AND ($8::text[] IS NULL OR state = ANY ($8))
                    AND ($9::bigint IS NULL OR created_at >= statex.time($9))
                    AND ($10::bigint IS NULL OR created_at < statex.time($10))
                ORDER BY id DESC LIMIT $4::bigint
                """,
            filter: [
                filter.kind, filter.tags.sqlArray, filter.stateNames.sqlArray, filter.since.map(String.init),
                filter.until.map(String.init),
            ], since: filter.since, until: filter.until)
        return try self.walk(walk, query, tenant: filter.tenant, for: viewer)
    }
}
