import StatexClient
import StatexProtocol
import StatexSchedulerCore
import StatexStack

/// Skew: many short jobs and a few long ones of the same kind, submitted at once, on two workers with two
/// slots each. Compared with an ideal list scheduler that gives the next job of the order to whichever
/// slot is free first, without any overhead.
package struct Skew {
    package var seeds: ClosedRange<UInt64> = 1...5
    package var shortJobs = 190
    package var shortMilliseconds = 10
    package var longJobs = 10
    package var longMilliseconds = 500
    package var workers = 2
    package var slots = 2

    package init() {}

    package struct Report: Sendable {
        /// Makespan over the ideal one, of each seed.
        package var stealing: [Double] = []
        package var withoutStealing: [Double] = []

        package var json: JSONText {
            var text = JSONText()
            text.object {
                $0.member("makespan_ratio", mean(stealing))
                $0.member("makespan_ratio_without_stealing", mean(withoutStealing))
                $0.array("runs", Array(zip(stealing, withoutStealing))) { run, json in
                    json.member("stealing", run.0)
                    json.member("without", run.1)
                }
            }
            return text
        }

        private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }
    }

    package func run(program: String, progress: (String) -> Void) async throws -> Report {
        var report = Report()
        for seed in seeds {
            progress("seed \(seed) of \(seeds.upperBound)")
            let times = order(seed)
            let ideal = idealMakespan(times)
            report.stealing.append(try await makespan(times, isStealing: true, program) / ideal)
            report.withoutStealing.append(try await makespan(times, isStealing: false, program) / ideal)
        }
        return report
    }

    /// The jobs' times in milliseconds, shuffled.
    private func order(_ seed: UInt64) -> [Int] {
        var generator = SeededGenerator(seed: seed)
        let times =
            [Int](repeating: shortMilliseconds, count: shortJobs)
            + [Int](repeating: longMilliseconds, count: longJobs)
        return times.shuffled(using: &generator)
    }

    /// In seconds.
    private func idealMakespan(_ times: [Int]) -> Double {
        var free = [Int](repeating: 0, count: workers * slots)
        for time in times {
            guard let first = free.indices.min(by: { free[$0] < free[$1] }) else { break }
            free[first] += time
        }
        return Double(free.max() ?? 0) / 1_000
    }

    /// From the submit to the last result, in seconds.
    private func makespan(_ times: [Int], isStealing: Bool, _ program: String) async throws -> Double {
        var stack = try BenchStack(program: program, settings: ["stealing=\(isStealing)"])
        try stack.startWorkers(workers, slots: slots)
        var settings = ClientSettings()
        settings.connectTimeout = .seconds(30)
        let client = try await Client(stack.submitEndpoint, settings: settings)
        try await warmUp(client, stack.watch)
        let jobs = times.map { JobSpec(kind: "sleep", payload: .text("{\"ms\":\($0)}")) }
        let started = ContinuousClock.now
        let result = try await client.submit(Request(jobs)).result()
        let took = (ContinuousClock.now - started).components
        await client.close()
        guard result.state == .succeeded else { throw StackError("a job of the benchmark did not succeed") }
        return Double(took.seconds) + Double(took.attoseconds) / 1e18
    }

    /// Until both workers have run something: connections, plans, caches.
    private func warmUp(_ client: Client, _ watch: () throws -> Void) async throws {
        for _ in 0..<10 {
            let jobs = (0..<2 * workers * slots).map { _ in JobSpec(kind: "noop", payload: .bytes([])) }
            let handle = try await client.submit(Request(jobs))
            try watch()
            _ = try await handle.result()
        }
    }
}
