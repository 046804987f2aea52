import Glibc
import StatexClient
import StatexProtocol
import StatexStack

/// A stream of jobs that ends when it is told to: `statex bench load` (hidden). As many as the stack takes, or so many a
/// second.
package final class ThroughputLoad {
    private let child: ChildProcess
    private let log: String

    init(_ stack: borrowing BenchStack, jobsPerSecond: Int) throws {
        log = stack.directory + "/load.log"
        var command = Command(
            stack.program,
            ["bench", "load", "--endpoint", stack.submitEndpoint, "--jobs-per-second", String(jobsPerSecond)],
            environment: BenchStack.environment)
        command.log = log
        child = try ChildProcess.start(command)
    }

    deinit {
        child.signal(SIGKILL)
        _ = child.wait(atMost: .seconds(10))
    }

    /// Throws if it ended by itself.
    func check() throws {
        guard ProcessUse.hasEnded(child.pid) else { return }
        throw StackError("the load ended: \(ProcessUse.text(log))")
    }

    /// Ends it, once all of its jobs are final.
    /// - Returns: how many the scheduler had acknowledged.
    func end() throws -> Int {
        child.signal(SIGTERM)
        let end = child.wait(atMost: .seconds(120))
        let said = ProcessUse.text(log)
        guard end == .exited(0), let jobs = Int(said.filter { !$0.isWhitespace }) else {
            throw StackError("the load ended with \(end.map(\.description) ?? "nothing"): \(said)")
        }
        return jobs
    }

    // MARK: What the process itself does

    private static let payloadBytes = 256
    /// Open jobs of a load without a rate: as `bench throughput` has on the way, so that no slot lacks work.
    private static let lanes = 5
    private static let jobsOfLane = 16_000
    /// With a rate: so many submits a second, and how many of them may be open before they wait for each other.
    private static let ticks = 20
    private static let openTicks = 100

    /// Submits until it is told to stop, waits until all is final, and prints how many jobs that were.
    package static func main(endpoint: String, jobsPerSecond: Int, isStopped: @Sendable () -> Bool) async throws {
        var settings = ClientSettings()
        settings.connectTimeout = .seconds(30)
        let client = try await Client(endpoint, settings: settings)
        let isPaced = jobsPerSecond > 0
        var jobs = BulkJobs(
            count: isPaced ? max(1, jobsPerSecond / ticks) : jobsOfLane, kind: "noop",
            payload: [UInt8](repeating: 120, count: payloadBytes))
        jobs.countsFinals = true
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            var (sum, open) = (0, 0)
            var due = ContinuousClock.now
            while !isStopped() {
                if isPaced {
                    // Late: what it is behind is not made up for in one burst.
                    due = max(due + .seconds(1) / ticks, .now - .seconds(1))
                    try await Task.sleep(until: due, clock: .continuous)
                }
                if open == (isPaced ? openTicks : lanes) {
                    sum += try await group.next() ?? 0
                    open -= 1
                }
                open += 1
                group.addTask { [jobs] in
                    let finals = try await client.submit(bulk: jobs).finals()
                    guard finals.succeeded == jobs.count else {
                        throw ClientError.invalid("\(finals) of \(jobs.count) jobs succeeded")
                    }
                    return jobs.count
                }
            }
            for try await one in group { sum += one }
            return sum
        }
        print(sum)
        await client.close()
    }
}
