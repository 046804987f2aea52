import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// What `statex verify` found.
package struct VerifyReport: Sendable {
    package var commits = 0
    package var jobs = 0
    package var leases = 0
    package var outcomes = 0
    package var finals = 0
    package var open = 0
    package var results = 0
    /// Each says what is wrong and where; the first 100.
    package var violations: [String] = []
    package var violationCount = 0

    package mutating func violation(_ text: String) {
        violationCount += 1
        if violations.count < 100 { violations.append(text) }
    }
}

/// Judges a journal from its rows alone: it shares no state and no logic with the scheduler.
///
/// - The chain is unbroken, epochs never fall, and each commit holds the rows and the sum that its
///   chain row says.
/// - Each job has at most one final outcome, and nothing happens to it afterwards.
/// - No outcome is of a stale lease; no lease is given while another is live.
/// - Each result belongs to an outcome that says it has one, each checkpoint to a lease that was live.
/// - What retention took and what is there add up to what all commits said they hold.
///
/// It reads one page of jobs at a time, then one stretch of commits at a time.
package struct Verifier: ~Copyable {
    private let connection: Connection

    package init(url: String) throws(PostgresError) {
        let opened = try Session.open(url, name: "statex verify")
        // One snapshot, so that a live journal is judged as of one moment.
        try opened.run(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET idle_in_transaction_session_timeout = 0",
            doing: "verify")
        connection = opened
    }

    package func run(progress: (String) -> Void = { _ in }) throws(PostgresError) -> VerifyReport {
        var report = VerifyReport()
        let ledger = try RetirementLedger(reading: connection)
        try verifyChain(from: ledger.firstBatch, into: &report)
        progress("chain: \(report.commits) commits")
        let pages = try pages()
        for (index, page) in pages.enumerated() {
            try PageVerifier(page: page).verify(on: connection, into: &report)
            if index % 64 == 63 { progress("pages: \(index + 1) of \(pages.count)") }
        }
        try verifySums(ledger, into: &report, progress: progress)
        try ledger.verify(on: connection, into: &report)
        return report
    }

    private func verifyChain(from first: Int64, into report: inout VerifyReport) throws(PostgresError) {
        let shards = try connection.query(
            "SELECT shard, count(*), min(batch), max(batch) FROM statex.commits GROUP BY shard",
            doing: "verify the chain")
        for row in 0..<shards.rows {
            let (shard, count) = (shards.integer(row, 0), shards.integer(row, 1))
            let (low, high) = (shards.integer(row, 2), shards.integer(row, 3))
            report.commits += Int(count)
            if low > max(first, 1) {
                report.violation("shard \(shard): the chain begins at \(low), retention left it from \(max(first, 1))")
            }
            if high - low + 1 != count {
                report.violation(
                    "shard \(shard): the chain from \(low) to \(high) has \(count) commits: \(high - low + 1 - count) are missing"
                )
            }
        }
        let falls = try connection.query(
            """
            SELECT batch, epoch, before FROM (
                SELECT batch, epoch, lag(epoch) OVER w AS before, next_id, lag(next_id) OVER w AS id_before,
                       next_token, lag(next_token) OVER w AS token_before
                FROM statex.commits WINDOW w AS (PARTITION BY shard ORDER BY batch)) c
            WHERE epoch < before OR next_id < id_before OR next_token < token_before LIMIT 10
            """, doing: "verify the chain")
        for row in 0..<falls.rows {
            report.violation("commit \(falls.text(row, 0)): epoch, next id or next token is lower than before it")
        }
    }

    private func pages() throws(PostgresError) -> [Int64] {
        let rows = try connection.query(
            """
            SELECT page FROM (SELECT DISTINCT id >> 12 AS page FROM statex.all_jobs
                UNION SELECT DISTINCT page FROM statex.lease_chunks UNION SELECT DISTINCT page FROM statex.outcome_chunks) p
            ORDER BY page
            """, doing: "verify pages")
        return (0..<rows.rows).map { rows.integer($0, 0) }
    }

    private struct Sum {
        var checksum = Checksum()
        var jobs = 0
        var leases = 0
        var outcomes = 0
        var results = 0
    }

    private static let stretch: Int64 = 20_000

    private func verifySums(_ ledger: RetirementLedger, into report: inout VerifyReport, progress: (String) -> Void)
        throws(PostgresError)
    {
        let bounds = try connection.query(
            "SELECT coalesce(min(batch), 0), coalesce(max(batch), -1) FROM statex.commits", doing: "verify sums")
        var low = bounds.integer(0, 0)
        let last = bounds.integer(0, 1)
        while low <= last {
            try verifySums(low, min(low + Self.stretch - 1, last), ledger, into: &report)
            low += Self.stretch
            progress("sums: \(min(low, last)) of \(last)")
        }
    }

    private func verifySums(
        _ low: Int64, _ high: Int64, _ ledger: RetirementLedger, into report: inout VerifyReport
    ) throws(PostgresError) {
        var sums = [Sum](repeating: Sum(), count: Int(high - low) + 1)
        let range = "batch BETWEEN \(low) AND \(high)"
        let jobs = try connection.queryBinary(
            "SELECT batch, id, opts FROM statex.jobs WHERE \(range)", doing: "verify sums")
        for row in 0..<jobs.rows {
            let at = Int(jobs.binaryInteger(row, 0) - low)
            sums[at].jobs += 1
            sums[at].checksum.addJob(
                id: UInt64(jobs.binaryInteger(row, 1)), opts: UInt64(bitPattern: jobs.binaryInteger(row, 2)))
        }
        let leases = try connection.queryBinary(
            """
            SELECT c.batch, c.page << 12 | e.slot, c.base + e.token, e.worker FROM statex.lease_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.workers) AS e(slot, token, worker) WHERE c.\(range)
            """, doing: "verify sums")
        for row in 0..<leases.rows {
            let at = Int(leases.binaryInteger(row, 0) - low)
            sums[at].leases += 1
            sums[at].checksum.addLease(
                id: UInt64(leases.binaryInteger(row, 1)), token: UInt64(leases.binaryInteger(row, 2)),
                worker: UInt32(truncatingIfNeeded: leases.binaryInteger(row, 3)))
        }
        let outcomes = try connection.queryBinary(
            """
            SELECT c.batch, c.page << 12 | e.slot, c.base + e.token, e.ends FROM statex.outcome_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.ends) AS e(slot, token, ends) WHERE c.\(range)
            """, doing: "verify sums")
        for row in 0..<outcomes.rows {
            let at = Int(outcomes.binaryInteger(row, 0) - low)
            sums[at].outcomes += 1
            sums[at].checksum.addOutcome(
                id: UInt64(outcomes.binaryInteger(row, 1)), token: UInt64(outcomes.binaryInteger(row, 2)),
                ends: UInt64(outcomes.binaryInteger(row, 3)))
        }
        let results = try connection.queryBinary(
            "SELECT batch, job, token, length(body) FROM statex.results WHERE \(range)", doing: "verify sums")
        for row in 0..<results.rows {
            let at = Int(results.binaryInteger(row, 0) - low)
            sums[at].results += 1
            sums[at].checksum.addResult(
                id: UInt64(results.binaryInteger(row, 1)), token: UInt64(results.binaryInteger(row, 2)),
                length: Int(results.binaryInteger(row, 3)))
        }
        let checkpoints = try connection.queryBinary(
            "SELECT batch, job, token, length(data) FROM statex.checkpoints WHERE \(range)", doing: "verify sums")
        for row in 0..<checkpoints.rows {
            sums[Int(checkpoints.binaryInteger(row, 0) - low)].checksum.addCheckpoint(
                id: UInt64(checkpoints.binaryInteger(row, 1)), token: UInt64(checkpoints.binaryInteger(row, 2)),
                length: Int(checkpoints.binaryInteger(row, 3)))
        }
        let chain = try connection.queryBinary(
            "SELECT batch, jobs, leases, outcomes, results, checksum FROM statex.commits WHERE \(range) ORDER BY batch",
            doing: "verify sums")
        for row in 0..<chain.rows {
            let batch = chain.binaryInteger(row, 0)
            let sum = sums[Int(batch - low)]
            let says = (1...4).map { Int(chain.binaryInteger(row, $0)) }
            let holds = [sum.jobs, sum.leases, sum.outcomes, sum.results]
            let mayLack = batch <= ledger.throughBatch && zip(holds, says).allSatisfy(<=)
            if says != holds {
                if mayLack { continue }
                report.violation("commit \(batch): says jobs, leases, outcomes, results \(says), holds \(holds)")
            } else if UInt64(bitPattern: chain.binaryInteger(row, 5)) != sum.checksum.value {
                report.violation("commit \(batch): its rows do not add up to its sum: a row was changed")
            }
        }
    }
}
