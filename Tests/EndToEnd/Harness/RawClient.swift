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

    /// - Parameter hellos: how often it says HELLO before it hears the answer, each time as another producer but the last.
    init(_ endpoint: String, producer: Producer, hellos: Int = 1) throws {
        let socket = try Socket(.dealer, in: Self.context.get())
        try socket.connect(endpoint)
        var hello = Hello(role: .client, incarnation: .random(in: 1 ... .max), name: "by hand")
        var buffer = ByteBuffer(capacity: 256)
        for left in (0..<hellos).reversed() {
            hello.producer = left == 0 ? producer : Producer(high: producer.high, low: .random(in: 1 ... .max))
            buffer.removeAll()
            hello.write(to: &buffer)
            _ = try socket.send(buffer.bytes)
        }
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

    /// Asks so many times how the same request stands, in one message.
    borrowing func ask(_ request: JobID, times: Int) throws {
        var message = ByteBuffer(capacity: 64 + times * AwaitRecord.size)
        Header(.await, recordLength: AwaitRecord.size, stamp: stamp).write(to: &message)
        for _ in 0..<times { AwaitRecord(request, isRequest: true, waits: false).write(to: &message) }
        Header.setCount(times, in: &message)
        _ = try socket.send(message.bytes)
    }

    /// Takes RESULTS until so many records came.
    /// - Returns: how many came.
    borrowing func takeResults(_ wanted: Int) throws -> Int {
        var count = 0
        while count < wanted { try Self.answer(socket, of: .results) { count += Int($1.count) } }
        return count
    }

    /// Waits for a message of that type; heartbeats may come before it.
    static func answer(
        _ socket: borrowing Socket, of type: MessageType,
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
                guard header.type == .heartbeat else { throw HarnessError("\(type) was expected, \(header.type) came") }
            }
        }
        throw HarnessError("no \(type) within 30 s")
    }
}
