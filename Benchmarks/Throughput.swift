import Glibc
import StatexProtocol
import StatexStack

/// Throughput: client, scheduler, workers with the noop handler and Postgres, each a process of its own,
/// from the first submit to the last durable outcome.
package struct Throughput {
    package var jobs = 400_000
    package var payloadBytes = 256
    package var workers = 1
    /// What a worker has by default.
    package var slots = 2
    package var jobsInMessage = 500

    package init() {}

    package struct Report {
        package var jobsPerSecond = 0.0
        package var limits: [Double] = []
        package var use: [(name: String, use: ProcessUse)] = []
        package var missing = 0
        package var doubled = 0
        package var jobs = 0

        package var limit: Double { limits.reduce(0, +) / Double(max(limits.count, 1)) }

        package var json: JSONText {
            var text = JSONText()
            text.object {
                $0.member("jobs_per_second", jobsPerSecond.rounded())
                $0.member("limit_jobs_per_second", limit.rounded())
                $0.member("ratio_to_limit", jobsPerSecond / max(limit, 1))
                $0.object("cpu_seconds_per_million") {
                    for (name, use) in use { $0.member(name, use.cpuSeconds / Double(max(jobs, 1)) * 1_000_000) }
                }
                $0.object("peak_rss_bytes") { for (name, use) in use { $0.member(name, use.peakBytes) } }
                $0.member("missing", missing)
                $0.member("doubled", doubled)
                $0.member("jobs", jobs)
            }
            return text
        }
    }

    /// - Parameter progress: told what happens.
    package func run(program: String, progress: (String) -> Void) throws -> Report {
        progress("starting a private stack")
        var stack = try BenchStack(program: program)
        var report = Report()
        report.jobs = jobs
        progress("measuring the floor")
        report.limits.append(try Floor.run(url: stack.database))
        try stack.startWorkers(workers, slots: slots)
        let postgres = stack.postgres.pid ?? 0
        let before = ProcessUse.ofTree(postgres)
        progress("running \(jobs) jobs")
        let load = try ClientProcess.run(
            program, endpoint: stack.submitEndpoint, jobs: jobs, payloadBytes: payloadBytes,
            jobsInMessage: jobsInMessage,
            directory: stack.directory, watch: stack.watch)
        report.jobsPerSecond = Double(jobs) / load.seconds
        var database = ProcessUse.ofTree(postgres)
        database.cpuSeconds -= before.cpuSeconds
        report.use = [
            ("client", load.use), ("scheduler", .of(process: stack.schedulerPID)),
            (
                "worker",
                stack.workerPIDs.map { ProcessUse.of(process: $0) }.reduce(ProcessUse()) { sum, one in
                    ProcessUse(
                        cpuSeconds: sum.cpuSeconds + one.cpuSeconds, peakBytes: max(sum.peakBytes, one.peakBytes))
                }
            ),
            ("postgres", database),
        ]
        progress("counting")
        let count = try JournalCount(of: jobs, stack.database)
        report.missing = count.missing
        report.doubled = count.doubled
        report.limits.append(try Floor.run(url: stack.database))
        return report
    }
}
