import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// What a new owner needs to carry on: names, and every job without a final outcome.
package struct RecoveredState: Sendable {
    package var names: [(number: UInt32, family: NameFamily, name: String)] = []
    package var jobs: [RecoveredJob] = []
    package var workerNames: [UInt32: String] = [:]
    package var schedules: [(name: String, progress: ScheduleProgress)] = []
    package var pauses = Pauses()
    package var drained: Set<UInt64> = []
    /// Pages without an open job that are not recorded as closed: the owner went before it could.
    package var finishedPages: [UInt64] = []
    var labelNames: [String: String] = [:]
    /// The first commit that gave a lease which is live.
    var firstLive: Int64?
    /// The final states of the jobs of one page, for dependencies that lie in the page before.
    var finals: (page: Int64, states: [UInt8]) = (-1, [])
}

/// Reads chunks, not rows: the outcomes of the pages that are still open become a bitmap, and only
/// jobs without a final outcome are loaded.
package struct Recovery: ~Copyable {
    private let connection: Connection

    package init(url: String) throws(PostgresError) {
        connection = try Session.open(url, name: "statex recovery")
    }

    /// - Parameter progress: called with the pages read and their number.
    package func run(progress: (Int, Int) -> Void = { _, _ in }) throws(PostgresError) -> RecoveredState {
        var state = RecoveredState()
        try readNames(into: &state)
        try readSchedules(into: &state)
        try readStandingOrders(into: &state)
        let pages = try openPages()
        for (index, page) in pages.enumerated() {
            let before = state.jobs.count
            try readPage(page, into: &state)
            if state.jobs.count == before { state.finishedPages.append(UInt64(page)) }
            progress(index + 1, pages.count)
        }
        try readCancels(into: &state)
        return state
    }

    private func readNames(into state: inout RecoveredState) throws(PostgresError) {
        let rows = try connection.query("SELECT number, family, name FROM statex.names ORDER BY number", doing: "names")
        for row in 0..<rows.rows {
            let number = UInt32(truncatingIfNeeded: rows.integer(row, 0))
            guard let family = NameFamily(rawValue: UInt8(truncatingIfNeeded: rows.integer(row, 1))) else { continue }
            let name = rows.text(row, 2)
            // Of workers only those that hold leases are of interest, and those come with their jobs.
            if family == .worker {
                state.workerNames[number] = name
            } else {
                state.names.append((number, family, name))
                if family == .label { state.labelNames[String(number)] = name }
            }
        }
    }

    /// Pauses that nobody took back. A worker that was told to drain ends by itself, so only late ones count.
    private func readStandingOrders(into state: inout RecoveredState) throws(PostgresError) {
        let rows = try connection.query(
            """
            SELECT action, filter->>'kind', filter->>'tenant', who, array_to_string(ids, ' ') FROM statex.actions
            WHERE action IN ('pause', 'resume', 'drain')
                AND (action <> 'drain' OR at > (extract(epoch FROM now()) - 86400) * 1000000)
            ORDER BY batch
            """, doing: "standing orders")
        for row in 0..<rows.rows {
            guard rows.text(row, 0) != "drain" else {
                let incarnations = rows.text(row, 4).split(separator: " ").compactMap { Int64($0) }
                state.drained.formUnion(incarnations.map { UInt64(bitPattern: $0) })
                continue
            }
            let subject: Pauses.Subject =
                !rows.isNull(row, 1)
                ? .kind(rows.text(row, 1)) : !rows.isNull(row, 2) ? .tenant(rows.text(row, 2)) : .everything
            state.pauses[subject] = rows.text(row, 0) == "pause" ? rows.text(row, 3) : nil
        }
    }

    /// The last settled time of each schedule that there ever was, and its last job, found by jumping along
    /// the key.
    private func readSchedules(into state: inout RecoveredState) throws(PostgresError) {
        let rows = try connection.query(
            """
            WITH RECURSIVE names AS (
                (SELECT schedule FROM statex.schedules_fired ORDER BY schedule LIMIT 1)
                UNION ALL
                SELECT (SELECT f.schedule FROM statex.schedules_fired f WHERE f.schedule > n.schedule
                    ORDER BY f.schedule LIMIT 1) FROM names n WHERE n.schedule IS NOT NULL
            )
            SELECT n.schedule, (SELECT max(f.due) FROM statex.schedules_fired f WHERE f.schedule = n.schedule),
                coalesce(l.job, 0), coalesce(l.due, 0)
            FROM names n LEFT JOIN LATERAL (SELECT f.job, f.due FROM statex.schedules_fired f
                WHERE f.schedule = n.schedule AND f.job <> 0 ORDER BY f.due DESC LIMIT 1) l ON true
            WHERE n.schedule IS NOT NULL
            """, doing: "schedules")
        for row in 0..<rows.rows {
            let progress = ScheduleProgress(
                settled: rows.integer(row, 1), job: UInt64(rows.integer(row, 2)), jobDue: rows.integer(row, 3))
            state.schedules.append((rows.text(row, 0), progress))
        }
    }

    /// Pages that have jobs and were not recorded as closed, found by jumping along the index.
    private func openPages() throws(PostgresError) -> [Int64] {
        let closed = try connection.query(
            "SELECT unnest(pages_closed) FROM statex.commits WHERE pages_closed IS NOT NULL", doing: "closed pages")
        var isClosed = Set<Int64>()
        for row in 0..<closed.rows { isClosed.insert(closed.integer(row, 0)) }
        let pages = try connection.query(
            """
            WITH RECURSIVE pages AS (
                (SELECT id >> 12 AS page FROM statex.jobs ORDER BY id LIMIT 1)
                UNION ALL
                SELECT (SELECT j.id >> 12 FROM statex.jobs j WHERE j.id >= (p.page + 1) << 12 ORDER BY j.id LIMIT 1)
                FROM pages p WHERE p.page IS NOT NULL
            )
            SELECT page FROM pages WHERE page IS NOT NULL
            """, doing: "open pages")
        var open: [Int64] = []
        for row in 0..<pages.rows {
            let page = pages.integer(row, 0)
            if !isClosed.contains(page) { open.append(page) }
        }
        return open
    }

    /// Orders to cancel stand for ever: a running job that was to stop still is. What no worker had ended with the
    /// order, so only jobs that have a lease count, and only orders since it was given.
    static let cancels = "SELECT unnest(ids) FROM statex.actions WHERE action = 'cancel' AND batch >= $1::bigint"

    private func readCancels(into state: inout RecoveredState) throws(PostgresError) {
        guard let first = state.firstLive else { return }
        let rows = try connection.query(Self.cancels, [String(first)], doing: "orders to cancel")
        var ids = Set<UInt64>()
        for row in 0..<rows.rows { ids.insert(UInt64(bitPattern: rows.integer(row, 0))) }
        for index in state.jobs.indices where state.jobs[index].token != 0 {
            state.jobs[index].isCancelled = ids.contains(state.jobs[index].id)
        }
    }

    private struct Ends {
        /// The final state's number; 0: open.
        var final: UInt8 = 0
        var isFinal: Bool { final > 0 }
        var failures = 0
        var lost: [UInt32] = []
        var retryAt: Int64 = 0
        var endedTokens: [Int64] = []
        var token: Int64 = 0
        var worker: UInt32 = 0
        /// The commit that gave the last lease.
        var batch: Int64 = 0
        var workerOf: [(token: Int64, worker: UInt32)] = []
    }

    private func readPage(_ page: Int64, into state: inout RecoveredState) throws(PostgresError) {
        var ends = [Ends](repeating: Ends(), count: 4_096)
        let leases = try connection.query(
            """
            SELECT e.slot, c.base + e.token, e.worker, c.batch FROM statex.lease_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.workers) AS e(slot, token, worker)
            WHERE c.page = \(page) ORDER BY 2
            """, doing: "leases of a page")
        let outcomes = try connection.query(
            """
            SELECT e.slot, c.base + e.token, e.ends, c.at + (e.retry * 1000000)::bigint FROM statex.outcome_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.ends, coalesce(c.retry_at, '{}')) AS e(slot, token, ends, retry)
            WHERE c.page = \(page) ORDER BY c.batch
            """, doing: "outcomes of a page")
        for row in 0..<leases.rows {
            let slot = Int(leases.integer(row, 0)) & 4_095
            ends[slot].token = leases.integer(row, 1)
            ends[slot].worker = UInt32(truncatingIfNeeded: leases.integer(row, 2))
            ends[slot].batch = leases.integer(row, 3)
            ends[slot].workerOf.append((ends[slot].token, ends[slot].worker))
        }
        for row in 0..<outcomes.rows {
            note(
                &ends[Int(outcomes.integer(row, 0)) & 4_095], token: outcomes.integer(row, 1),
                ends: outcomes.integer(row, 2),
                retryAt: outcomes.integer(row, 3))
        }
        let checkpoints = try connection.query(
            """
            SELECT DISTINCT job FROM statex.checkpoints
            WHERE job >= \(page)::bigint << 12 AND job < (\(page)::bigint + 1) << 12
            """, doing: "checkpoints of a page")
        let checkpointed = Set((0..<checkpoints.rows).map { checkpoints.integer($0, 0) })
        let jobs = try connection.query(
            """
            SELECT j.id, j.opts, j.kind, j.tenant, o.run_at, o.deadline, o.run_limit,
                array_to_string(o.labels, ' '),
                -- What a retry by hand waited for is over.
                CASE WHEN o.retry_of IS NULL THEN array_to_string(o.after_jobs, ' ') END,
                convert_from(o.affinity, 'UTF8'), octet_length(j.payload),
                CASE WHEN o.retry_of IS NOT NULL THEN coalesce(o.request, j.id) END
            FROM statex.jobs j
            LEFT JOIN statex.job_options o ON j.opts >> 45 & 1 = 1 AND o.id = j.id
            WHERE j.id >= \(page) << 12 AND j.id < (\(page) + 1) << 12 ORDER BY j.id
            """, doing: "jobs of a page")
        var siblings: (request: UInt64, found: RecoveredJob.Siblings)?
        for row in 0..<jobs.rows {
            let id = jobs.integer(row, 0)
            let end = ends[Int(id & 4_095)]
            guard !end.isFinal else { continue }
            var job = RecoveredJob(
                id: UInt64(id), opts: UInt64(jobs.integer(row, 1)),
                kind: UInt32(truncatingIfNeeded: jobs.integer(row, 2)),
                tenant: UInt32(truncatingIfNeeded: jobs.integer(row, 3)))
            job.failures = UInt8(min(end.failures, 255))
            job.lostWith = end.lost
            // A job that had a lease was due, whatever the clock on the wall says now.
            job.notBefore = end.token != 0 ? end.retryAt : jobs.integer(row, 4)
            job.deadline = jobs.isNull(row, 5) ? nil : jobs.integer(row, 5)
            job.runLimit = UInt32(truncatingIfNeeded: jobs.integer(row, 6))
            job.payloadLength = UInt32(truncatingIfNeeded: jobs.integer(row, 10))
            job.labels = jobs.text(row, 7).split(separator: " ").compactMap { state.labelNames[String($0)] }
            job.hasCheckpoint = checkpointed.contains(id)
            job.affinity = jobs.isNull(row, 9) ? nil : jobs.text(row, 9)
            if !jobs.isNull(row, 8) {
                job.waitsFor = try unmet(dependencies(inList: jobs.text(row, 8)), of: job, ends, page, &state)
            }
            if !jobs.isNull(row, 11) { job.retriedRequest = UInt64(jobs.integer(row, 11)) }
            if JobOpts.count(job.opts) > 1 {
                let request = job.id - UInt64(JobOpts.index(job.opts))
                if siblings?.request != request {
                    siblings = (request, try self.siblings(of: job, ends, page, &state))
                }
                if let siblings { job.siblings = siblings.found }
            }
            if end.token != 0, !end.endedTokens.contains(end.token) {
                job.token = UInt64(end.token)
                job.worker = end.worker
                state.firstLive = min(state.firstLive ?? end.batch, end.batch)
            }
            state.jobs.append(job)
        }
    }

    /// Those of a job's dependencies that did not succeed, or not yet.
    private func unmet(
        _ after: [JobDependency], of job: RecoveredJob, _ ends: [Ends], _ page: Int64, _ state: inout RecoveredState
    ) throws(PostgresError) -> [JobDependency] {
        let request = Int64(job.id) - Int64(JobOpts.index(job.opts))
        var unmet: [JobDependency] = []
        for dependency in after {
            let final = try final(of: request + Int64(dependency.index), ends, page, &state)
            if final != JobState.succeeded.rawValue { unmet.append(dependency) }
        }
        return unmet
    }

    /// What became of the jobs of a request that are final.
    private func siblings(
        of job: RecoveredJob, _ ends: [Ends], _ page: Int64, _ state: inout RecoveredState
    ) throws(PostgresError) -> RecoveredJob.Siblings {
        let request = Int64(job.id) - Int64(JobOpts.index(job.opts))
        var found = RecoveredJob.Siblings()
        for id in request..<request + Int64(JobOpts.count(job.opts)) {
            switch JobState(rawValue: try final(of: id, ends, page, &state)) {
            case .failed, .dead, .expired: found.hasFailed = true
            case .cancelled: found.hasCancelled = true
            case .succeeded, .blocked, .delayed, .queued, .leased, .running, nil: break
            }
        }
        let first = try connection.query(
            "SELECT kind, tenant FROM statex.jobs WHERE id = \(request)", doing: "the first job of a request")
        guard first.rows == 1 else { return found }
        found.kind = UInt32(truncatingIfNeeded: first.integer(0, 0))
        found.tenant = UInt32(truncatingIfNeeded: first.integer(0, 1))
        return found
    }

    /// The number of a job's final state; 0: it is open. It may stand in the page beside the one that is read,
    /// which may be closed and so not be read otherwise.
    private func final(
        of id: Int64, _ ends: [Ends], _ page: Int64, _ state: inout RecoveredState
    ) throws(PostgresError) -> UInt8 {
        if id >> 12 == page { return ends[Int(id & 4_095)].final }
        if state.finals.page != id >> 12 { state.finals = (id >> 12, try finals(ofPage: id >> 12)) }
        return state.finals.states[Int(id & 4_095)]
    }

    private func finals(ofPage page: Int64) throws(PostgresError) -> [UInt8] {
        let rows = try connection.query(
            """
            SELECT e.slot, e.ends >> 8 FROM statex.outcome_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.ends) AS e(slot, ends)
            WHERE c.page = \(page) AND e.ends >> 8 > 0
            """, doing: "ends of a page")
        var states = [UInt8](repeating: 0, count: 4_096)
        for row in 0..<rows.rows {
            states[Int(rows.integer(row, 0)) & 4_095] = UInt8(truncatingIfNeeded: rows.integer(row, 1))
        }
        return states
    }

    private func note(_ end: inout Ends, token: Int64, ends number: Int64, retryAt: Int64) {
        end.endedTokens.append(token)
        if number >> 8 > 0 { end.final = UInt8(truncatingIfNeeded: number >> 8) }
        // A later attempt shows that the time of the retry before it had come.
        end.retryAt = 0
        switch Ending(rawValue: UInt8(truncatingIfNeeded: number & 255)) {
        case .failed:
            end.failures += 1
            end.retryAt = retryAt
        case .lost:
            guard let worker = end.workerOf.last(where: { $0.token == token })?.worker else { break }
            if !end.lost.contains(worker) { end.lost.append(worker) }
        case .succeeded, .cancelled, .expired, .returned, nil: break
        }
    }
}
