// A place where a test writes handlers and runs them, and what it needs to see that nothing is left.

import Foundation
import StatexHandlerAPI
import StatexProtocol
import Synchronization
import Testing

@testable import StatexProcesses

struct Workshop: Sendable {
    let directory: String
    /// Stands in the arguments of every handler process of this workshop, and of nothing else.
    let mark = "mark-" + UUID().uuidString

    init() throws {
        directory = "/var/tmp/statex-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        chmod(directory, 0o755)
    }

    func remove() { try? FileManager.default.removeItem(atPath: directory) }

    var scratch: String { directory + "/scratch" }

    /// Built beside the test program.
    static let launcher: String = {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (program as NSString).deletingLastPathComponent + "/statex-launch"
    }()

    /// A Python handler that says `ready` and then runs `body` for every job, with `job`, `text` (the
    /// payload), `birth` (a number that tells processes apart), `say`, `raw`, `result` and `error` at hand.
    func settings(_ body: String, before: String = "") throws -> ProcessSettings {
        let path = directory + "/handler.py"
        let indented = body.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
        let script = """
            import sys, os, json, time, signal, socket, subprocess
            def raw(b):
                sys.stdout.buffer.write(b); sys.stdout.buffer.flush()
            def say(o):
                raw(json.dumps(o).encode() + b"\\n")
            def result(value):
                say({"type": "result", "id": job["id"], "result": value})
            def error(name, message, **more):
                say({"type": "error", "id": job["id"], "class": name, "message": message, **more})
            birth = int.from_bytes(os.urandom(4), 'big')  # a process id is always 2 in a namespace
            \(before)
            say({"type": "ready", "protocol": 1, "name": "test", "version": "1"})
            for line in sys.stdin:
                job = json.loads(line)
                text = open(job["payload"]["path"], "rb").read().decode()
            \(indented.joined(separator: "\n"))
            """
        try Data(script.utf8).write(to: URL(fileURLWithPath: path))
        return program(["/usr/bin/python3", "-I", path, mark])
    }

    func program(_ program: [String]) -> ProcessSettings {
        var settings = ProcessSettings(
            kind: "test", program: program, launcher: Self.launcher, scratchRoot: scratch)
        settings.readPaths = [directory + "/handler.py"]
        settings.startMilliseconds = 30_000
        settings.graceMilliseconds = 200
        return settings
    }

    /// The processes that carry the mark, launchers too.
    func processesLeft() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
            guard Int(name) != nil else { return false }
            guard let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else { return false }
            return String(decoding: line, as: UTF8.self).contains(mark)
        }
    }

    func directoriesLeft() -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: scratch)) ?? []
    }
}

/// A job of kind `test`.
func job(
    _ text: String = "", id: UInt64 = 7, limit: Int = 0, cancellation: Cancellation = Cancellation(),
    checkpoint: [UInt8]? = nil, listener: Listener? = nil
) -> Job {
    Job(
        id: JobID(rawValue: id), kind: "test", attempt: 1, payload: .bytes(Array(text.utf8)),
        runLimitMilliseconds: limit, cancellation: cancellation, checkpoint: checkpoint, listener: listener)
}

/// Hears what a handler says before it is done.
final class Listener: JobListener {
    private struct State {
        var progress: [StatexHandlerAPI.Progress] = []
        var output = ""
        var checkpoint: [UInt8]?
    }
    private let state = Mutex(State())
    private let onProgress: @Sendable () -> Void

    init(onProgress: @escaping @Sendable () -> Void = {}) { self.onProgress = onProgress }

    var progress: [StatexHandlerAPI.Progress] { state.withLock { $0.progress } }
    var output: String { state.withLock { $0.output } }
    var checkpoint: [UInt8]? { state.withLock { $0.checkpoint } }

    func progressed(_ progress: StatexHandlerAPI.Progress, attempt: UInt64) {
        state.withLock { $0.progress.append(progress) }
        onProgress()
    }
    func put(_ piece: String, attempt: UInt64) { state.withLock { $0.output += piece } }
    func saved(checkpoint: [UInt8], attempt: UInt64) { state.withLock { $0.checkpoint = checkpoint } }
}

extension ProcessHandler {
    /// The result's JSON text.
    func text(_ job: Job) async throws -> String {
        guard case .bytes(let bytes) = try await run(job) else { return "an object" }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The same of a number, on the calling thread.
    func number(_ job: Job) throws -> Int {
        guard case .bytes(let bytes) = try attempt(job) else { return 0 }
        return Int(String(decoding: bytes, as: UTF8.self)) ?? 0
    }

    /// The error that a job must end with.
    func failure(_ job: Job) async -> HandlerError? {
        do {
            _ = try await run(job)
            return nil
        } catch {
            return error as? HandlerError
        }
    }
}

/// Every combination of walls that a machine may have, the strongest first.
let allLayers: [Set<IsolationLayer>] = [
    [], [.namespaces], [.namespaces, .landlock], [.namespaces, .landlock, .seccomp],
]
