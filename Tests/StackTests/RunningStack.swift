import CLinux
import Foundation
import StatexObjects
import Testing

@testable import StatexStack

/// A `StackHost up` process and what it prints.
final class RunningStack {
    let scratch: ScratchFolder
    private let process: ChildProcess
    private var end: ProcessEnd?
    private let output: FileDescriptor
    private var unread = ""
    private var printed: [String] = []

    var pid: pid_t { process.pid }
    var readyFile: String { scratch.path + "/ready.json" }
    var dataDirectory: String { scratch.path + "/data" }
    private var eventsFile: String { scratch.path + "/events" }

    /// Beside the tests' own program.
    private static let program =
        URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/StackHost"

    init(_ scratch: ScratchFolder, workers: Int = 2, settings: [String] = []) throws {
        self.scratch = scratch
        let fifo = scratch.path + "/output-" + UUID().uuidString
        try #require(mkfifo(fifo, 0o600) == 0)
        output = try FileDescriptor.open(fifo, O_RDONLY)
        var command = Command(
            Self.program, ["up", scratch.path + "/data", scratch.path + "/ready.json", String(workers)] + settings,
            environment: ["STAND_IN": scratch.path, "PATH": "/usr/bin:/bin"])
        command.log = fifo
        process = try ChildProcess.start(command)
    }

    /// What the stand-ins noted, in order.
    var events: [String] {
        ((try? String(contentsOfFile: eventsFile, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    func ready() throws -> ReadyFile { try ReadyFile.read(readyFile) }

    /// Changes how the next stand-in of a role behaves.
    func tell(_ role: String, _ what: String, _ text: String = "") throws {
        try text.write(toFile: "\(scratch.path)/\(role).\(what)", atomically: true, encoding: .utf8)
    }

    /// Waits until a line with that text is printed that was not waited for before.
    @discardableResult
    func wait(for text: String, _ location: SourceLocation = #_sourceLocation) throws -> String {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            while let end = unread.firstIndex(of: "\n") {
                let line = String(unread[..<end])
                unread = String(unread[unread.index(after: end)...])
                printed.append(line)
                if line.contains(text) { return line }
            }
            waitReadable([output.raw], until: deadline)
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = read(output.raw, &bytes, bytes.count)
            if count == 0 { break }
            if count > 0 { unread += String(decoding: bytes[..<count], as: UTF8.self) }
        }
        Issue.record(
            "'\(text)' was not printed; this was: \(printed.joined(separator: "\n"))", sourceLocation: location)
        throw StackError("'\(text)' was not printed")
    }

    func signal(_ signal: Int32) { if end == nil { process.signal(signal) } }

    /// How it ended; nil when it did not within a minute.
    func waitForEnd() -> ProcessEnd? {
        if end == nil { end = process.wait(atMost: .seconds(60)) }
        return end
    }

    /// Asks it to end and waits for it.
    func stop(_ signal: Int32 = SIGTERM) -> ProcessEnd? {
        self.signal(signal)
        return waitForEnd()
    }

    deinit {
        // A test that failed in the middle must leave nothing; one that did not has ended it.
        if stop() == nil { process.signal(SIGKILL) }
        _ = ProcessTable.end(SIGKILL, patience: .zero) { ProcessTable.members(ofStack: dataDirectory) }
        _ = ProcessTable.end(SIGQUIT, patience: .seconds(5)) {
            ProcessTable.postgresProcesses(on: dataDirectory + "/postgres/data")
        }
    }
}

/// Waits until a process is gone.
func waitForEnd(of pid: pid_t) -> Bool {
    let deadline = ContinuousClock.now + .seconds(60)
    let handle = clinux_pidfd_open(pid)
    guard handle >= 0 else { return true }
    defer { close(handle) }
    waitReadable([handle], until: deadline)
    return ContinuousClock.now < deadline
}
