import StatexClient
import StatexJournal
import StatexProtocol
import StatexStack

/// Latency: one job at a time, submit to durable result, and alternating with it a bare commit of one
/// job's whole life, with the same connection settings.
package struct Latency {
    package var jobs = 500
    package var payloadBytes = 256

    package init() {}

    package struct Report: Sendable {
        package var p50 = 0.0
        package var p99 = 0.0
        package var commitP50 = 0.0

        package var json: JSONText {
            var text = JSONText()
            text.object {
                $0.member("p50_ms", p50)
                $0.member("p99_ms", p99)
                $0.member("commit_p50_ms", commitP50)
                $0.member("p50_in_commits", p50 / max(commitP50, 0.000_001))
            }
            return text
        }
    }

    package func run(program: String, progress: (String) -> Void) async throws -> Report {
        progress("starting a private stack")
        var stack = try BenchStack(program: program)
        try stack.startWorkers(1, slots: 1)
        var settings = ClientSettings()
        settings.connectTimeout = .seconds(30)
        let client = try await Client(stack.submitEndpoint, settings: settings)
        let request = Request(kind: "noop", payload: .bytes([UInt8](repeating: 120, count: payloadBytes)))
        // Warm: connections, plans, caches.
        let watch = stack.watch
        for _ in 0..<20 {
            let handle = try await client.submit(request)
            try watch()
            _ = try await handle.result()
        }
        let owner = Owner(number: .random(in: 1 ... .max), name: "bench latency")
        var probe = try JournalProbe(url: stack.database, owner: owner, payloadBytes: payloadBytes)
        var times: [Double] = []
        var commits: [Double] = []
        progress("running \(jobs) jobs, one at a time")
        for _ in 0..<jobs {
            let started = ContinuousClock.now
            _ = try await client.submit(request).result()
            let took = (ContinuousClock.now - started).components
            times.append(Double(took.seconds) * 1_000 + Double(took.attoseconds) / 1e15)
            commits.append(Double(try probe.commitOne()) / 1_000_000)
        }
        await client.close()
        times.sort()
        commits.sort()
        return Report(
            p50: times[times.count / 2], p99: times[min(times.count * 99 / 100, times.count - 1)],
            commitP50: commits[commits.count / 2])
    }
}
