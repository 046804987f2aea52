// What it costs the scheduler and the journal that many look on: windows with and without a crowd before a gateway, in
// turns, on one stack whose jobs flow all the time.

import CLinux
import Glibc
import StatexPostgres
import StatexProtocol
import StatexStack

package struct GatewayCost {
    /// Half of them with the crowd, after one with it that warms up.
    package var windows = 4
    package var seconds = 60
    package var listeners = 1_000
    package var readsPerSecond = 500
    /// 0: as many as the stack takes.
    package var jobsPerSecond = 0
    /// Until a window begins. Longer than a gateway keeps its subscription when nobody listens any more.
    package var lead = 35

    package init() {}

    /// - Parameter progress: told what happens.
    package func run(program: String, progress: (String) -> Void) async throws -> Report {
        progress("starting a private stack")
        var stack = try BenchStack(program: program)
        try stack.startWorkers(1, slots: 2)
        try Self.stopVacuums(stack.database)
        let gateway = try GatewayProcess(stack)
        let load = try ThroughputLoad(stack, jobsPerSecond: jobsPerSecond)
        let watchStack = stack.watch
        var report = Report(target: (listeners, readsPerSecond))
        for number in 0...windows {
            // The crowd is there first, so that each that counts follows on one without.
            let isThere = number % 2 == 0
            progress(
                "window \(number) of \(windows)\(number == 0 ? ", to warm up," : "") \(isThere ? "with" : "without") "
                    + "a crowd")
            let window = try await window(stack, gateway, isThere) {
                try watchStack()
                try load.check()
                try gateway.check()
            }
            if number == 0 { report.warmUp = window } else { report.windows.append(window) }
        }
        progress("counting")
        report.jobs = report.all.reduce(try load.end()) { $0 + $1.crowdJobs }
        let count = try JournalCount(of: report.jobs, stack.database)
        report.missing = count.missing
        report.doubled = count.doubled
        return report
    }

    private func window(
        _ stack: borrowing BenchStack, _ gateway: borrowing GatewayProcess, _ isThere: Bool, _ watch: () throws -> Void
    ) async throws -> Window {
        var crowd = Crowd()
        crowd.endpoint = stack.submitEndpoint
        crowd.gateway = gateway.url
        crowd.token = gateway.token
        crowd.seconds = seconds
        crowd.lead = lead
        crowd.listeners = listeners
        crowd.readsPerSecond = readsPerSecond
        crowd.isThere = isThere
        let process = try CrowdProcess(crowd, program: stack.program, directory: stack.directory)
        while try !process.hasBegun() { try await Self.nap(watch) }
        let before = Sample(stack, gateway)
        let start = ContinuousClock.now
        var bytes: [Int] = []
        while ContinuousClock.now < start + .seconds(seconds) {
            try await Self.nap(watch)
            // Each second: what it holds goes up and down with what it gives back.
            if ContinuousClock.now >= start + .seconds(bytes.count) { bytes.append(gateway.residentBytes) }
        }
        let after = Sample(stack, gateway)
        var window = Window(
            isWith: isThere, before, after, gatewayBytes: bytes.sorted()[bytes.count / 2],
            said: try process.end(atMost: .seconds(120)))
        window.jobs = try Self.jobs(between: before.at, after.at, stack.database)
        return window
    }

    /// What a vacuum does in one window it does for the jobs of all windows before: it costs the same whoever looks on,
    /// and would fall on the one or the other by chance. Nothing is analyzed either, as in a journal of a minute's age.
    private static func stopVacuums(_ url: String) throws(PostgresError) {
        let connection = try Connection(url, name: "statex bench")
        for statement in ["ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"] {
            try connection.run(statement, doing: "stop vacuums")
        }
    }

    private static func nap(_ watch: () throws -> Void) async throws {
        try await Task.sleep(for: .milliseconds(20))
        try watch()
    }

    /// Jobs that ended in this time. None fails here, so each outcome is a job's end.
    private static func jobs(between start: Int64, _ end: Int64, _ url: String) throws(PostgresError) -> Int {
        let connection = try Connection(url, name: "statex bench")
        let rows = try connection.query(
            "SELECT coalesce(sum(outcomes), 0) FROM statex.commits WHERE at >= \(start) AND at < \(end)",
            doing: "count commits")
        return Int(rows.integer(0, 0))
    }

    /// What processes had used at a moment.
    struct Sample {
        let at = clinux_wall_microseconds()
        let schedulerSeconds: Double
        let postgresSeconds: Double
        let gatewaySeconds: Double

        init(_ stack: borrowing BenchStack, _ gateway: borrowing GatewayProcess) {
            schedulerSeconds = Double(ProcessUse.cpuNanoseconds(stack.schedulerPID)) / 1e9
            postgresSeconds = ProcessUse.ofTree(stack.postgres.pid ?? 0).cpuSeconds
            gatewaySeconds = Double(ProcessUse.cpuNanoseconds(gateway.pid)) / 1e9
        }
    }
}
