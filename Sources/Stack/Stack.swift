// What `statex up` runs on one machine: a private Postgres (unless a database is named), the scheduler, the workers
// and the gateway.

import Glibc
import StatexConfiguration
import StatexObjects
import StatexWebhooks

/// Exit codes of a scheduler with a meaning.
package enum SchedulerExit {
    /// Another scheduler took over its shard: it can record nothing any more.
    package static let fenced: Int32 = 75
    /// Another scheduler holds the shard, and lives.
    package static let owned: Int32 = 76
}

package struct Stack: Sendable {
    package var configuration: Configuration
    /// The program of the scheduler, the workers and the gateway: ourselves.
    package var program: String
    /// What `up` was given by `--config`; its children read the same.
    package var configurationFile: String?
    package var readyFile: String?
    /// Of the children. What `up` was told by flags stands in it as variables.
    package var environment: [String: String]

    package init(
        configuration: Configuration, program: String, configurationFile: String? = nil, readyFile: String? = nil,
        environment: [String: String]
    ) {
        self.configuration = configuration
        self.program = program
        self.configurationFile = configurationFile
        self.readyFile = readyFile
        self.environment = environment
    }

    /// Starts everything, keeps it running, and returns after a signal asked for the end and everything
    /// stopped.
    package func run(log: @escaping (String) -> Void) throws(StackError) {
        let directory = try prepareDataDirectory()
        if let readyFile { try ReadyFile.check(readyFile) }
        let lock = try StackLock.take(directory)
        // For a reader who waits: a file of an earlier run would tell of processes that are gone.
        if let readyFile { unlink(readyFile) }
        try checkEndpoints()
        try endEarlierRun(directory, log)

        var plans: [Service.Plan] = []
        let database: String
        var embedded: PostgresCluster?
        if let named = configuration.database {
            database = named
        } else {
            let cluster = try PostgresCluster(
                dataDirectory: directory, user: configuration.postgresUser, binaries: configuration.postgresBinaries)
            try cluster.endLeftovers()
            embedded = cluster
            database = cluster.url
            plans.append(postgres(cluster))
        }
        plans.append(scheduler(database, stack: directory))
        plans += (0..<configuration.workers).map { worker($0 + 1, stack: directory) }
        if !configuration.webhooks.subscriptions.isEmpty { plans.append(webhooks(stack: directory)) }
        if let address = configuration.gateway.address { plans.append(gateway(address, database, stack: directory)) }

        var isFirst = true
        let supervisor = try Supervisor(plans, log: log) { (services) throws(StackError) in
            try announce(services, database, isFirst: isFirst, log)
            isFirst = false
        }
        // A postmaster does not wait for every child of its own; also after a start that failed.
        do throws(StackError) { try supervisor.run() } catch {
            try embedded?.endLeftovers()
            throw error
        }
        try embedded?.endLeftovers()
        if let readyFile { unlink(readyFile) }
        lock.release()
    }

    private func prepareDataDirectory() throws(StackError) -> String {
        // Root's may be passed through by the user that Postgres runs as, and listed by nobody.
        try makePath(configuration.dataDirectory, mode: geteuid() == 0 ? 0o711 : 0o700)
        return ProcessTable.canonical(configuration.dataDirectory)
    }

    private func checkEndpoints() throws(StackError) {
        for (key, endpoint) in [
            ("submit_endpoint", configuration.submitEndpoint), ("worker_endpoint", configuration.workerEndpoint),
            ("events_endpoint", configuration.eventsEndpoint),
        ] {
            do throws(BindError) { try checkBind(endpoint: endpoint, hasKeys: configuration.serverKey != nil) } catch {
                throw StackError("\(key): \(error)", exitCode: StackError.usage)
            }
        }
        guard let address = configuration.gateway.address else { return }
        do throws(BindError) {
            try checkBind(gateway: address, hasKeys: configuration.gateway.tokens != nil)
        } catch {
            throw StackError("gateway: \(error)", exitCode: StackError.usage)
        }
    }

    /// What an `up` left that was killed, should the kernel not have told it yet.
    private func endEarlierRun(_ directory: String, _ log: (String) -> Void) throws(StackError) {
        let left = ProcessTable.members(ofStack: directory)
        guard !left.isEmpty else { return }
        log("ending processes of an earlier run: \(left.map(String.init).joined(separator: ", "))")
        guard ProcessTable.end(SIGTERM, patience: .seconds(5), { ProcessTable.members(ofStack: directory) }) else {
            throw StackError(
                "processes \(ProcessTable.members(ofStack: directory)) of an earlier run cannot be ended; see what they wait for (ps, dmesg)"
            )
        }
    }

    // MARK: The processes

    private func postgres(_ cluster: PostgresCluster) -> Service.Plan {
        var plan = Service.Plan(name: "postgres", role: .postgres, command: cluster.command, stopLimit: .seconds(60))
        plan.stopSignal = SIGINT
        // Immediate, and recovery at the next start: never SIGKILL, which leaves backends behind.
        plan.lastSignal = SIGQUIT
        plan.serves = { cluster.isReady(pid: $0) }
        plan.mayStart = LeftoverWait(cluster).isOver
        plan.logs = cluster.allLogs
        return plan
    }

    private func scheduler(_ database: String, stack: String) -> Service.Plan {
        var arguments = [
            "scheduler", "--submit-endpoint", configuration.submitEndpoint, "--worker-endpoint",
            configuration.workerEndpoint, "--events-endpoint", configuration.eventsEndpoint,
        ]
        arguments += configurationArguments
        var command = child(arguments, stack)
        // Not as an argument, which every user of the machine can read: it may hold a password.
        command.environment["STATEX_DATABASE"] = database
        return Service.Plan(
            name: "scheduler", role: .scheduler, command: command, stopLimit: .seconds(15),
            finalCodes: [SchedulerExit.fenced, SchedulerExit.owned])
    }

    private func worker(_ number: Int, stack: String) -> Service.Plan {
        worker(name: "up-\(number)", slots: configuration.slots, stack: stack)
    }

    /// Delivers webhooks, and nothing else: receivers that take their time hold up no other job.
    private func webhooks(stack: String) -> Service.Plan {
        worker(
            name: "up-webhooks", slots: Self.webhookSlots, stack: stack, more: ["--handlers", WebhookDelivery.kind])
    }

    /// A delivery waits for its receiver and computes nothing.
    private static let webhookSlots = 16

    private func worker(name: String, slots: Int, stack: String, more: [String] = []) -> Service.Plan {
        var arguments = [
            "worker", "--endpoint", configuration.workerEndpoint, "--slots", String(slots), "--name", name,
        ]
        arguments += ["--objects", configuration.objectRoots.joined(separator: ":")]
        arguments += configurationArguments + more
        var command = child(arguments, stack)
        if var probes = configuration.workerProbes {
            // One port is not for several.
            if configuration.workers > 1 || !configuration.webhooks.subscriptions.isEmpty { probes.port = 0 }
            command.environment["STATEX_WORKER_PROBES"] = probes.description
        }
        // A worker never sees the database.
        command.environment["STATEX_DATABASE"] = nil
        // Its own limit ends its draining; ours only ends a worker that does not keep it.
        return Service.Plan(
            name: "worker \(name)", role: .worker, command: command,
            stopLimit: configuration.drainTime + .seconds(5))
    }

    private func gateway(_ address: ListenAddress, _ database: String, stack: String) -> Service.Plan {
        var arguments = ["gateway", "--endpoint", configuration.submitEndpoint, "--listen", address.description]
        arguments += ["--events-endpoint", configuration.eventsEndpoint]
        arguments += ["--objects", configuration.objectRoots.joined(separator: ":")]
        arguments += configurationArguments
        var command = child(arguments, stack)
        command.environment["STATEX_DATABASE"] = database
        // Its own limit ends what is under way.
        return Service.Plan(name: "gateway", role: .gateway, command: command, stopLimit: .seconds(20))
    }

    private var configurationArguments: [String] { configurationFile.map { ["--config", $0] } ?? [] }

    private func child(_ arguments: [String], _ stack: String) -> Command {
        var command = Command(program, arguments, environment: environment)
        command.environment["STATEX_STACK"] = stack
        command.announces = true
        return command
    }

    private func announce(
        _ services: [Service], _ database: String, isFirst: Bool, _ log: (String) -> Void
    ) throws(StackError) {
        func pids(_ role: Service.Role) -> [pid_t] { services.filter { $0.plan.role == role }.compactMap(\.pid) }
        let processes = ReadyFile.Processes(
            postgres: pids(.postgres).first, scheduler: pids(.scheduler).first, workers: pids(.worker),
            gateway: pids(.gateway).first)
        // Where it listens, and a token if it made one.
        let gateway = services.first { $0.plan.role == .gateway }?.announcement ?? []
        let file = ReadyFile(
            submitEndpoint: configuration.submitEndpoint, workerEndpoint: configuration.workerEndpoint,
            eventsEndpoint: configuration.eventsEndpoint, database: database, gateway: gateway.first,
            token: gateway.dropFirst().first, pid: getpid(), pids: processes,
            // The others say where their probes are, if they have some.
            probes: ReadyFile.Probes(
                scheduler: services.first { $0.plan.role == .scheduler }?.announcement.first,
                workers: services.filter { $0.plan.role == .worker }.map(\.announcement.first)))
        if let readyFile { try file.write(to: readyFile) }
        log("serving: submit to \(file.submitEndpoint), database \(redactedURL(database))")
        if let url = file.gateway {
            // A token once: later ones are in the ready file, and logs are kept and read by others.
            log("gateway: \(url)" + (isFirst ? file.token.map { ", development token \($0)" } ?? "" : ""))
        }
    }
}

/// Waits until nothing works on the data of a postmaster that died; orphaned backends that do not end
/// by themselves are killed after a while.
private final class LeftoverWait {
    private static let patience = Duration.seconds(10)

    private let cluster: PostgresCluster
    private var since: ContinuousClock.Instant?

    init(_ cluster: PostgresCluster) { self.cluster = cluster }

    func isOver() -> Bool {
        let left = cluster.leftovers()
        guard !left.isEmpty else {
            since = nil
            cluster.removeLocks()
            return true
        }
        let start = since ?? .now
        since = start
        if ContinuousClock.now - start > Self.patience { for pid in left { kill(pid, SIGKILL) } }
        return false
    }
}

/// Keeps two `up` from one data directory. The kernel lets go of it when its process ends.
private struct StackLock: ~Copyable {
    private let file: FileDescriptor

    private init(_ file: consuming FileDescriptor) { self.file = file }

    static func take(_ directory: String) throws(StackError) -> StackLock {
        let path = directory + "/up.lock"
        let raw = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw .system("opening \(path)") }
        let lock = StackLock(FileDescriptor(owning: raw))
        guard flock(raw, LOCK_EX | LOCK_NB) == 0 else {
            let owner = String(decoding: ProcessTable.read(path, limit: 32), as: UTF8.self).prefix { $0.isNumber }
            throw StackError(
                "another `statex up` (process \(owner)) runs on \(directory); stop it or choose another data_dir")
        }
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(raw, 0) == 0, write(raw, text, text.count) == text.count else {
            throw .system("writing \(path)")
        }
        return lock
    }

    /// Ends the life of the value where it is called: it must outlast the processes.
    consuming func release() {}
}
