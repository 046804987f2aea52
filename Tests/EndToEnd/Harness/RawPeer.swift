import CLinux
import StatexKeys
import StatexProtocol

@testable import StatexZeroMQ

/// A peer by hand, with whatever key: it says what it is told to.
struct RawPeer: ~Copyable {
    let socket: Socket
    private(set) var stamp = SessionStamp()

    /// - Parameter claiming: what it wants the scheduler's ROUTER to call it.
    init(_ endpoint: String, _ keys: PeerKeys?, claiming: [UInt8] = []) throws {
        let socket = try Socket(.dealer, in: RawClient.context.get())
        try socket.setDealerOptions()
        if !claiming.isEmpty { try socket.set(Self.routingID, claiming) }
        var keys = keys
        try socket.connect(endpoint, with: &keys)
        self.socket = socket
    }

    /// ZMQ_ROUTING_ID.
    private static var routingID: Int32 { 5 }

    static func hello(_ role: Role, incarnation: UInt64 = .random(in: 1 ... .max), producer: Producer? = nil) -> Hello {
        var hello = Hello(role: role, incarnation: incarnation, name: "by hand")
        if role == .worker {
            hello.slots = 1
            hello.kinds = [Hello.Kind("noop")]
        } else {
            hello.producer = producer ?? Producer(high: .random(in: 1 ... .max), low: 1)
        }
        return hello
    }

    /// Says something once the connection takes it.
    /// - Returns: false: it never did.
    @discardableResult
    borrowing func say(_ bytes: borrowing RawSpan, within seconds: Int64 = 10) throws -> Bool {
        var poller = Poller()
        let deadline = clinux_monotonic_nanoseconds() + seconds * 1_000_000_000
        while true {
            if try socket.send(bytes) == .sent { return true }
            guard clinux_monotonic_nanoseconds() < deadline else { return false }
            poller.removeAll()
            poller.add(socket, orWritable: true)
            _ = try poller.wait(milliseconds: 100)
        }
    }

    @discardableResult
    borrowing func say(_ body: (inout ByteBuffer) -> Void, within seconds: Int64 = 10) throws -> Bool {
        var buffer = ByteBuffer(capacity: 256)
        body(&buffer)
        return try say(buffer.bytes, within: seconds)
    }

    /// Says HELLO and waits for WELCOME.
    mutating func greet(_ hello: Hello) throws {
        var welcomed: SessionStamp?
        guard try say({ hello.write(to: &$0) }) else { throw HarnessError("the connection never stood") }
        let (header, fault) = try next()
        if header.type == .welcome { welcomed = header.stamp }
        guard let welcomed else { throw HarnessError("\(header.type) \(fault?.message ?? "") and no WELCOME") }
        stamp = welcomed
    }

    /// The next message but heartbeats, and what it says if it is a FAULT.
    borrowing func next(within seconds: Int64 = 10) throws -> (header: Header, fault: Fault?) {
        let deadline = clinux_monotonic_nanoseconds() + seconds * 1_000_000_000
        let frame = Frame()
        var poller = Poller()
        while clinux_monotonic_nanoseconds() < deadline {
            while try socket.receive(into: frame) {
                let header = try Header(reading: frame.bytes)
                guard header.type != .heartbeat else { continue }
                return (header, header.type == .fault ? try Fault(reading: frame.bytes, header: header) : nil)
            }
            poller.removeAll()
            poller.add(socket)
            _ = try poller.wait(milliseconds: 200)
        }
        throw HarnessError("nothing was heard within \(seconds) s")
    }

    /// Whether no connection stands that would take a word, for many times as long as an honest one needs.
    borrowing func isSilent() throws -> Bool { try !say({ _ in }, within: 2) }

    /// Submits one request with a job for each tenant, and gives its id.
    mutating func submit(tenants: [String]) throws -> JobID {
        try greet(Self.hello(.client))
        var writer = SubmitWriter()
        let empty = ByteBuffer(capacity: 1)
        for (index, tenant) in tenants.enumerated() {
            let fields = SubmitJob(
                kind: writer.number(of: "echo"), tenant: writer.number(of: tenant), index: UInt16(index),
                count: UInt16(tenants.count))
            writer.append(fields, options: empty.bytes, payload: empty.bytes)
        }
        var message = writer.finish(notify: false)
        SubmitMessage.setStamp(stamp, in: &message)
        SubmitMessage.setFirstSequence(1, in: &message)
        try say(message.span.bytes)
        var id: JobID?
        try RawClient.answer(socket, of: .accepted) { bytes, header in
            var cursor = try header.recordCursor(atLeast: AcceptedRun.size)
            id = try AcceptedRun(reading: &cursor, header: header, in: bytes).firstID
        }
        guard let id else { throw HarnessError("no ACCEPTED") }
        return id
    }
}
