import Glibc
import StatexProtocol
import StatexStack

/// The process of a `Crowd`.
struct CrowdProcess: ~Copyable {
    private let child: ChildProcess
    private let log: String

    init(_ crowd: Crowd, program: String, directory: String) throws(StackError) {
        log = directory + "/crowd.log"
        var command = Command(
            program,
            [
                "bench", "crowd", "--endpoint", crowd.endpoint, "--gateway", crowd.gateway, "--seconds",
                String(crowd.seconds), "--lead", String(crowd.lead), "--listeners", String(crowd.listeners), "--reads",
                String(crowd.readsPerSecond),
            ] + (crowd.isThere ? [] : ["--away"]), environment: BenchStack.environment)
        command.input = crowd.token
        command.log = log
        child = try ChildProcess.start(command)
    }

    deinit {
        child.signal(SIGKILL)
        _ = child.wait(atMost: .seconds(10))
    }

    /// Whether the window has begun. Throws if it will not.
    func hasBegun() throws(StackError) -> Bool {
        let said = ProcessUse.text(log)
        if said.hasPrefix("begun\n") { return true }
        guard !ProcessUse.hasEnded(child.pid) else { throw StackError("the crowd ended: \(said)") }
        return false
    }

    /// Waits until everybody has heard what they must, or does not.
    func end(atMost limit: Duration) throws -> JSONObject {
        let end = child.wait(atMost: limit)
        let said = ProcessUse.text(log)
        guard end == .exited(0), let line = said.split(separator: "\n").last else {
            throw StackError("the crowd ended with \(end.map(\.description) ?? "nothing"): \(said)")
        }
        return try JSONObject(Array(line.utf8))
    }
}
