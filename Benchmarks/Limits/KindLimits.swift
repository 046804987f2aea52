import StatexClient
import StatexPostgres
import StatexProtocol
import StatexStack

/// What limits of a kind promise, on two workers with eight slots each: they hold while workers crash, what waits
/// for them slows nobody else, and one that does not bind costs next to nothing.
package struct KindLimits {
    package var running = 8
    package var startsPerSecond = 50
    package var burst = 10
    package var crashSeconds = 60
    package var backlog = 20_000
    package var pairs = 5
    package var jobsInWindow = 300_000

    /// Of the limited kind, by turns: at the first the rate binds, at the second the number that runs.
    private static let shortMilliseconds = 10
    private static let longMilliseconds = 300
    private static let turn = 100
    /// From one crash to the next: longer than it takes to lose a worker and to welcome another.
    private static let crashEverySeconds = 3
    /// Which worker crashes, or both.
    private static let crashes = [[0], [1], [0, 1]]
    private static let (limited, unlimited, bounded) = ("limited", "unlimited", "bounded")

    package init() {}

    package func run(program: String, progress: (String) -> Void) async throws -> Report {
        progress("starting a private stack")
        var stack = try BenchStack(program: program, configuration: configuration)
        try stack.startWorkers(2, slots: 8, kinds: [Self.limited, Self.unlimited, Self.bounded])
        var settings = ClientSettings()
        settings.connectTimeout = .seconds(30)
        let client = try await Client(stack.submitEndpoint, settings: settings)
        let desk = Desk(client: client)
        var report = Report(running: running, startsInSecond: startsPerSecond + burst)
        try await crash(&stack, desk, &report, progress)
        // Warm: the kinds' run times are known, and credit has grown.
        for kind in [Self.unlimited, Self.bounded] { _ = try rate(of: kind, jobsInWindow / 10, stack) }
        try await report.besideBacklog.run(pairs) { isWith in
            progress("an unlimited kind \(isWith ? "beside a backlog of a limited one" : "alone")")
            if isWith { _ = try await client.submit(bulk: limitedJobs) }
            let rate = try rate(of: Self.unlimited, jobsInWindow, stack)
            if isWith { try await desk.cancelAll(of: Self.limited) }
            return rate
        }
        try await report.cost.run(pairs) { isWith in
            progress("a kind \(isWith ? "with a limit that does not bind" : "without a limit")")
            let before = ProcessUse.cpuNanoseconds(stack.schedulerPID)
            _ = try rate(of: isWith ? Self.bounded : Self.unlimited, jobsInWindow, stack)
            return Double(ProcessUse.cpuNanoseconds(stack.schedulerPID) - before) / 1_000 / Double(jobsInWindow)
        }
        await client.close()
        return report
    }

    private var configuration: String {
        """
        kinds:
          limited:
            limit: {running: \(running), per_second: \(startsPerSecond), burst: \(burst)}
          bounded:
            limit: {running: 100000, per_second: 1000000, burst: 1000000}

        """
    }

    private var limitedJobs: BulkJobs {
        BulkJobs(count: backlog, kind: Self.limited) { job, payload in
            let isShort = job / Self.turn % 2 == 0
            payload.append(String(isShort ? Self.shortMilliseconds : Self.longMilliseconds))
        }
    }

    /// Workers are killed and replaced again and again while the limited kind has a backlog.
    private func crash(
        _ stack: inout BenchStack, _ desk: Desk, _ report: inout Report, _ progress: (String) -> Void
    ) async throws {
        progress("a limited kind while workers crash, for \(crashSeconds) s")
        _ = try await desk.client.submit(bulk: limitedJobs)
        let end = ContinuousClock.now + .seconds(crashSeconds)
        while ContinuousClock.now < end {
            for worker in Self.crashes[report.crashes % Self.crashes.count] { try stack.replaceWorker(worker) }
            report.crashes += 1
            try stack.watch()
            try await Task.sleep(for: .seconds(Self.crashEverySeconds))
        }
        progress("counting")
        try await desk.cancelAll(of: Self.limited)
        let count = try JournalCount(of: backlog, stack.database)
        report.missing = count.missing
        report.doubled = count.doubled
        report.audit = try LimitAudit(ofKind: Self.limited, stack.database)
    }

    /// Jobs of a kind a second, from the first submit to the last durable outcome.
    private func rate(of kind: String, _ jobs: Int, _ stack: borrowing BenchStack) throws -> Double {
        let load = try ClientProcess.run(
            stack.program, endpoint: stack.submitEndpoint, jobs: jobs, kind: kind, payloadBytes: 256,
            jobsInMessage: 500, directory: stack.directory, watch: stack.watch)
        return Double(jobs) / load.seconds
    }
}

/// Takes back what still waits.
private final class Desk {
    let client: Client
    private var number: UInt64 = 0

    init(client: Client) { self.client = client }

    /// Returns when nothing is open.
    func cancelAll(of kind: String) async throws {
        var hasMore = true
        while hasMore {
            number += 1
            var order = Order(.cancel, number: number, who: "statex bench")
            order.filter.kind = kind
            hasMore = try await client.order(order).hasMore
        }
        let deadline = ContinuousClock.now + .seconds(60)
        while try await openJobs() > 0 {
            guard ContinuousClock.now < deadline else { throw StackError("jobs were open 60 s after their cancel") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func openJobs() async throws -> Int {
        try JSONObject(Array(try await client.schedulerStatus().utf8)).integer("open_jobs") ?? 0
    }
}
