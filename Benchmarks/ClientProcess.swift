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
        _ program: String, endpoint: String, jobs: Int, payloadBytes: Int, jobsInMessage: Int, directory: String
    ) throws -> Result {
        var command = Command(
            program,
            [
                "bench", "client", "--endpoint", endpoint, "--jobs", String(jobs), "--payload-bytes", String(payloadBytes),
                "--jobs-in-message", String(jobsInMessage),
            ], environment: BenchStack.environment)
        command.log = directory + "/client.log"
        let child = try ChildProcess.start(command)
        guard let status = child.wait(atMost: .seconds(600)) else {
            child.signal(SIGKILL)
            throw StackError("the load did not end within 600 s")
        }
        let said = ProcessUse.text(directory + "/client.log")
        guard status == .exited(0) else { throw StackError("the load ended with \(status): \(said)") }
        let numbers = said.split(separator: " ").compactMap { Double($0.filter { $0 != "\n" }) }
        guard numbers.count == 3 else { throw StackError("the load said \(said)") }
        return Result(seconds: numbers[0], use: ProcessUse(cpuSeconds: numbers[1], peakBytes: Int(numbers[2])))
    }

    /// What the process itself does: submits, waits for every final outcome, and prints seconds, CPU
    /// seconds and peak bytes.
    package static func main(endpoint: String, jobs count: Int, payloadBytes: Int, jobsInMessage: Int) async throws {
        var settings = ClientSettings()
        settings.connectTimeout = .seconds(30)
        let client = try await Client(endpoint, settings: settings)
        var jobs = BulkJobs(count: count, kind: "noop", payload: [UInt8](repeating: 120, count: payloadBytes))
        jobs.countsFinals = true
        jobs.jobsInMessage = jobsInMessage
        let started = ContinuousClock.now
        let receipt = try await client.submit(bulk: jobs)
        let finals = try await receipt.finals()
        let took = ContinuousClock.now - started
        guard finals.succeeded == count else { throw ClientError.invalid("\(finals) of \(count) jobs succeeded") }
        let use = ProcessUse.of(process: getpid())
        let seconds = Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
        print("\(seconds) \(use.cpuSeconds) \(use.peakBytes)")
        await client.close()
    }
}
