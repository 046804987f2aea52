import StatexProtocol

/// A job in the lists of the command line.
let briefColumns: [Column] = [
    .text("id"), .text("request"), .text("kind"), .text("tenant"), .text("state"), .number("priority"),
    .number("attempts"), .number("attempts_allowed"), .time("created_at"), .time("leased_at"), .time("ended_at"),
    .time("retry_at"), .text("worker"), .list("tags"), .text("retry_of"), .text("error_class"), .text("error"),
]

/// A job as the gateway shows it. (Its `attempts` are a list of their own.)
let fullColumns: [Column] = [
    .text("id"), .text("request"), .number("index"), .number("request_jobs"),
    .json("after", "coalesce(array_to_json(after), '[]')"), .text("kind"), .text("tenant"), .text("state"),
    .number("priority"), .number("attempts_begun", "attempts"), .number("attempts_allowed"), .time("created_at"),
    .time("run_at"), .time("deadline"), .time("leased_at"), .time("started_at"), .time("ended_at"), .time("retry_at"),
    .text("worker"), .json("tags", "coalesce(array_to_json(tags), '[]')"),
    .json("labels", "coalesce(array_to_json(labels), '[]')"), .text("traceparent"), .text("retry_of"),
    .text("retried_as"), .text("error_class"), .text("error"),
]

/// A job with its attempts: its leases, each with how it ended.
private let lookColumns = fullColumns + [.json("attempts", "coalesce(attempts_json, '[]')")]

/// One job as the command line shows it, from `statex.job`.
package struct JobRecord: Sendable {
    /// One JSON object.
    package let json: String
    package let isOpen: Bool
}

/// Jobs as the gateway shows them.
package struct JobRows: Sendable {
    package let list: Listing
    package let states: [JobState]

    package init(_ list: Listing) {
        self.list = list
        let column = list.columns.index(of: "state") ?? 0
        states = list.rows.map { row in JobState.allCases.first { $0.name == row[column] } ?? .queued }
    }

    // Of the first job.

    package var id: JobID? { first("id").flatMap { JobID($0) } }
    package var tenant: String? { first("tenant") }
    package var request: JobID? { first("request").flatMap { JobID($0) } }
    package var retriedAs: String? { first("retried_as") }
    /// What is followed to hear how far it is: its request, or itself if it is a retry by hand.
    package var followed: JobID? { first("retry_of") == nil ? request : id }
    /// Of those that wait for a time: when they do not any more, as JSON has times.
    package var dueTimes: [String] {
        let columns = ["run_at", "retry_at"].compactMap { list.columns.index(of: $0) }
        return zip(list.rows, states).flatMap { row, state in
            state == .delayed ? columns.compactMap { row[$0] } : []
        }
    }

    /// Whether nothing else is followed with it.
    package var isAlone: Bool { first("retry_of") != nil || first("request_jobs") == "1" }

    private func first(_ name: String) -> String? {
        list.columns.index(of: name).flatMap { column in list.rows.first.flatMap { $0[column] } }
    }
}

/// One request as the gateway shows it.
package struct RequestRecord: Sendable {
    package let id: JobID
    package let tenant: String
    package let jobs: JobRows
    /// Each job as a look at it alone would show it, if they are few: who looks at a request looks at them next.
    package let looks: [JobRows]
    /// How many jobs that are at most.
    package static let looksMost = 64

    package var state: RequestState { RequestState(of: jobs.states) }
    package var createdAt: String? { jobs.list.rows.first.flatMap { $0[Self.created] } }
    /// When its last job ended; nil while it is open.
    package var endedAt: String? {
        state == .open ? nil : jobs.list.rows.compactMap { $0[Self.ended] }.max()
    }

    /// What lists of requests say of one.
    package func write(to text: inout JSONText) {
        text.member("id", id.description)
        text.member("tenant", tenant)
        text.member("state", state.name)
        text.member("created_at", orNull: createdAt)
        text.member("ended_at", orNull: endedAt)
    }

    private static let created = fullColumns.index(of: "created_at") ?? 0
    private static let ended = fullColumns.index(of: "ended_at") ?? 0
}

extension JournalReader {
    /// Everything about one job for the command line; nil: there is none that `viewer` sees.
    package borrowing func jobRecord(_ id: JobID, for viewer: Viewer) throws(ReadError) -> JobRecord? {
        let rows = try self.rows(
            "SELECT statex.job($1::bigint), state, tenant FROM statex.job_status WHERE id = $1::bigint",
            [id.description])
        guard let row = rows.first, let json = row[0], viewer.sees(tenant: row[2] ?? "") else { return nil }
        let isFinal = JobState.allCases.contains { $0.name == row[1] && $0.isFinal }
        return JobRecord(json: json, isOpen: !isFinal)
    }

    /// One job with its attempts, as one row; nil: there is none that `viewer` sees.
    package borrowing func job(_ id: JobID, for viewer: Viewer) throws(ReadError) -> JobRows? {
        try looks(from: id.rawValue, to: id.rawValue, for: viewer).first
    }

    private borrowing func looks(from first: UInt64, to last: UInt64, for viewer: Viewer) throws(ReadError) -> [JobRows]
    {
        try prepared(
            """
            SELECT \(lookColumns.selection) FROM statex.jobs_between($1::bigint, $2::bigint)
            WHERE $3::text IS NULL OR tenant = $3 ORDER BY id
            """, [String(first), String(last), viewer.tenant]
        ).map { JobRows(Listing(lookColumns, [$0])) }
    }

    /// One request with all of its jobs (retries by hand are jobs of their own); nil: there is none that `viewer`
    /// sees.
    package borrowing func request(_ id: JobID, for viewer: Viewer) throws(ReadError) -> RequestRecord? {
        let found = try prepared(
            """
            SELECT t.name, (j.opts >> 12) & 8191 FROM statex.all_jobs j
            LEFT JOIN statex.job_options x ON (j.opts >> 45) & 1 = 1 AND x.id = j.id
            JOIN statex.names t ON t.number = j.tenant
            WHERE j.id = $1::bigint AND j.opts & 4095 = 0 AND x.retry_of IS NULL AND ($2::text IS NULL OR t.name = $2)
            """, [id.description, viewer.tenant])
        guard let first = found.first, let tenant = first[0], let count = first[1].flatMap(UInt64.init), count > 0
        else {
            return nil
        }
        let last = id.rawValue + (count - 1)
        if count <= RequestRecord.looksMost {
            let looks = try looks(from: id.rawValue, to: last, for: viewer)
            // All but the attempts.
            let rows = looks.flatMap(\.list.rows).map { Array($0.prefix(fullColumns.count)) }
            return RequestRecord(id: id, tenant: tenant, jobs: JobRows(Listing(fullColumns, rows)), looks: looks)
        }
        let rows = try prepared(
            "SELECT \(fullColumns.selection) FROM statex.jobs_between($1::bigint, $2::bigint) ORDER BY id",
            [id.description, String(last)])
        return RequestRecord(id: id, tenant: tenant, jobs: JobRows(Listing(fullColumns, rows)), looks: [])
    }
}
