import Foundation
import Glibc
import StatexClient
import StatexKeys
import StatexProtocol
import StatexZeroMQ
import Testing

@testable import StatexStack

/// A scheduler that listens on TCP with keys, and the files of those who speak to it.
struct KeyedSite {
    let stack: TestStack
    let submit: String
    let worker: String
    let events: String

    /// Makes the scheduler's pair.
    init(_ stack: TestStack) throws {
        self.stack = stack
        let ports = try Self.freePorts(3)
        submit = "tcp://127.0.0.1:\(ports[0])"
        worker = "tcp://127.0.0.1:\(ports[1])"
        events = "tcp://127.0.0.1:\(ports[2])"
        try keys("new", "--server", "--out", folder)
    }

    var folder: String { stack.directory + "/keys" }
    var serverKey: String { folder + "/server.pub" }
    func key(_ name: String) -> String { "\(folder)/\(name).key" }

    @discardableResult
    func keys(_ arguments: String...) throws -> CommandRun { try keys(arguments) }

    func keys(_ arguments: [String]) throws -> CommandRun {
        let run = try CommandRun(
            ["keys"] + arguments + ["--config", stack.directory + "/statex.yaml"], in: stack.directory)
        guard run.end == .exited(0) else { throw HarnessError("statex keys \(arguments): \(run)") }
        return run
    }

    /// A pair that is allowed: `client:acme`, `worker`.
    @discardableResult
    func holder(_ name: String, _ role: String, tenants: [String] = []) throws -> PeerKeys {
        try make(name, role, tenants: tenants)
        try keys("allow", "\(folder)/\(name).pub")
        return peer(name)
    }

    func make(_ name: String, _ role: String, tenants: [String] = []) throws {
        _ = try keys(["new", name, "--role", role, "--out", folder] + tenants.flatMap { ["--tenant", $0] })
    }

    func peer(_ name: String) -> PeerKeys { PeerKeys(own: key(name), scheduler: serverKey) }

    /// It listens at every address of the machine.
    /// - Parameter files: how many it may have open.
    func launchScheduler(files: Int? = nil, _ settings: String...) throws -> RunningProcess {
        let everywhere = [submit, worker, events].map { $0.replacing("127.0.0.1", with: "0.0.0.0") }
        let arguments =
            [
                "scheduler", "--database", stack.database, "--submit-endpoint", everywhere[0], "--worker-endpoint",
                everywhere[1], "--events-endpoint", everywhere[2], "--config", stack.directory + "/statex.yaml",
                "--set",
                "server_key=\(folder)/server.key",
            ] + settings.flatMap { ["--set", $0] }
        guard let files else { return try stack.start("scheduler", TestStack.program, arguments) }
        return try stack.start(
            "scheduler", "/bin/sh",
            ["-c", "ulimit -n \(files) && exec \"$0\" \"$@\"", TestStack.program] + arguments)
    }

    func startScheduler() throws -> RunningProcess {
        let scheduler = try launchScheduler()
        try scheduler.waitUntilReady()
        return scheduler
    }

    func launchWorker(_ name: String, key: String? = nil, slots: Int = 2) throws -> RunningProcess {
        try stack.start(
            name, TestStack.program,
            [
                "worker", "--endpoint", worker, "--slots", String(slots), "--name", name, "--config",
                stack.directory + "/statex.yaml", "--handlers", TestStack.kinds, "--peer-key", self.key(key ?? name),
                "--server-public-key", serverKey,
            ])
    }

    func startWorker(_ name: String, key: String? = nil, slots: Int = 2) throws -> RunningProcess {
        let worker = try launchWorker(name, key: key, slots: slots)
        try worker.waitUntilReady()
        return worker
    }

    func client(_ name: String, patience: Duration? = nil, connecting: Duration = .seconds(30)) async throws -> Client {
        var settings = ClientSettings(name: name, patience: patience)
        settings.connectTimeout = connecting
        settings.keyFile = key(name)
        settings.schedulerKeyFile = serverKey
        return try await Client(submit, settings: settings)
    }

    /// A command as the holder of a key runs it.
    func run(_ arguments: [String], as name: String) throws -> CommandRun {
        try CommandRun(
            arguments + [
                "--config", stack.directory + "/statex.yaml", "--endpoint", submit, "--timeout", "10", "--peer-key",
                key(name), "--server-public-key", serverKey,
            ], in: stack.directory)
    }

    /// Ports that nobody listens on now.
    private static func freePorts(_ count: Int) throws -> [UInt16] {
        var held: [Int32] = []
        defer { for descriptor in held { close(descriptor) } }
        return try (0..<count).map { _ in
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            held.append(descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
                }
            }
            guard bound else { throw HarnessError("no free port: \(errno)") }
            return UInt16(bigEndian: address.sin_port)
        }
    }
}
