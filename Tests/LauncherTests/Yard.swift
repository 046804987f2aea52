// Runs programs under the launcher for a test.

import Foundation
import StatexHandlerAPI
import Testing

@testable import StatexProcesses

/// Every combination of walls that a machine may have, the strongest first.
let allLayers: [Set<IsolationLayer>] = [
    [], [.namespaces], [.namespaces, .landlock], [.namespaces, .landlock, .seccomp],
]

struct Yard: Sendable {
    let directory: String
    /// Stands in the arguments of everything that is started here.
    let mark = "mark-" + UUID().uuidString

    init() throws {
        directory = "/var/tmp/statex-yard-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        chmod(directory, 0o755)
    }

    func remove() {
        chmod(directory + "/closed", 0o700)
        try? FileManager.default.removeItem(atPath: directory)
    }

    var scratch: String { directory + "/scratch" }

    /// Built beside the test program.
    static let launcher: String = {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (program as NSString).deletingLastPathComponent + "/statex-launch"
    }()

    func settings(_ program: [String]) -> ProcessSettings {
        ProcessSettings(kind: "test", program: program + [mark], launcher: Self.launcher, scratchRoot: scratch)
    }

    /// What came of one run.
    struct Run {
        var report: IsolationReport?
        var failure: String?
        var output = ""
        var ending: Ending?
    }

    func run(_ script: String, _ change: (inout ProcessSettings) -> Void = { _ in }) throws -> Run {
        try run(program: ["/bin/sh", "-c", script], change, while: { _ in })
    }

    func python(
        _ script: String, _ change: (inout ProcessSettings) -> Void = { _ in },
        while body: (inout HandlerProcess) -> Void = { _ in }
    ) throws -> Run {
        try run(program: ["/usr/bin/python3", "-I", "-c", script], change, while: body)
    }

    private func run(
        program: [String], _ change: (inout ProcessSettings) -> Void, while body: (inout HandlerProcess) -> Void
    ) throws -> Run {
        var settings = settings(program)
        change(&settings)
        var process = try HandlerProcess.spawn(settings)
        body(&process)
        var run = Run()
        let deadline = Deadline.after(milliseconds: 60_000)
        while run.ending == nil {
            switch process.nextEvent(until: deadline, wake: nil) {
            case .line(let line): run.output += String(decoding: line, as: UTF8.self) + "\n"
            case .launcher(.started(let report)): run.report = report
            case .launcher(.failed(let reason, let report)): (run.failure, run.report) = (reason, report)
            case .ended(let ending):
                run.ending = ending
                process.end(graceMilliseconds: 0)
            case .deadline:
                process.end(graceMilliseconds: 0)
                throw Late()
            case .launcher, .lineTooLong, .outputEnded, .woken: continue
            }
        }
        if !process.tail.text.isEmpty { Issue.record("stderr: \(process.tail.text)") }
        return run
    }

    struct Late: Error {}

    /// The processes that carry the mark, launchers too.
    func processesLeft() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
            guard Int(name) != nil, let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
                return false
            }
            return String(decoding: line, as: UTF8.self).contains(mark)
        }
    }

    func directoriesLeft() -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: scratch)) ?? [] }
}

extension HandlerProcess {
    /// The next line of output; nil: none within a minute.
    mutating func awaitLine() -> String? {
        let deadline = Deadline.after(milliseconds: 60_000)
        while true {
            switch nextEvent(until: deadline, wake: nil) {
            case .line(let line): return String(decoding: line, as: UTF8.self)
            case .ended, .deadline, .outputEnded: return nil
            case .launcher, .lineTooLong, .woken: continue
            }
        }
    }
}

/// Sockets of the machine that no handler may reach.
struct Listener {
    let path: String
    let name = UUID().uuidString
    let port: UInt16
    private let sockets: [CInt]

    init(_ directory: String) throws {
        path = directory + "/socket"
        var tcp = sockaddr_in()
        tcp.sin_family = sa_family_t(AF_INET)
        tcp.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        let stream = CInt(SOCK_STREAM.rawValue)
        let inet = socket(AF_INET, stream, 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &tcp) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(inet, $0, length) == 0 && listen(inet, 5) == 0 && getsockname(inet, $0, &length) == 0
            }
        }
        #expect(bound)
        port = UInt16(bigEndian: tcp.sin_port)
        sockets = [inet, Self.unix(Array(path.utf8)), Self.unix([0] + Array(name.utf8))]
        chmod(path, 0o777)
    }

    private static func unix(_ name: [UInt8]) -> CInt {
        let file = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(file, $0, length) == 0 && listen(file, 5) == 0
            }
        }
        #expect(bound)
        return file
    }

    func close() { for socket in sockets { _ = Glibc.close(socket) } }
}

/// Another process, which has started a handler as a worker does, and whose handler has sent five
/// families of grandchildren into sessions of their own.
struct Worker {
    private let pid: pid_t
    private let launcher: pid_t
    /// Open on the handler's private directory, which its launcher keeps locked as long as it lives.
    private let directory: CInt

    init(_ yard: Yard, without: Set<IsolationLayer>) throws {
        let output = try Descriptor.pipe()
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        let nothing = Descriptor(owning: fcntl(null, F_DUPFD_CLOEXEC, 16))
        close(null)
        let options = without.map(\.rawValue).sorted().flatMap { ["--without", $0] }
        let path = yard.scratch + "/private"
        mkdir(yard.scratch, 0o711)
        let arguments = ["/usr/bin/python3", "-c", Self.worker, Yard.launcher, path, Self.handler, yard.mark] + options
        pid = try spawnProgram(arguments, environment: [], descriptors: [nothing, output.1, nothing])
        var lines = LineSplitter(limit: 4_096)
        var words: [String] = []
        let deadline = Deadline.after(milliseconds: 60_000)
        while words.count < 2 {
            var waits = [pollfd(fd: output.0.number, events: Int16(POLLIN), revents: 0)]
            guard waitForAny(&waits, until: deadline) == .ready, let bytes = output.0.read(atMost: 4_096) else { break }
            lines.append(bytes)
            while let line = try lines.next() { words.append(String(decoding: line, as: UTF8.self)) }
        }
        try #require(words.count == 2 && words[1] == "up")
        launcher = try #require(pid_t(words[0]))
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(directory >= 0)
    }

    /// Kills one of the two, and returns when the launcher, its init and every process that holds the
    /// handler's output are gone.
    func kill(_ victim: Victim) {
        _ = Glibc.kill(victim == .worker ? pid : launcher, SIGKILL)
        while flock(directory, LOCK_EX) != 0, errno == EINTR {}
        close(directory)
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
    }

    enum Victim: Sendable { case worker, launcher }

    private static let worker = """
        import socket, subprocess, sys
        launcher, path, handler, mark, *options = sys.argv[1:]
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(
            [launcher, '--directory', path, '--control-fd', str(theirs.fileno())] + options +
            ['--', '/usr/bin/python3', '-c', handler, mark], pass_fds=[theirs.fileno()], stdout=subprocess.PIPE)
        theirs.close()
        print(process.pid, flush=True)
        print(process.stdout.readline().decode().strip(), flush=True)
        process.stdout.read(); process.wait()
        """

    private static let handler = """
        import os, signal, time
        for _ in range(5):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.setsid()
                    for number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)
                    while True: time.sleep(100)
                os._exit(0)
        for _ in range(5): os.wait()
        print('up', flush=True)
        time.sleep(1000)
        """
}
