import Glibc
import Testing

@testable import StatexStack

/// A process that a test started, with a log of its own. Its stack ends it, whatever the test does.
final class RunningProcess {
    let name: String
    private let command: Command
    private let child: ChildProcess
    private var known: ProcessEnd?
    /// What it said of itself when it served.
    private(set) var announcement: [String] = []

    /// - Parameter command: with a log.
    init(_ name: String, _ command: Command) throws {
        self.name = name
        self.command = command
        child = try ChildProcess.start(command)
    }

    var pid: pid_t { child.pid }

    /// Readable when the process has ended.
    var descriptor: Int32 { child.handle.raw }

    /// How it ended; nil while it lives.
    var end: ProcessEnd? {
        if known == nil { known = child.reap() }
        return known
    }

    /// What it said so far.
    var said: String { ProcessTable.text(command.log ?? "/dev/null") }

    /// Where it answers `/metrics`, as it said when it was ready.
    var probes: String {
        get throws {
            guard let address = announcement.first else { throw HarnessError("\(name) said of no probes") }
            return address
        }
    }

    func signal(_ number: Int32) { if end == nil { child.signal(number) } }

    /// Waits until it says that it serves.
    func waitUntilReady(within limit: Duration = .seconds(60)) throws {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            var bytes = [UInt8](repeating: 0, count: 4_096)
            if let channel = child.readiness.rawOrNil {
                let count = recv(channel, &bytes, bytes.count, Int32(MSG_DONTWAIT))
                if count > 0 {
                    let words = String(decoding: bytes[..<count], as: UTF8.self).split(whereSeparator: \.isWhitespace)
                    announcement = words.dropFirst().map(String.init)
                    return
                }
            }
            if let end { throw HarnessError("\(name) ended with \(end) before it served: \(said)") }
            waitReadable([child.handle.raw, child.readiness.rawOrNil ?? -1], until: deadline)
        }
        throw HarnessError("\(name) did not serve within \(limit): \(said)")
    }

    @discardableResult
    func waitForEnd(within limit: Duration = .seconds(60)) throws -> ProcessEnd {
        if known == nil { known = child.wait(atMost: limit) }
        guard let known else { throw HarnessError("\(name) did not end within \(limit): \(said)") }
        return known
    }

    func kill() throws {
        signal(SIGKILL)
        try waitForEnd()
    }

    /// Asks it to end in order.
    func stop() throws -> ProcessEnd {
        signal(SIGTERM)
        return try waitForEnd()
    }
}

/// A step of the harness itself failed, or what was waited for did not come.
struct HarnessError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension ProcessTable {
    static func text(_ path: String) -> String { String(decoding: read(path, limit: 1 << 20), as: UTF8.self) }

    /// The children of a process, and theirs.
    static func descendants(of pid: pid_t) -> [pid_t] {
        let children = directoryNames("/proc/\(pid)/task").flatMap { thread in
            text("/proc/\(pid)/task/\(thread)/children").split(separator: " ").compactMap { pid_t($0) }
        }
        return children + children.flatMap { descendants(of: $0) }
    }
}
