import Glibc
import StatexStack

/// A private stack as separate processes: Postgres with real fsync, a scheduler, workers with native
/// handlers. Everything lives in one temporary directory and goes with it.
package struct BenchStack: ~Copyable {
    package var directory: String { folder.path }
    package let program: String
    package var postgres: EmbeddedPostgres
    private let scheduler: ChildProcess
    package let schedulerPID: Int32
    private var workers: [(command: Command, pid: Int32)] = []
    /// Behind Postgres: a value goes field by field, and that must have ended first.
    private let folder: Folder
    package var workerPIDs: [Int32] { workers.map(\.pid) }

    package var submitEndpoint: String { "ipc://\(directory)/run/submit.sock" }
    package var workerEndpoint: String { "ipc://\(directory)/run/worker.sock" }
    package var eventsEndpoint: String { "ipc://\(directory)/run/events.sock" }
    package var database: String { postgres.url }

    /// - Parameters:
    ///   - program: this executable.
    ///   - settings: configuration of the scheduler, as `key=value`.
    ///   - configuration: the text of its configuration file.
    package init(program: String, settings: [String] = [], configuration: String = "") throws(StackError) {
        let folder = Folder(path: try Self.temporaryDirectory())
        let directory = folder.path
        var postgres = try EmbeddedPostgres(directory: directory + "/data")
        try postgres.start()
        guard mkdir(directory + "/run", 0o700) == 0 else { throw StackError("cannot make \(directory)/run") }
        try Self.write(configuration, to: directory + "/statex.yaml")
        var command = Command(
            program,
            [
                "scheduler", "--database", postgres.url, "--submit-endpoint", "ipc://\(directory)/run/submit.sock",
                "--worker-endpoint", "ipc://\(directory)/run/worker.sock", "--events-endpoint",
                "ipc://\(directory)/run/events.sock",
            ] + ["--config", directory + "/statex.yaml"] + settings.flatMap { ["--set", $0] },
            environment: Self.environment)
        command.log = directory + "/scheduler.log"
        let scheduler = try ChildProcess.start(command)
        self.folder = folder
        self.program = program
        self.postgres = postgres
        schedulerPID = scheduler.pid
        self.scheduler = scheduler
    }

    deinit {
        for pid in workerPIDs { kill(pid, SIGKILL) }
        for pid in workerPIDs { waitpid(pid, nil, 0) }
        kill(schedulerPID, SIGTERM)
        if scheduler.wait(atMost: .seconds(10)) == nil {
            kill(schedulerPID, SIGKILL)
            waitpid(schedulerPID, nil, 0)
        }
    }

    /// Throws if the scheduler or a worker ended: then nothing would come of waiting.
    package var watch: () throws -> Void {
        let (pids, directory) = ([schedulerPID] + workerPIDs, directory)
        let logs = ["scheduler"] + workerPIDs.indices.map { "worker-\($0)" }
        return {
            for pid in pids where ProcessUse.hasEnded(pid) {
                let words = logs.map { ProcessUse.text("\(directory)/\($0).log") }.filter { !$0.isEmpty }
                throw StackError("process \(pid) of the stack ended: \(words.joined(separator: "; "))")
            }
        }
    }

    package static var environment: [String: String] { ["PATH": "/usr/bin:/bin"] }

    /// Starts workers with the handlers that ship.
    package mutating func startWorkers(_ count: Int, slots: Int) throws(StackError) {
        try startWorkers(count) { directory, endpoint, name in
            [
                "worker", "--endpoint", endpoint, "--slots", String(slots), "--name", name, "--handlers",
                "noop,echo,sleep", "--set", "data_dir=\(directory)",
            ]
        }
    }

    /// Starts workers whose jobs are as long as their payloads say, see `BenchWorker`.
    package mutating func startWorkers(_ count: Int, slots: Int, kinds: [String]) throws(StackError) {
        try startWorkers(count) { directory, endpoint, name in
            [
                "bench", "worker", "--endpoint", endpoint, "--slots", String(slots), "--name", name, "--switch",
                Self.switchPath(directory),
            ] + kinds.flatMap { ["--kind", $0] }
        }
    }

    private mutating func startWorkers(
        _ count: Int, arguments: (_ directory: String, _ endpoint: String, _ name: String) -> [String]
    ) throws(StackError) {
        for _ in 0..<count {
            let number = workers.count
            var command = Command(
                program, arguments(directory, workerEndpoint, "bench-\(number)"), environment: Self.environment)
            command.log = directory + "/worker-\(number).log"
            workers.append((command, try ChildProcess.start(command).pid))
        }
    }

    /// Kills a worker as a crash would, and starts another of the same name.
    package mutating func replaceWorker(_ number: Int) throws(StackError) {
        kill(workers[number].pid, SIGKILL)
        waitpid(workers[number].pid, nil, 0)
        workers[number].pid = try ChildProcess.start(workers[number].command).pid
    }

    private static func switchPath(_ directory: String) -> String { directory + "/failing" }

    /// From now on each attempt at a job of the kind `faulty` fails, or none does.
    package func setFailing(_ isFailing: Bool) throws(StackError) {
        let path = Self.switchPath(directory)
        if isFailing { return try Self.write("", to: path) }
        guard unlink(path) == 0 else { throw StackError("cannot remove \(path)") }
    }

    private static func write(_ text: String, to path: String) throws(StackError) {
        guard let file = fopen(path, "w") else { throw StackError("cannot write \(path)") }
        let bytes = Array(text.utf8)
        let written = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, written == bytes.count else { throw StackError("cannot write \(path)") }
    }

    /// Goes with everything in it.
    private struct Folder: ~Copyable {
        let path: String
        deinit { try? BenchStack.remove(path) }
    }

    /// Takes everything away. Postgres must be stopped.
    package static func remove(_ directory: String) throws(StackError) {
        _ = try ChildProcess.run(Command("/bin/rm", ["-rf", directory]), limit: .seconds(60))
    }

    static func temporaryDirectory() throws(StackError) -> String {
        var template = Array("/var/tmp/statex-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw StackError("cannot make a directory in /var/tmp") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // Postgres runs as an ordinary user below it.
        chmod(path, 0o711)
        return path
    }
}
