import CZeroMQ
import Synchronization

/// Waits until one of a few sockets and descriptors can be read (or a DEALER written).
///
/// The set is given anew at each wait: it is a handful, and so nothing dangles.
package struct Poller: ~Copyable {
    private var items: [zmq_pollitem_t] = []

    package init() {}

    package mutating func removeAll() { items.removeAll(keepingCapacity: true) }

    @discardableResult
    package mutating func add(_ socket: borrowing Socket) -> Int {
        items.append(zmq_pollitem_t(socket: socket.pointer, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
        return items.count - 1
    }

    /// Ends the wait also when the socket takes a message again. Not for a ROUTER: it always can.
    @discardableResult
    package mutating func add(_ socket: borrowing Socket, orWritable: Bool) -> Int {
        let index = add(socket)
        if orWritable { items[index].events |= Int16(ZMQ_POLLOUT) }
        return index
    }

    @discardableResult
    package mutating func add(descriptor: Int32) -> Int {
        items.append(zmq_pollitem_t(socket: nil, fd: descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
        return items.count - 1
    }

    /// Waits at most so long (negative: for ever) and returns whether anything can be read.
    package mutating func wait(milliseconds: Int) throws(ZeroMQError) -> Bool {
        let ready = zmq_poll(&items, Int32(items.count), milliseconds)
        if ready < 0 && zmq_errno() != EINTR { throw .last("poll") }
        return ready > 0
    }

    package func isReadable(_ index: Int) -> Bool { items[index].revents & Int16(ZMQ_POLLIN) != 0 }
}

/// Reads what a monitored socket saw become of its connections.
package struct Monitor: ~Copyable {
    package enum Event: Sendable {
        /// One closed; its value is the descriptor.
        case closed
        /// The other end does not let this key in; its value is the status of ZAP (400).
        case refused

        var number: Int32 {
            switch self {
            case .closed: ZMQ_EVENT_DISCONNECTED
            case .refused: ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
            }
        }
    }

    package private(set) var socket: Socket
    private let event: Event
    private let context: ZeroMQContext

    package init(_ watched: borrowing Socket, for event: Event, in context: ZeroMQContext) throws(ZeroMQError) {
        socket = try Self.ear(at: watched, event, in: context)
        self.event = event
        self.context = context
    }

    /// Watches another socket from now on, and forgets the one before.
    package mutating func watch(_ watched: borrowing Socket) throws(ZeroMQError) {
        socket = try Self.ear(at: watched, event, in: context)
    }

    /// Each has an address of its own: that of a socket that is closing is not free yet.
    private static let addresses = Atomic<UInt64>(0)

    private static func ear(
        at watched: borrowing Socket, _ event: Event, in context: ZeroMQContext
    ) throws(ZeroMQError) -> Socket {
        let endpoint = "inproc://monitor-\(addresses.add(1, ordering: .relaxed).newValue)"
        try watched.report(event, at: endpoint)
        let pair = try Socket(.pair, in: context)
        try pair.connect(endpoint)
        return pair
    }

    package borrowing func poll(with poller: inout Poller) { poller.add(socket) }

    /// The value of the next event, or nil if there is none now.
    package borrowing func next() throws(ZeroMQError) -> Int32? {
        let frame = Frame()
        guard try socket.receive(into: frame) else { return nil }
        // First frame: event number (2 bytes), then its value (4 bytes); second frame: the address.
        let isWhole = frame.bytes.byteCount >= 6
        let value: Int32 = isWhole ? frame.bytes.unsafeLoadUnaligned(fromByteOffset: 2, as: Int32.self) : -1
        while frame.hasMore { guard try socket.receive(into: frame) else { break } }
        return value
    }
}
