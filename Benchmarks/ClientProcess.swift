import Glibc
import StatexClient
import StatexProtocol
import StatexStack

/// The load of a benchmark, in a process of its own: `statex bench client` (hidden).
package enum ClientProcess {
    package struct Result {
        package var seconds = 0.0
        package var use = ProcessUse()
    }

    /// Starts it and reads what it measured.
    static func run(
        _ program: String, endpoint: String, jobs: Int, kind: String = "noop", payloadBytes: Int, jobsInMessage: Int,
        waits: Bool = true, directory: String, watch: () throws -> Void = {}
    ) throws -> Result {
        var command = Command(
            program,
            [
                "bench", "client", "--endpoint", endpoint, "--jobs", String(jobs), "--payload-bytes",
                String(payloadBytes), "--kind", kind,
                "--jobs-in-message", String(jobsInMessage),
            ] + (waits ? [] : ["--no-wait"]), environment: BenchStack.environment)
        command.log = directory + "/client.log"
        let child = try ChildProcess.start(command)
        let status = try waitFor(child, watch: watch)
        let said = ProcessUse.text(directory + "/client.log")
        guard status == .exited(0) else { throw StackError("the load ended with \(status): \(said)") }
        let numbers = said.split(separator: " ").compactMap { Double($0.filter { $0 != "\n" }) }
        guard numbers.count == 3 else { throw StackError("the load said \(said)") }
        return Result(seconds: numbers[0], use: ProcessUse(cpuSeconds: numbers[1], peakBytes: Int(numbers[2])))
    }

    private static func waitFor(_ child: borrowing ChildProcess, watch: () throws -> Void) throws -> ProcessEnd {
        for _ in 0..<600 {
            if let status = child.wait(atMost: .seconds(1)) { return status }
            do { try watch() } catch {
                child.signal(SIGKILL)
                _ = child.wait(atMost: .seconds(10))
                throw error
            }
        }
        child.signal(SIGKILL)
        _ = child.wait(atMost: .seconds(10))
        throw StackError("the load did not end within 600 s")
    }

    /// Load that does not end by itself.
    static func startForever(_ program: String, endpoint: String, directory: String) throws -> ChildProcess {
        var command = Command(
            program,
            ["bench", "client", "--endpoint", endpoint, "--jobs", "100000", "--payload-bytes", "256", "--forever"],
            environment: BenchStack.environment)
        command.log = directory + "/client.log"
        return try ChildProcess.start(command)
    }

    /// A few jobs first, so that connections and plans do not count.
    static func warm(_ program: String, endpoint: String, directory: String) throws {
        _ = try run(
            program, endpoint: endpoint, jobs: 100, payloadBytes: 1, jobsInMessage: 10, waits: false,
            directory: directory)
    }

    /// What the process itself does: submits, waits for every final outcome, and prints seconds, CPU
    /// seconds and peak bytes.
    package static func main(
        endpoint: String, jobs count: Int, kind: String, payloadBytes: Int, jobsInMessage: Int, waits: Bool,
        forever: Bool
    ) async throws {
        var settings = ClientSettings()
        settings.connectTimeout = .seconds(30)
        let client = try await Client(endpoint, settings: settings)
        var jobs = BulkJobs(count: count, kind: kind, payload: [UInt8](repeating: 120, count: payloadBytes))
        jobs.countsFinals = waits
        jobs.jobsInMessage = jobsInMessage
        let started = ContinuousClock.now
        while forever { _ = try await client.submit(bulk: jobs).finals() }
        let receipt = try await client.submit(bulk: jobs)
        if waits {
            let finals = try await receipt.finals()
            guard finals.succeeded == count else { throw ClientError.invalid("\(finals) of \(count) jobs succeeded") }
        }
        let took = ContinuousClock.now - started
        let use = ProcessUse.of(process: getpid())
        let seconds = Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
        print("\(seconds) \(use.cpuSeconds) \(use.peakBytes)")
        await client.close()
    }
}
