import Glibc
import StatexStack

/// A gateway of a benchmark's stack.
struct GatewayProcess: ~Copyable {
    let url: String
    let token: String
    let pid: Int32
    private let child: ChildProcess
    private let log: String

    private static let patience = Duration.seconds(30)

    init(_ stack: borrowing BenchStack) throws(StackError) {
        let log = stack.directory + "/gateway.log"
        var command = Command(
            stack.program,
            [
                "gateway", "--listen", "127.0.0.1:0", "--database", stack.database, "--endpoint", stack.submitEndpoint,
                "--events-endpoint", stack.eventsEndpoint, "--config", stack.directory + "/statex.yaml", "--data-dir",
                stack.directory,
                // All who are simulated have one token.
                "--set", "gateway_streams_per_subject=4000", "--set", "gateway_requests_per_second=100000",
            ], environment: BenchStack.environment)
        command.log = log
        command.announces = true
        let child = try ChildProcess.start(command)
        guard let words = child.waitUntilReady(atMost: Self.patience), words.count == 2 else {
            child.signal(SIGKILL)
            _ = child.wait(atMost: .seconds(10))
            throw StackError("the gateway did not serve: \(ProcessUse.text(log))")
        }
        self.child = child
        self.log = log
        pid = self.child.pid
        url = words[0]
        token = words[1]
    }

    deinit {
        child.signal(SIGKILL)
        _ = child.wait(atMost: .seconds(10))
    }

    var residentBytes: Int { ProcessUse.residentBytes(pid) }

    func check() throws(StackError) {
        if ProcessUse.hasEnded(pid) { throw StackError("the gateway ended: \(ProcessUse.text(log))") }
    }
}
