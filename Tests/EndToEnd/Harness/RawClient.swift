import CLinux
import StatexProtocol
import StatexZeroMQ

/// A client by hand: it sends exactly the sequence that it is told to, which the real one never repeats
/// by choice.
struct RawClient: ~Copyable {
    private let socket: Socket
    private let stamp: SessionStamp
    let lastSequence: UInt64

    static let context = Result { () throws(ZeroMQError) in try ZeroMQContext() }

    init(_ endpoint: String, producer: Producer) throws {
        let socket = try Socket(.dealer, in: Self.context.get())
        try socket.connect(endpoint)
        var hello = Hello(role: .client, incarnation: .random(in: 1 ... .max), name: "by hand")
        hello.producer = producer
        var buffer = ByteBuffer(capacity: 256)
        hello.write(to: &buffer)
        _ = try socket.send(buffer.bytes)
        var welcome: Welcome?
        try Self.answer(socket, of: .welcome) { bytes, header in
            welcome = try Welcome(reading: bytes, header: header)
        }
        guard let welcome else { throw HarnessError("no WELCOME") }
        stamp = welcome.stamp
        lastSequence = welcome.lastSequence
        self.socket = socket
    }

    /// Submits so many requests of one noop job, numbered from `sequence`.
    /// - Returns: the first run of the answer.
    borrowing func submit(sequence: UInt64, jobs: Int) throws -> AcceptedRun {
        var writer = SubmitWriter()
        let fields = SubmitJob(kind: writer.number(of: "noop"), tenant: writer.number(of: "default"))
        let empty = ByteBuffer(capacity: 1)
        for _ in 0..<jobs { writer.append(fields, options: empty.bytes, payload: empty.bytes) }
        var message = writer.finish(notify: false)
        SubmitMessage.setStamp(stamp, in: &message)
        SubmitMessage.setFirstSequence(sequence, in: &message)
        _ = try socket.send(message.span.bytes)
        var run: AcceptedRun?
        try Self.answer(socket, of: .accepted) { bytes, header in
            var cursor = try header.recordCursor(atLeast: AcceptedRun.size)
            run = try AcceptedRun(reading: &cursor, header: header, in: bytes)
        }
        guard let run else { throw HarnessError("no ACCEPTED") }
        return run
    }

    /// Asks how jobs with ids in a row stand.
    borrowing func ask(from first: UInt64, count: Int) throws {
        var message = ByteBuffer(capacity: 70_000)
        Header(.await, recordLength: AwaitRecord.size, stamp: stamp, count: count).write(to: &message)
        for id in first..<first + UInt64(count) {
            AwaitRecord(JobID(rawValue: id), isRequest: false, waits: false).write(to: &message)
        }
        _ = try socket.send(message.bytes)
    }

    borrowing func fault() throws -> Fault {
        var fault: Fault?
        try Self.answer(socket, of: .fault) { fault = try Fault(reading: $0, header: $1) }
        guard let fault else { throw HarnessError("no FAULT") }
        return fault
    }

    /// How many answers stand in the next message of them; later faults say the same as the first.
    borrowing func results() throws -> Int {
        var count = 0
        try Self.answer(socket, of: .results, but: .fault) { count = Int($1.count) }
        return count
    }

    /// Waits for a message of that type; heartbeats may come before it.
    static func answer(
        _ socket: borrowing Socket, of type: MessageType, but other: MessageType = .heartbeat,
        _ body: (borrowing RawSpan, Header) throws -> Void
    ) throws {
        let deadline = clinux_monotonic_nanoseconds() + 30_000_000_000
        let frame = Frame()
        var poller = Poller()
        while clinux_monotonic_nanoseconds() < deadline {
            poller.removeAll()
            poller.add(socket)
            _ = try poller.wait(milliseconds: 1_000)
            while try socket.receive(into: frame) {
                let header = try Header(reading: frame.bytes)
                if header.type == type { return try body(frame.bytes, header) }
                guard header.type == .heartbeat || header.type == other else {
                    throw HarnessError("\(type) was expected, \(header.type) came")
                }
            }
        }
        throw HarnessError("no \(type) within 30 s")
    }
}
