import Glibc
import StatexPostgres
import StatexProtocol
import StatexStack

/// Backlog: what a job costs that waits, in the scheduler's memory and on the disk. No worker runs.
package struct Backlog {
    package var jobs = 1_000_000
    package var payloadBytes = 256

    package init() {}

    package struct Report: Sendable {
        package var schedulerBytesPerJob = 0.0
        package var diskBytesPerJob = 0.0
        package var jobsPerSecond = 0.0

        package var json: JSONText {
            var text = JSONText()
            text.object {
                $0.member("scheduler_bytes_per_job", schedulerBytesPerJob)
                $0.member("disk_bytes_per_job", diskBytesPerJob)
                $0.member("submitted_jobs_per_second", jobsPerSecond.rounded())
            }
            return text
        }
    }

    package func run(program: String, progress: (String) -> Void) throws -> Report {
        progress("starting a private stack")
        let stack = try BenchStack(program: program)
        try ClientProcess.warm(program, endpoint: stack.submitEndpoint, directory: stack.directory)
        let before = ProcessUse.of(process: stack.schedulerPID).peakBytes
        progress("submitting \(jobs) jobs that nobody runs")
        let load = try ClientProcess.run(
            program, endpoint: stack.submitEndpoint, jobs: jobs, payloadBytes: payloadBytes, jobsInMessage: 500,
            waits: false, directory: stack.directory)
        let after = ProcessUse.of(process: stack.schedulerPID).peakBytes
        let connection = try Connection(stack.database, name: "statex bench")
        let rows = try connection.query(
            """
            SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'statex' AND c.relkind = 'r'
            """, doing: "size")
        return Report(
            schedulerBytesPerJob: Double(after - before) / Double(jobs),
            diskBytesPerJob: Double(rows.integer(0, 0)) / Double(jobs), jobsPerSecond: Double(jobs) / load.seconds)
    }
}
