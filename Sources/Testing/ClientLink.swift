import StatexProtocol
import StatexZeroMQ

/// A client's session, and what is on its way to it: records of one type that follow each other share a message.
final class ClientLink {
    let routing: RoutingID
    let session: UInt32
    let stamp: SessionStamp
    /// Whole messages, oldest first.
    private var messages: [[UInt8]] = []

    private var buffer = ByteBuffer()
    private var type: MessageType?
    private var count = 0

    /// A larger message gains nothing.
    private static let recordsInMessage = 1_000
    private static let bytesInMessage = 1 << 20

    init(routing: RoutingID, session: UInt32, stamp: SessionStamp) {
        self.routing = routing
        self.session = session
        self.stamp = stamp
    }

    func append(_ type: MessageType, recordLength: Int, _ write: (inout ByteBuffer) -> Void) {
        if type != self.type || count == Self.recordsInMessage || buffer.count >= Self.bytesInMessage {
            endMessage()
            Header(type, recordLength: recordLength, stamp: stamp).write(to: &buffer)
            self.type = type
        }
        write(&buffer)
        count += 1
    }

    /// Adds a message that has no records.
    func append(_ write: (inout ByteBuffer) -> Void) {
        endMessage()
        write(&buffer)
        messages.append(buffer.array())
        buffer.removeAll()
    }

    private func endMessage() {
        guard type != nil else { return }
        Header.setCount(count, in: &buffer)
        messages.append(buffer.array())
        buffer.removeAll()
        (type, count) = (nil, 0)
    }

    /// Sends what its queue takes.
    /// - Returns: `sent` if nothing is left.
    func send(over socket: borrowing Socket) throws(ZeroMQError) -> Socket.Sent {
        endMessage()
        var sent = 0
        defer { messages.removeFirst(sent) }
        for message in messages {
            let outcome = try socket.send(message.span.bytes, to: routing)
            guard outcome == .sent else { return outcome }
            sent += 1
        }
        return .sent
    }
}
