import CLinux
import Foundation
import StatexProtocol
import StatexZeroMQ

/// A scheduler played by a test: one ROUTER socket, and answers in the order that the test wants.
/// It lives on one thread (see `withWorker`).
final class FakeScheduler {
    struct Message {
        var header: Header
        var bytes: [UInt8]
    }

    struct Outcome: Equatable {
        var id: JobID
        var token: UInt64
        var ending: Ending
        var incarnation: UInt64
        var retryable = false
        var retryAfterMilliseconds: UInt32 = 0
        var encoding: UInt8 = 0
        var body: [UInt8] = []

        var error: ErrorText? {
            guard ending == .failed else { return nil }
            let bytes = body.span.bytes
            return try? ErrorText(reading: bytes)
        }
    }

    struct TooLate: Error, CustomStringConvertible { var description: String }

    /// Long enough for a loaded machine; a test that waits so long has failed.
    static let patience: Int64 = 20_000_000_000

    private let socket: Socket
    private var peer: RoutingID?
    private var buffer = ByteBuffer()
    var stamp: SessionStamp
    /// Heartbeats get no answer.
    var isSilent = false
    private(set) var heartbeats: [Heartbeat] = []
    private(set) var credit = 0
    private(set) var hello: Hello?
    private var received: [Message] = []
    /// Outcomes that were read and not answered yet.
    private var unanswered = Set<UInt64>()

    init(
        _ endpoint: String, in context: ZeroMQContext,
        stamp: SessionStamp = SessionStamp(session: 1, incarnation: 7, epoch: 1)
    )
        throws
    {
        let socket = try Socket(.router, in: context)
        try socket.setLinkOptions(maximumMessageBytes: Limits.messageBytes)
        try socket.setMandatory()
        try socket.bind(endpoint)
        self.socket = socket
        self.stamp = stamp
    }

    // Sending.

    private func send() throws {
        guard let peer else { throw TooLate(description: "no worker has said anything yet") }
        let bytes = buffer.array()
        while try socket.send(bytes.span.bytes, to: peer) == .full { try wait(milliseconds: 1) }
    }

    func welcome(heartbeatMilliseconds: UInt32 = 100) throws {
        buffer.removeAll()
        Welcome(
            stamp: stamp, heartbeatMilliseconds: heartbeatMilliseconds, leaseMilliseconds: 10_000, lastSequence: 0
        ).write(to: &buffer)
        try send()
    }

    /// The worker's HELLO is answered, and all that it tells about before is read, up to its CREDIT.
    func greet(heartbeatMilliseconds: UInt32 = 100) throws -> (claims: [TokenRecord], outcomes: [Outcome]) {
        let message = try next(.hello)
        hello = try Hello(reading: message.bytes.span.bytes, header: message.header)
        try welcome(heartbeatMilliseconds: heartbeatMilliseconds)
        var claims: [TokenRecord] = []
        var outcomes: [Outcome] = []
        while true {
            let message = try next()
            switch message.header.type {
            case .claim: claims += try Self.tokens(message)
            case .outcomes: outcomes += try Self.outcomes(message)
            case .credit: return (claims, outcomes)
            default: continue
            }
        }
    }

    static func id(_ token: UInt64) -> JobID { JobID(rawValue: 1_000_000 + token) }

    func lease(
        _ tokens: some Sequence<UInt64>, kind: UInt16 = 0, payload: String = "", limit: UInt32 = 0, attempt: UInt16 = 1,
        encoding: Encoding = .bytes, affinity: String? = nil, trace: TraceContext? = nil
    ) throws {
        buffer.removeAll()
        Header(.leases, recordLength: LeaseRecord.size, stamp: stamp).write(to: &buffer)
        var count = 0
        for token in tokens {
            var record = LeaseRecord(
                id: Self.id(token), token: token, runLimitMilliseconds: limit,
                payloadLength: UInt32(payload.utf8.count), attempt: attempt, kind: kind, encoding: encoding.rawValue)
            record.hasAffinity = affinity != nil
            record.hasTrace = trace != nil
            record.write(to: &buffer)
            buffer.append(payload)
            if let affinity {
                buffer.append(UInt8(affinity.utf8.count))
                buffer.append(affinity)
            }
            if let trace {
                LeaseTrace(context: trace, request: Self.id(0), waitedMicroseconds: 1_500, tenant: "acme")
                    .write(to: &buffer)
            }
            count += 1
        }
        Header.setCount(count, in: &buffer)
        try send()
    }

    func tell(_ type: MessageType, _ tokens: some Sequence<UInt64>, reason: TokenRecord.Reason = .none) throws {
        let tokens = Array(tokens)
        unanswered.subtract(tokens)
        buffer.removeAll()
        Header(type, recordLength: TokenRecord.size, stamp: stamp, count: tokens.count).write(to: &buffer)
        for token in tokens { TokenRecord(Self.id(token), token: token, reason: reason).write(to: &buffer) }
        try send()
    }

    func say(_ type: MessageType) throws {
        buffer.removeAll()
        Bare.write(type, stamp: stamp, to: &buffer)
        try send()
    }

    func fault(_ code: WireError.Code) throws {
        buffer.removeAll()
        Fault(WireError(code, "as the test wants")).write(to: &buffer, stamp: SessionStamp())
        try send()
    }

    func send(raw bytes: [UInt8]) throws {
        buffer.removeAll()
        buffer.append(bytes)
        try send()
    }

    // Receiving.

    /// The next message of this type; what else comes is kept for later, heartbeats are answered.
    func next(_ type: MessageType) throws -> Message {
        let deadline = clinux_monotonic_nanoseconds() + Self.patience
        while true {
            if let index = received.firstIndex(where: { $0.header.type == type }) { return received.remove(at: index) }
            try receive(until: deadline, "a message of type \(type)")
        }
    }

    func next() throws -> Message {
        let deadline = clinux_monotonic_nanoseconds() + Self.patience
        while received.isEmpty { try receive(until: deadline, "a message") }
        return received.removeFirst()
    }

    /// Reads outcomes until there are so many.
    func outcomes(_ count: Int) throws -> [Outcome] {
        var outcomes: [Outcome] = []
        while outcomes.count < count { outcomes += try Self.outcomes(next(.outcomes)) }
        unanswered.formUnion(outcomes.map(\.token))
        return outcomes
    }

    /// Reads and answers heartbeats until so many more have come.
    func awaitHeartbeats(_ count: Int) throws {
        let goal = heartbeats.count + count
        let deadline = clinux_monotonic_nanoseconds() + Self.patience
        while heartbeats.count < goal { try receive(until: deadline, "a heartbeat") }
    }

    /// Answers every HELLO with this fault: a worker on a loaded machine may have given up the first one.
    func refuse(_ code: WireError.Code, until over: DispatchSemaphore) throws {
        let deadline = clinux_monotonic_nanoseconds() + Self.patience
        while over.wait(timeout: .now()) == .timedOut {
            try receive(until: deadline, "the worker's end")
            for message in received where message.header.type == .hello { try fault(code) }
            received.removeAll()
        }
    }

    /// Takes what comes and makes every outcome durable until the worker says goodbye.
    func serveUntilGoodbye() throws -> [Outcome] {
        var outcomes: [Outcome] = []
        if !unanswered.isEmpty { try tell(.durable, unanswered) }
        while true {
            let message = try next()
            switch message.header.type {
            case .goodbye: return outcomes
            case .outcomes:
                let records = try Self.outcomes(message)
                outcomes += records
                try tell(.durable, records.map(\.token))
            case .hello: try welcome()
            default: continue
            }
        }
    }

    private func receive(until deadline: Int64, _ wanted: String) throws {
        let frame = Frame()
        guard try socket.receive(into: frame) else {
            guard clinux_monotonic_nanoseconds() < deadline else {
                throw TooLate(description: "\(wanted) did not come")
            }
            return try wait(milliseconds: 10)
        }
        peer = RoutingID(frame.bytes)
        guard frame.hasMore, try socket.receive(into: frame) else { return }
        let header = try Header(reading: frame.bytes)
        guard header.type == .hello || header.session == stamp.session else { return try fault(.session) }
        let message = Message(header: header, bytes: frame.bytes.array(0..<frame.bytes.byteCount))
        switch header.type {
        case .heartbeat:
            heartbeats.append(try Heartbeat(reading: frame.bytes, header: header))
            if !isSilent { try say(.heartbeat) }
        case .credit:
            credit = try Credit.read(frame.bytes, header: header)
            received.append(message)
        case .outcomes:
            credit = try OutcomeRecord.readCredit(frame.bytes, header: header)
            received.append(message)
        default: received.append(message)
        }
    }

    private func wait(milliseconds: Int) throws {
        var poller = Poller()
        poller.add(socket)
        _ = try poller.wait(milliseconds: milliseconds)
    }

    // Reading.

    static func outcomes(_ message: Message) throws -> [Outcome] {
        let bytes = message.bytes.span.bytes
        var cursor = try message.header.recordCursor(atLeast: OutcomeRecord.size)
        var outcomes: [Outcome] = []
        for _ in 0..<message.header.count {
            let record = try OutcomeRecord(reading: &cursor, header: message.header, in: bytes)
            outcomes.append(
                Outcome(
                    id: record.id, token: record.token, ending: record.ending, incarnation: message.header.incarnation,
                    retryable: record.retryable, retryAfterMilliseconds: record.retryAfterMilliseconds,
                    encoding: record.encoding,
                    body: bytes.array(record.bodyStart..<record.bodyStart + Int(record.bodyLength))))
        }
        return outcomes
    }

    static func tokens(_ message: Message) throws -> [TokenRecord] {
        let bytes = message.bytes.span.bytes
        var cursor = try message.header.recordCursor(atLeast: TokenRecord.size)
        var records: [TokenRecord] = []
        for _ in 0..<message.header.count {
            records.append(try TokenRecord(reading: &cursor, header: message.header, in: bytes))
        }
        return records
    }
}
