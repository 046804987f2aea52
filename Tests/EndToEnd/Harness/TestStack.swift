import CLinux
import Foundation
import StatexClient
import StatexPostgres
import Testing

@testable import StatexStack

/// Postgres, schedulers and workers of a test's own, as processes, in a directory of its own.
///
/// Unchecked: it is handed from a test's task to a thread of the harness and back, never used by both.
final class TestStack: @unchecked Sendable {
    let directory: String
    /// Keys of `statex.yaml` that differ from the defaults.
    private var settings: [String: String]
    private var postgres: EmbeddedPostgres
    private var processes: [RunningProcess] = []

    private static let binaries = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    /// `STATEX_PROGRAM` names another build, for the longer runs.
    static let program = ProcessInfo.processInfo.environment["STATEX_PROGRAM"] ?? binaries + "/statex"

    /// What workers serve: the handlers that need no model.
    static let kinds = "noop,echo,sleep,fail,crash,hang,stream,child,spin-process,together,traced"

    /// Starts Postgres; everything else is started by the test.
    init(_ settings: [String: String] = [:]) throws {
        self.settings = settings
        // Short, because sockets lie in it; and not below a directory that only we may enter.
        directory = "/tmp/statex-e2e-" + String(UInt32.random(in: .min ... .max), radix: 36)
        var postgres = try PostgresTemplate.copy(to: directory)
        try postgres.start()
        self.postgres = postgres
        guard mkdir(directory + "/run", 0o700) == 0 else { throw HarnessError("cannot make \(directory)/run") }
        try writeConfiguration()
    }

    /// Writes the file anew, for processes that start or are told to read it again.
    func configure(_ settings: [String: String]) throws {
        self.settings = settings
        try writeConfiguration()
    }

    /// It has handlers that are processes: one that is over at once, whose result is its job's id, so that there is
    /// one to kill; one that computes for as many seconds as its payload says, and hears nothing meanwhile; one that
    /// runs up to four together, says how many, and dies in the first attempt at `die`; and one that says which trace it
    /// was given.
    private func writeConfiguration() throws {
        try """
        \(settings.filter { $0.key != "objects" }.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n"))
        data_dir: \(directory)
        objects: \(settings["objects"] ?? "[\(directory)/objects]")
        handlers:
          - kind: child
            process:
              command: [/bin/sh, \(directory)/child.sh]
              read: [\(directory)/child.sh]
          - kind: spin-process
            process:
              command: [/usr/bin/python3, \(directory)/spin.py]
              read: [\(directory)/spin.py]
          - kind: together
            process:
              command: [/usr/bin/python3, \(directory)/together.py]
              read: [\(directory)/together.py]
              batch_size: 4
              batch_wait_seconds: 8
          - kind: traced
            process:
              command: [/usr/bin/python3, \(directory)/traced.py]
              read: [\(directory)/traced.py]
        """.write(toFile: directory + "/statex.yaml", atomically: false, encoding: .utf8)
        try #"""
        echo '{"type":"ready","protocol":1,"name":"child","version":"1"}'
        while read -r line; do
            id=${line#*'"id":"'}
            id=${id%%'"'*}
            echo '{"type":"result","id":"'"$id"'","result":"'"$id"'"}'
        done

        """#.write(toFile: directory + "/child.sh", atomically: false, encoding: .utf8)
        chmod(directory + "/child.sh", 0o755)
        try #"""
        import json, sys, time
        print('{"type":"ready","protocol":1,"name":"spin","version":"1"}', flush=True)
        for line in sys.stdin:
            job = json.loads(line)
            seconds = float(open(job["payload"]["path"]).read())
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                pass
            print(json.dumps({"type": "result", "id": job["id"], "result": seconds}), flush=True)
        """#.write(toFile: directory + "/spin.py", atomically: false, encoding: .utf8)
        chmod(directory + "/spin.py", 0o755)
        try #"""
        import json, os, signal, sys
        print('{"type":"ready","protocol":1,"name":"together","version":"1"}', flush=True)
        for line in sys.stdin:
            jobs = json.loads(line)["jobs"]
            for job in jobs:
                if job["attempt"] == 1 and open(job["payload"]["path"]).read() == "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                print(json.dumps({"type": "result", "id": job["id"], "result": len(jobs)}), flush=True)
        """#.write(toFile: directory + "/together.py", atomically: false, encoding: .utf8)
        chmod(directory + "/together.py", 0o755)
        try #"""
        import json, sys
        print('{"type":"ready","protocol":1,"name":"traced","version":"1"}', flush=True)
        for line in sys.stdin:
            job = json.loads(line)
            print(json.dumps({"type": "result", "id": job["id"], "result": job.get("traceparent")}), flush=True)
        """#.write(toFile: directory + "/traced.py", atomically: false, encoding: .utf8)
        chmod(directory + "/traced.py", 0o755)
    }

    /// Gives `body` a stack, judges its journal afterwards, and leaves nothing behind.
    static func with(
        _ settings: [String: String] = [:], _ body: (TestStack) async throws -> Void
    ) async throws {
        let stack = try TestStack(settings)
        do {
            try await body(stack)
            let (end, said) = try stack.runVerify(allFinal: false)
            #expect(end == .exited(0), "statex verify: \(said)")
        } catch {
            Issue.record("\(error)\n\(stack.lastWords)")
        }
        #expect(stack.end() == [], "processes were left over")
    }

    // MARK: Where everything is

    var database: String { postgres.url }
    func submitEndpoint(_ site: String = "a") -> String { "ipc://\(directory)/run/\(site)-submit.sock" }
    func workerEndpoint(_ site: String = "a") -> String { "ipc://\(directory)/run/\(site)-worker.sock" }
    func eventsEndpoint(_ site: String = "a") -> String { "ipc://\(directory)/run/\(site)-events.sock" }

    /// The last lines of every process' log.
    var lastWords: String {
        processes.map { process in
            let lines = process.said.split(separator: "\n").suffix(6).joined(separator: "\n    ")
            return "\(process.name) (\(process.end.map(String.init(describing:)) ?? "alive")): \(lines)"
        }.joined(separator: "\n")
    }

    // MARK: Processes

    /// - Parameter announces: whether it says by itself that it serves.
    func start(
        _ name: String, _ program: String, _ arguments: [String], announces: Bool = true
    ) throws -> RunningProcess {
        var command = Command(
            program, arguments, environment: ["PATH": "/usr/bin:/bin", "STATEX_STACK": directory])
        command.announces = announces
        command.log = "\(directory)/\(processes.count)-\(name).log"
        let process = try RunningProcess(name, command)
        processes.append(process)
        return process
    }

    /// - Parameter site: names its endpoints; two schedulers at one site want the same.
    func launchScheduler(site: String = "a", takesOver: Bool = false) throws -> RunningProcess {
        let arguments = [
            "scheduler", "--database", database, "--submit-endpoint", submitEndpoint(site), "--worker-endpoint",
            workerEndpoint(site), "--events-endpoint", eventsEndpoint(site), "--config",
            directory + "/statex.yaml",
        ]
        return try start("scheduler", Self.program, arguments + (takesOver ? ["--take-over"] : []))
    }

    /// Starts one and waits until it serves.
    func startScheduler(site: String = "a", takesOver: Bool = false) throws -> RunningProcess {
        let scheduler = try launchScheduler(site: site, takesOver: takesOver)
        try scheduler.waitUntilReady()
        return scheduler
    }

    func launchWorker(
        _ name: String, slots: Int = 2, site: String = "a", kinds: String = kinds
    ) throws -> RunningProcess {
        try start(
            name, Self.program,
            [
                "worker", "--endpoint", workerEndpoint(site), "--slots", String(slots), "--name", name, "--config",
                directory + "/statex.yaml", "--handlers", kinds,
            ])
    }

    /// Starts one and waits until the scheduler welcomed it.
    func startWorker(
        _ name: String, slots: Int = 2, site: String = "a", kinds: String = kinds
    ) throws -> RunningProcess {
        let worker = try launchWorker(name, slots: slots, site: site, kinds: kinds)
        try worker.waitUntilReady()
        return worker
    }

    /// Starts one on a free port and waits until it serves.
    func startGateway() throws -> RunningProcess {
        let gateway = try start(
            "gateway", Self.program,
            [
                "gateway", "--database", database, "--endpoint", submitEndpoint(), "--listen", "127.0.0.1:0",
                "--events-endpoint", eventsEndpoint(), "--config", directory + "/statex.yaml",
            ])
        try gateway.waitUntilReady()
        return gateway
    }

    func launchSubmit(_ arguments: [String]) throws -> RunningProcess {
        try start("submit", Self.program, ["submit", "--endpoint", submitEndpoint()] + arguments)
    }

    /// `statex events`, which goes on until it is ended.
    func launchEvents(_ arguments: [String]) throws -> RunningProcess {
        try start("events", Self.program, events + arguments)
    }

    /// `statex events --json`, run to its end.
    func events(_ arguments: [String]) throws -> (end: ProcessEnd, said: String) {
        try run(events + ["--json"] + arguments)
    }

    private var events: [String] {
        ["events", "--endpoint", eventsEndpoint(), "--database", database, "--config", directory + "/statex.yaml"]
    }

    /// One with the gate handler too.
    func startGateWorker(_ name: String, slots: Int = 2, site: String = "a") throws -> RunningProcess {
        let worker = try start(
            name, Self.binaries + "/GateWorker", [workerEndpoint(site), String(slots), name])
        try worker.waitUntilReady()
        return worker
    }

    func gate() throws -> Gate { try Gate(directory + "/run/gate.sock") }

    func client(
        _ name: String = "test", site: String = "a", patience: Duration? = nil, s3: S3Access = S3Access()
    ) async throws -> Client {
        var settings = ClientSettings(name: name, patience: patience)
        settings.s3 = s3
        settings.connectTimeout = .seconds(30)
        return try await Client(submitEndpoint(site), settings: settings)
    }

    // MARK: Postgres

    var postgresPID: pid_t? { postgres.pid }
    func startPostgres() throws { try postgres.start() }
    /// In order: sessions are ended, everything is on the disk.
    func stopPostgres() throws { try postgres.stop() }
    /// As a crash would, and waits until its orphaned backends are gone.
    func killPostgres() throws { try postgres.kill() }

    /// Server processes of Statex' connections.
    var backends: [pid_t] {
        guard let postmaster = postgres.pid else { return [] }
        return ProcessTable.descendants(of: postmaster).filter {
            ProcessTable.text("/proc/\($0)/cmdline").contains("statex statex")
        }
    }

    func connection() throws -> Connection { try Connection(database, name: "test") }

    /// The first columns of each row, as text.
    func rows(_ sql: String, columns: Int = 1) throws -> [[String]] {
        let connection = try connection()
        let rows = try connection.query(sql, doing: "ask")
        return (0..<rows.rows).map { row in (0..<columns).map { rows.text(row, $0) } }
    }

    func number(_ sql: String) throws -> Int {
        guard let text = try rows(sql).first?.first, let number = Int(text) else {
            throw HarnessError("no number: \(sql)")
        }
        return number
    }

    // MARK: Judging

    /// `statex verify`, a program of its own.
    func runVerify(allFinal: Bool) throws -> (end: ProcessEnd, said: String) {
        try run(["verify", "--database", database] + (allFinal ? ["--all-final"] : []))
    }

    /// Runs a command of `statex` to its end.
    func run(_ arguments: [String]) throws -> (end: ProcessEnd, said: String) {
        let log = "\(directory)/\(arguments[0]).log"
        // Each has its own words only.
        unlink(log)
        var command = Command(Self.program, arguments, environment: ["PATH": "/usr/bin:/bin"])
        command.log = log
        return (try ChildProcess.run(command, limit: .seconds(120)), ProcessTable.text(log))
    }

    // MARK: The end

    /// Living processes that belong to this stack, but for Postgres: by their environment, or, like
    /// handlers, by their arguments.
    private var members: [pid_t] {
        let named = ProcessTable.members(ofStack: directory)
        let handlers = directoryNames("/proc").compactMap { pid_t($0) }.filter { pid in
            let words = ProcessTable.text("/proc/\(pid)/cmdline")
            return words.contains(directory + "/") && !words.contains("bin/postgres")
        }
        return Set(named + handlers).sorted()
    }

    /// Ends everything that is left and removes the directory.
    /// - Returns: processes that outlived those that started them.
    func end(keepsFiles: Bool = false) -> [pid_t] {
        for process in processes { process.signal(SIGKILL) }
        for process in processes { _ = try? process.waitForEnd() }
        // What a killed worker ran ends by itself; a moment is given for that.
        let deadline = ContinuousClock.now + .seconds(10)
        var left = members
        while !left.isEmpty, ContinuousClock.now < deadline {
            let handles = left.map { clinux_pidfd_open($0) }.filter { $0 >= 0 }
            waitReadable(handles, until: deadline)
            for handle in handles { close(handle) }
            left = members
        }
        for pid in left { kill(pid, SIGKILL) }
        try? postgres.kill()
        if !keepsFiles { try? FileManager.default.removeItem(atPath: directory) }
        return left
    }
}
