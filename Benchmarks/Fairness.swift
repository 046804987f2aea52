import StatexClient
import StatexPostgres
import StatexProtocol
import StatexStack

/// Fairness between tenants, on one worker with eight slots and jobs of 1 ms.
///
/// A tenant that comes late: how many jobs of a tenant with a long backlog end between the acknowledgement
/// of its ten and the last of them. And two tenants with weights 1 and 3: what each got while both had work.
package struct Fairness {
    package var backlog = 20_000
    package var lateJobs = 10
    package var weightedJobs = 6_000
    package var slots = 8

    package init() {}

    package struct Report: Sendable {
        package var overtaken = 0
        package var share = 0.0

        package var json: JSONText {
            var text = JSONText()
            text.object {
                $0.member("jobs_of_others_until_late_tenant_done", overtaken)
                $0.member("completions_ratio_at_weights_1_to_3", share)
            }
            return text
        }
    }

    package func run(program: String, progress: (String) -> Void) async throws -> Report {
        var report = Report()
        progress("a tenant that comes late")
        try await withStack(program, "") { client, url in
            let early = try await client.submit(bulk: jobs(backlog, "early"))
            let late = try await client.submit(bulk: jobs(lateJobs, "late"))
            _ = try await late.finals()
            report.overtaken = try Self.number(
                """
                WITH late AS (
                    SELECT max(s.created_at) AS submitted, max(s.ended_at) AS done FROM statex.job_status s
                    WHERE s.tenant = 'late' AND s.id >= \(late.accepted[0].firstID.rawValue)
                ), early AS (\(Self.finals(of: "early")))
                SELECT count(*) FROM early, late WHERE early.ended_at BETWEEN late.submitted AND late.done
                """, url)
            _ = try await early.finals()
        }
        progress("weights 1 and 3")
        try await withStack(program, "tenants:\n  light: {weight: 1}\n  heavy: {weight: 3}\n") { client, url in
            let light = try await client.submit(bulk: jobs(weightedJobs, "light"))
            let heavy = try await client.submit(bulk: jobs(weightedJobs, "heavy"))
            _ = try await heavy.finals()
            _ = try await light.finals()
            let thousandths = try Self.number(
                """
                WITH light AS (\(Self.finals(of: "light"))), heavy AS (\(Self.finals(of: "heavy"))),
                    shared AS (
                        SELECT (SELECT max(created_at) FROM heavy) AS begun,
                               least((SELECT max(ended_at) FROM heavy), (SELECT max(ended_at) FROM light)) AS over
                    )
                SELECT 1000 * (SELECT count(*) FROM heavy, shared WHERE ended_at BETWEEN begun AND over)
                    / greatest(1, (SELECT count(*) FROM light, shared WHERE ended_at BETWEEN begun AND over))
                """, url)
            report.share = Double(thousandths) / 1_000
        }
        return report
    }

    private func jobs(_ count: Int, _ tenant: String) -> BulkJobs {
        var jobs = BulkJobs(count: count, kind: "sleep", payload: Array(#"{"ms":1}"#.utf8))
        jobs.tenant = tenant
        jobs.countsFinals = true
        return jobs
    }

    /// Every final outcome of a tenant: when its job was submitted, when it ended.
    private static func finals(of tenant: String) -> String {
        """
        SELECT statex.time(j.created) AS created_at, o.ended_at FROM statex.jobs j
        JOIN statex.names n ON n.number = j.tenant AND n.name = '\(tenant)'
        JOIN statex.outcomes o ON o.job = j.id AND o.final
        """
    }

    private static func number(_ sql: String, _ url: String) throws(PostgresError) -> Int {
        let connection = try Connection(url, name: "statex bench")
        return Int(try connection.query(sql, doing: "count").integer(0, 0))
    }

    private func withStack(
        _ program: String, _ configuration: String, _ body: (Client, String) async throws -> Void
    ) async throws {
        var stack = try BenchStack(program: program, configuration: configuration)
        try stack.startWorkers(1, slots: slots)
        var settings = ClientSettings()
        settings.connectTimeout = .seconds(30)
        let client = try await Client(stack.submitEndpoint, settings: settings)
        // Warm: the worker is there, and the kind's run time is known.
        var first = jobs(100, "first")
        first.jobsInMessage = 10
        _ = try await client.submit(bulk: first).finals()
        try await body(client, stack.database)
        await client.close()
        try stack.watch()
    }
}
