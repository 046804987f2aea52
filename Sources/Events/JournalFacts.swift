import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// The rows of some commits, and what the journal says of the jobs that they speak of.
struct JournalFacts: EventFacts {
    private struct Lease: Hashable {
        var job: UInt64
        var token: UInt64
    }
    private struct End {
        var batch: UInt64
        var final: JobState
    }

    // By commit.
    private(set) var jobs: [UInt64: [CommitBatch.JobRow]] = [:]
    private(set) var leases: [UInt64: [CommitBatch.LeaseRow]] = [:]
    private(set) var outcomes: [UInt64: [CommitBatch.OutcomeRow]] = [:]
    /// The one whose events are being made.
    var batch: UInt64 = 0

    private var known: [UInt64: EventJob] = [:]
    private var ends: [UInt64: [End]] = [:]
    private var leaseOf: [Lease: CommitBatch.EndedLease] = [:]

    init(of commits: [JournalCommit], on connection: borrowing Connection) throws(PostgresError) {
        guard let first = commits.first, let last = commits.last else { return }
        let batches = "batch BETWEEN \(first.batch) AND \(last.batch)"
        try readJobs(batches, commits, connection)
        try readLeases(batches, connection)
        try readOutcomes(batches, connection)
        try readJobs(ofRows: connection)
        try readEnds(connection)
        try readEndedLeases(connection)
    }

    // MARK: Facts

    func eventJob(_ id: UInt64, at slot: Int32) -> EventJob? { known[id] }

    func standing(ofRequestOf id: UInt64, at slot: Int32) -> RequestStanding? {
        guard let job = known[id] else { return nil }
        let first = known[job.request]
        var standing = RequestStanding(
            kind: first?.kind ?? 0, tenant: first?.tenant ?? 0, open: job.count)
        for end in ends[job.request] ?? [] where end.batch < batch && standing.open > 0 {
            standing.ended(as: end.final)
        }
        return standing
    }

    func lease(of row: CommitBatch.OutcomeRow) -> CommitBatch.EndedLease {
        leaseOf[Lease(job: row.id, token: row.token)] ?? .none
    }

    // MARK: Reading

    /// New jobs: their ids lie between those of two commits.
    private mutating func readJobs(
        _ batches: String, _ commits: [JournalCommit], _ connection: borrowing Connection
    ) throws(PostgresError) {
        guard let first = commits.first, let last = commits.last else { return }
        let rows = try connection.query(
            """
            SELECT j.batch, j.id, j.opts, j.kind, j.tenant, \(Self.retryRequest) FROM statex.jobs j \(Self.withOptions)
            WHERE j.id < \(last.nextID) AND j.\(batches) AND j.id >= coalesce(
                (SELECT next_id FROM statex.commits WHERE batch = \(first.batch) - 1 LIMIT 1), 0)
            ORDER BY j.id
            """, doing: "jobs of commits")
        for row in 0..<rows.rows {
            let job = CommitBatch.JobRow(
                id: UInt64(rows.integer(row, 1)), opts: UInt64(rows.integer(row, 2)),
                kind: UInt32(truncatingIfNeeded: rows.integer(row, 3)),
                tenant: UInt32(truncatingIfNeeded: rows.integer(row, 4)), payloadStart: 0, payloadLength: 0)
            jobs[UInt64(rows.integer(row, 0)), default: []].append(job)
            know(rows, row, from: 1)
        }
    }

    private static let withOptions = "LEFT JOIN statex.job_options o ON (j.opts >> 45) & 1 = 1 AND o.id = j.id"
    private static let retryRequest = "CASE WHEN o.retry_of IS NOT NULL THEN coalesce(o.request, j.id) END"

    /// Columns: id, opts, kind, tenant, the request of a retry by hand.
    private mutating func know(_ rows: borrowing StatexPostgres.Result, _ row: Int, from column: Int) {
        let id = UInt64(rows.integer(row, column))
        let opts = UInt64(rows.integer(row, column + 1))
        let isRetry = !rows.isNull(row, column + 4)
        known[id] = EventJob(
            kind: Int32(truncatingIfNeeded: rows.integer(row, column + 2)),
            tenant: Int32(truncatingIfNeeded: rows.integer(row, column + 3)),
            request: isRetry ? UInt64(rows.integer(row, column + 4)) : id - UInt64(JobOpts.index(opts)),
            index: JobOpts.index(opts), count: JobOpts.count(opts), isRetryByHand: isRetry)
    }

    private mutating func readLeases(_ batches: String, _ connection: borrowing Connection) throws(PostgresError) {
        let rows = try connection.query(
            """
            SELECT c.batch, (c.page << 12) | e.slot, c.base + e.token, e.attempt, e.worker FROM statex.lease_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.attempts, c.workers) AS e(slot, token, attempt, worker)
            WHERE c.\(batches) ORDER BY 2, 3
            """, doing: "leases of commits")
        for row in 0..<rows.rows {
            let lease = CommitBatch.LeaseRow(
                id: UInt64(rows.integer(row, 1)), token: UInt64(rows.integer(row, 2)),
                worker: UInt32(truncatingIfNeeded: rows.integer(row, 4)),
                attempt: UInt16(truncatingIfNeeded: rows.integer(row, 3)), slot: -1, workerIndex: -1)
            leases[UInt64(rows.integer(row, 0)), default: []].append(lease)
        }
    }

    private mutating func readOutcomes(_ batches: String, _ connection: borrowing Connection) throws(PostgresError) {
        let rows = try connection.query(
            """
            SELECT c.batch, (c.page << 12) | e.slot, c.base + e.token, e.ends, e.ended
            FROM statex.outcome_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.ends, c.ended) AS e(slot, token, ends, ended)
            WHERE c.\(batches) ORDER BY 2, 3
            """, doing: "outcomes of commits")
        for row in 0..<rows.rows {
            let ends = rows.integer(row, 3)
            guard let ending = Ending(rawValue: UInt8(truncatingIfNeeded: ends & 255)) else { continue }
            let outcome = CommitBatch.OutcomeRow(
                id: UInt64(rows.integer(row, 1)), token: UInt64(rows.integer(row, 2)), started: 0,
                ended: Float(rows.text(row, 4)) ?? 0, retry: -1, ending: ending,
                final: JobState(rawValue: UInt8(truncatingIfNeeded: ends >> 8)), result: -1, slot: -1)
            outcomes[UInt64(rows.integer(row, 0)), default: []].append(outcome)
        }
    }

    /// Jobs of rows that came with earlier commits, and the first jobs of their requests.
    private mutating func readJobs(ofRows connection: borrowing Connection) throws(PostgresError) {
        let ids = leases.values.joined().map(\.id) + outcomes.values.joined().map(\.id)
        try readJobs(Set(ids), connection)
        try readJobs(Set(known.values.lazy.filter { $0.count > 1 }.map(\.request)), connection)
    }

    private mutating func readJobs(_ ids: Set<UInt64>, _ connection: borrowing Connection) throws(PostgresError) {
        let unknown = ids.filter { known[$0] == nil }
        guard !unknown.isEmpty else { return }
        let rows = try connection.query(
            """
            SELECT j.id, j.opts, j.kind, j.tenant, \(Self.retryRequest) FROM statex.jobs j \(Self.withOptions)
            WHERE j.id = ANY ($1::bigint[])
            """, [unknown.sqlArray], doing: "jobs of rows")
        for row in 0..<rows.rows { know(rows, row, from: 0) }
    }

    /// The final outcomes of all jobs of those requests of several jobs of which one ended.
    private mutating func readEnds(_ connection: borrowing Connection) throws(PostgresError) {
        var requests: [UInt64: UInt16] = [:]
        for row in outcomes.values.joined() where row.final != nil {
            if let job = known[row.id], job.count > 1 { requests[job.request] = job.count }
        }
        guard !requests.isEmpty else { return }
        var pages: Set<UInt64> = []
        for (request, count) in requests {
            pages.insert(request >> JobID.pageBits)
            pages.insert((request + UInt64(count) - 1) >> JobID.pageBits)
        }
        let rows = try connection.query(
            """
            SELECT r.id, e.ends >> 8, c.batch
            FROM statex.outcome_chunks c CROSS JOIN LATERAL unnest(c.offsets, c.ends) AS e(slot, ends)
            JOIN unnest($2::bigint[], $3::integer[]) AS r(id, size)
                ON (c.page << 12 | e.slot) >= r.id AND (c.page << 12 | e.slot) < r.id + r.size
            WHERE c.page = ANY ($1::bigint[]) AND e.ends >> 8 > 0
            """,
            [
                pages.sqlArray, requests.keys.sqlArray,
                "{" + requests.values.map { String($0) }.joined(separator: ",") + "}",
            ], doing: "ends of requests")
        for row in 0..<rows.rows {
            guard let final = JobState(rawValue: UInt8(truncatingIfNeeded: rows.integer(row, 1))) else { continue }
            ends[UInt64(rows.integer(row, 0)), default: []].append(
                End(batch: UInt64(rows.integer(row, 2)), final: final))
        }
    }

    /// The leases that outcomes ended, mostly of earlier commits.
    private mutating func readEndedLeases(_ connection: borrowing Connection) throws(PostgresError) {
        let ended = outcomes.values.joined().filter { $0.token != 0 }
        guard !ended.isEmpty else { return }
        let rows = try connection.query(
            """
            SELECT w.job, w.token, e.attempt, e.worker
            FROM statex.lease_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.attempts, c.workers) AS e(slot, token, attempt, worker)
            JOIN unnest($2::bigint[], $3::bigint[]) AS w(job, token)
                ON w.job = (c.page << 12 | e.slot) AND w.token = c.base + e.token
            WHERE c.page = ANY ($1::bigint[])
            """,
            [
                Set(ended.map { $0.id >> JobID.pageBits }).sqlArray, ended.map(\.id).sqlArray,
                ended.map(\.token).sqlArray,
            ], doing: "leases of outcomes")
        for row in 0..<rows.rows {
            let lease = Lease(job: UInt64(rows.integer(row, 0)), token: UInt64(rows.integer(row, 1)))
            leaseOf[lease] = CommitBatch.EndedLease(
                worker: UInt32(truncatingIfNeeded: rows.integer(row, 3)), workerIndex: -1,
                attempt: UInt16(truncatingIfNeeded: rows.integer(row, 2)))
        }
    }
}

extension Collection<UInt64> {
    /// As an array in SQL.
    fileprivate var sqlArray: String { "{" + map { String($0) }.joined(separator: ",") + "}" }
}
