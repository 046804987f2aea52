import Glibc
import StatexClient
import StatexObjects
import StatexProtocol

@testable import StatexStack

/// Where jobs of kind `gate` (see `GateWorker`) report that they run, and wait to be told how to end.
///
/// A job runs here exactly as often as a visitor comes: the count of executions is seen, not inferred.
final class Gate {
    let path: String
    private let listener: FileDescriptor
    /// Everybody who came, in order.
    private(set) var visitors: [Visitor] = []

    init(_ path: String) throws {
        self.path = path
        listener = FileDescriptor(
            owning: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        try withUnsafeMutableBytes(of: &address.sun_path) { target in
            guard path.utf8.count < target.count else { throw HarnessError("\(path) is too long for a socket") }
            target.copyBytes(from: path.utf8)
        }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(listener.raw, 64) == 0 else { throw HarnessError("cannot listen at \(path)") }
    }

    /// A request of one job that comes here.
    var request: Request { Request(kind: "gate", payload: .text(path)) }

    /// Waits for the next job that begins to run.
    func next(within limit: Duration = .seconds(60)) throws -> Visitor {
        let deadline = ContinuousClock.now + limit
        waitReadable([listener.raw], until: deadline)
        guard ContinuousClock.now < deadline else { throw HarnessError("no job came to the gate within \(limit)") }
        let raw = accept(listener.raw, nil, nil)
        guard raw >= 0 else { throw HarnessError("accept: \(String(cString: strerror(errno)))") }
        let visitor = try Visitor(FileDescriptor(owning: raw), until: deadline)
        visitors.append(visitor)
        return visitor
    }

    /// Whether a job has come that nobody looked at yet.
    var hasUnseen: Bool {
        var item = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
        return poll(&item, 1, 0) > 0
    }
}

/// One execution of a gate job.
final class Visitor {
    let job: JobID
    let attempt: Int
    let worker: pid_t
    private let connection: FileDescriptor

    init(_ connection: consuming FileDescriptor, until deadline: ContinuousClock.Instant) throws {
        var line: [UInt8] = []
        while line.last != UInt8(ascii: "\n") {
            waitReadable([connection.raw], until: deadline)
            var bytes = [UInt8](repeating: 0, count: 256)
            let count = recv(connection.raw, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { throw HarnessError("a visitor of the gate left without a word") }
            line += bytes[..<count]
        }
        let words = String(decoding: line.dropLast(), as: UTF8.self).split(separator: " ")
        guard words.count == 3, let job = JobID(words[0]), let attempt = Int(words[1]), let worker = pid_t(words[2])
        else { throw HarnessError("a visitor of the gate said \(words)") }
        self.job = job
        self.attempt = attempt
        self.worker = worker
        self.connection = connection
    }

    func succeed() { tell("s") }
    func fail() { tell("f") }

    private func tell(_ order: String) { _ = send(connection.raw, order, 1, Int32(MSG_NOSIGNAL)) }

    /// Waits until the execution is over: the handler returned, or its process died.
    func waitUntilGone(within limit: Duration = .seconds(60)) throws {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            waitReadable([connection.raw], until: deadline)
            var byte: UInt8 = 0
            let count = recv(connection.raw, &byte, 1, Int32(MSG_DONTWAIT))
            if count == 0 || (count < 0 && errno == ECONNRESET) { return }
        }
        throw HarnessError("job \(job) still runs after \(limit)")
    }
}
