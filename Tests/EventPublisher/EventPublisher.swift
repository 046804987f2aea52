import StatexProtocol
import StatexZeroMQ

/// Publishes events on a real socket as a scheduler does, and says what a test wants: from the thread of the test.
package final class EventPublisher {
    package struct NobodyCame: Error {
        package let topics: Set<[UInt8]>
    }

    private let socket: Socket

    package init(_ endpoint: String, in context: ZeroMQContext) throws {
        let socket = try Socket(.publisher, in: context)
        try socket.setPublisherOptions(queuedMessages: 4)
        try socket.bind(endpoint)
        self.socket = socket
    }

    package static func endpoint() -> String { "ipc:///tmp/statex-events-\(UInt64.random(in: 1 ... .max))" }

    /// Waits until somebody subscribes to all that a stream has.
    package func waitForSubscriber() throws {
        var poller = Poller()
        let frame = Frame()
        var topics: Set<[UInt8]> = []
        let until = ContinuousClock.now + .seconds(20)
        while topics.count < 2, ContinuousClock.now < until {
            poller.removeAll()
            poller.add(socket)
            _ = try poller.wait(milliseconds: 1_000)
            while try socket.receive(into: frame) { topics.insert(frame.bytes.array(0..<frame.bytes.byteCount)) }
        }
        let wanted = [MessageType.events, .workerEvents].map { [1] + Header.topic($0) }
        guard topics == Set(wanted) else { throw NobodyCame(topics: topics) }
    }

    /// A commit of one event: that a request was created.
    /// - Parameter id: of the request; nil: no event, but where the stream stands.
    package func publish(_ batch: UInt64, after: UInt64, id: UInt64?, incarnation: UInt64 = 5) throws {
        var buffer = ByteBuffer()
        let count = id == nil ? 0 : 1
        Header(
            .events, fields: EventsHead.size, recordLength: EventRecord.size,
            stamp: SessionStamp(incarnation: incarnation, epoch: 1), count: count
        ).write(to: &buffer)
        var head = EventsHead(batch: batch, after: after, total: count, at: 9, shard: 0)
        head.names = id == nil ? 0 : 2
        head.write(to: &buffer)
        if let id {
            EventRecord(.requestCreated, id: id, request: id, at: 9, kind: 0, tenant: 1, number: 3).write(to: &buffer)
            for name in ["text", "acme"] {
                buffer.append(UInt8(name.utf8.count))
                buffer.append(name)
            }
        }
        _ = try socket.send(buffer.bytes)
    }
}
