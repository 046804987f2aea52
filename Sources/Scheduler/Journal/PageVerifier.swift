import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// Judges what happened to the jobs of one page.
struct PageVerifier {
    let page: Int64

    private struct Lease {
        var token: Int64
        var batch: Int64
    }
    private struct Outcome {
        var token: Int64
        var batch: Int64
        var ends: Int64
        var isFinal: Bool { ends >> 8 > 0 }
    }
    private struct History {
        var exists = false
        var leases: [Lease] = []
        var outcomes: [Outcome] = []
        var results: [(token: Int64, batch: Int64)] = []
        var checkpoints: [(token: Int64, batch: Int64)] = []
    }

    func verify(on connection: borrowing Connection, into report: inout VerifyReport) throws(PostgresError) {
        var histories = [History](repeating: History(), count: 4_096)
        let jobs = try connection.queryBinary(
            "SELECT id FROM statex.all_jobs WHERE id >= \(page)::bigint << 12 AND id < (\(page)::bigint + 1) << 12",
            doing: "verify jobs")
        for row in 0..<jobs.rows { histories[Int(jobs.binaryInteger(row, 0) & 4_095)].exists = true }
        report.jobs += jobs.rows
        let leases = try connection.queryBinary(
            """
            SELECT e.slot, c.base + e.token, c.batch FROM statex.lease_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.tokens) AS e(slot, token) WHERE c.page = \(page) ORDER BY 2
            """, doing: "verify leases")
        for row in 0..<leases.rows {
            histories[Int(leases.binaryInteger(row, 0))].leases.append(
                Lease(token: leases.binaryInteger(row, 1), batch: leases.binaryInteger(row, 2)))
        }
        report.leases += leases.rows
        let outcomes = try connection.queryBinary(
            """
            SELECT e.slot, c.base + e.token, c.batch, e.ends FROM statex.outcome_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.ends) AS e(slot, token, ends) WHERE c.page = \(page) ORDER BY 3, 2
            """, doing: "verify outcomes")
        for row in 0..<outcomes.rows {
            histories[Int(outcomes.binaryInteger(row, 0))].outcomes.append(
                Outcome(
                    token: outcomes.binaryInteger(row, 1), batch: outcomes.binaryInteger(row, 2),
                    ends: outcomes.binaryInteger(row, 3)))
        }
        report.outcomes += outcomes.rows
        let results = try connection.queryBinary(
            """
            SELECT job, token, batch FROM statex.results
            WHERE job >= \(page)::bigint << 12 AND job < (\(page)::bigint + 1) << 12
            """, doing: "verify results")
        for row in 0..<results.rows {
            histories[Int(results.binaryInteger(row, 0) & 4_095)].results.append(
                (results.binaryInteger(row, 1), results.binaryInteger(row, 2)))
        }
        report.results += results.rows
        let checkpoints = try connection.queryBinary(
            """
            SELECT job, token, batch FROM statex.checkpoints
            WHERE job >= \(page)::bigint << 12 AND job < (\(page)::bigint + 1) << 12
            """, doing: "verify checkpoints")
        for row in 0..<checkpoints.rows {
            histories[Int(checkpoints.binaryInteger(row, 0) & 4_095)].checkpoints.append(
                (checkpoints.binaryInteger(row, 1), checkpoints.binaryInteger(row, 2)))
        }
        try verifyResultCounts(on: connection, into: &report)
        for (offset, history) in histories.enumerated() { judge(history, id: page << 12 | Int64(offset), &report) }
    }

    /// Chunks say how many of their outcomes have a result; the rows must agree.
    private func verifyResultCounts(on connection: borrowing Connection, into report: inout VerifyReport)
        throws(PostgresError)
    {
        let differ = try connection.query(
            """
            SELECT coalesce(c.batch, r.batch), coalesce(c.n, 0), coalesce(r.n, 0) FROM
                (SELECT batch, sum(with_result) AS n FROM statex.outcome_chunks WHERE page = \(page) GROUP BY batch) c
            FULL JOIN
                (SELECT batch, count(*) AS n FROM statex.results
                 WHERE job >= \(page)::bigint << 12 AND job < (\(page)::bigint + 1) << 12 GROUP BY batch) r USING (batch)
            WHERE coalesce(c.n, 0) <> coalesce(r.n, 0) LIMIT 10
            """, doing: "verify results")
        for row in 0..<differ.rows {
            report.violation(
                "page \(page), commit \(differ.text(row, 0)): its chunks say \(differ.text(row, 1)) results, there are \(differ.text(row, 2))"
            )
        }
    }

    private func judge(_ history: History, id: Int64, _ report: inout VerifyReport) {
        guard history.exists else {
            if !history.leases.isEmpty || !history.outcomes.isEmpty || !history.results.isEmpty
                || !history.checkpoints.isEmpty
            {
                report.violation("job \(id): has leases, outcomes, results or checkpoints, and no row")
            }
            return
        }
        let finals = history.outcomes.filter(\.isFinal)
        report.finals += finals.count
        if finals.isEmpty { report.open += 1 }
        if finals.count > 1 { report.violation("job \(id): \(finals.count) final outcomes") }
        if let final = finals.first {
            if history.outcomes.contains(where: { $0.batch > final.batch }) {
                report.violation("job \(id): an outcome after its final one")
            }
            if history.leases.contains(where: { $0.token > final.token && final.token != 0 || $0.batch > final.batch })
            {
                report.violation("job \(id): a lease after its final outcome")
            }
        }
        judgeLeases(history, id: id, &report)
        judgeCheckpoints(history, id: id, &report)
        for result in history.results
        where !history.outcomes.contains(where: { $0.token == result.token && $0.batch == result.batch }) {
            report.violation("job \(id): a result of token \(result.token) without its outcome")
        }
    }

    /// A checkpoint is taken while its lease is live: not before the commit that gave it, nor after the one that
    /// ended it.
    private func judgeCheckpoints(_ history: History, id: Int64, _ report: inout VerifyReport) {
        for checkpoint in history.checkpoints {
            let lease = history.leases.first { $0.token == checkpoint.token }
            let end = history.outcomes.first { $0.token == checkpoint.token }
            if lease == nil || lease.map({ $0.batch > checkpoint.batch }) == true
                || end.map({ $0.batch < checkpoint.batch }) == true
            {
                report.violation("job \(id): a checkpoint of token \(checkpoint.token), which was not live")
            }
        }
    }

    private func judgeLeases(_ history: History, id: Int64, _ report: inout VerifyReport) {
        for (index, lease) in history.leases.enumerated() {
            let ends = history.outcomes.filter { $0.token == lease.token }
            if ends.count > 1 { report.violation("job \(id): \(ends.count) outcomes of token \(lease.token)") }
            if index > 0, history.leases[index - 1].token == lease.token {
                report.violation("job \(id): two leases with token \(lease.token)")
            }
            guard let next = history.leases.dropFirst(index + 1).first else { continue }
            // The next lease may be given in the commit that ends this one, never before.
            if ends.first.map({ $0.batch > next.batch }) ?? true {
                report.violation("job \(id): leased with token \(next.token) while token \(lease.token) was live")
            }
        }
        for outcome in history.outcomes where outcome.token != 0 {
            guard let lease = history.leases.first(where: { $0.token == outcome.token }) else {
                report.violation("job \(id): an outcome of token \(outcome.token), which was never leased")
                continue
            }
            if lease.batch > outcome.batch {
                report.violation("job \(id): token \(outcome.token) ended before it was leased")
            }
            if history.leases.contains(where: { $0.token > outcome.token && $0.batch < outcome.batch }) {
                report.violation("job \(id): an outcome of the stale token \(outcome.token)")
            }
        }
    }
}
