import StatexProtocol
import StatexZeroMQ

/// A worker by hand: it speaks of leases that it never had.
struct RawWorker: ~Copyable {
    private let socket: Socket
    let stamp: SessionStamp

    init(_ endpoint: String) throws {
        let socket = try Socket(.dealer, in: RawClient.context.get())
        try socket.connect(endpoint)
        var hello = Hello(role: .worker, incarnation: .random(in: 1 ... .max), name: "by hand")
        hello.slots = 1
        hello.kinds = [Hello.Kind("noop")]
        var buffer = ByteBuffer(capacity: 256)
        hello.write(to: &buffer)
        _ = try socket.send(buffer.bytes)
        var stamp: SessionStamp?
        try RawClient.answer(socket, of: .welcome) { _, header in stamp = header.stamp }
        guard let stamp else { throw HarnessError("no WELCOME") }
        self.stamp = stamp
        self.socket = socket
    }

    borrowing func claim(_ record: TokenRecord, tokensOf incarnation: UInt64) throws {
        var stamp = stamp
        stamp.incarnation = incarnation
        var buffer = ByteBuffer(capacity: 256)
        Header(.claim, recordLength: TokenRecord.size, stamp: stamp, count: 1).write(to: &buffer)
        record.write(to: &buffer)
        _ = try socket.send(buffer.bytes)
    }

    borrowing func report(_ record: OutcomeRecord, tokensOf incarnation: UInt64) throws {
        var stamp = stamp
        stamp.incarnation = incarnation
        var buffer = ByteBuffer(capacity: 256)
        OutcomeRecord.begin(credit: 0, stamp: stamp, to: &buffer)
        record.write(to: &buffer)
        Header.setCount(1, in: &buffer)
        _ = try socket.send(buffer.bytes)
    }

    /// The records of the next message, which is of this type, and the journal incarnation that its header names.
    borrowing func answer(_ type: MessageType) throws -> (incarnation: UInt64, tokens: [UInt64]) {
        var answer: (UInt64, [UInt64]) = (0, [])
        try RawClient.answer(socket, of: type) { bytes, header in
            var cursor = try header.recordCursor(atLeast: TokenRecord.size)
            answer.0 = header.incarnation
            for _ in 0..<header.count {
                answer.1.append(try TokenRecord(reading: &cursor, header: header, in: bytes).token)
            }
        }
        return answer
    }
}
