import CZeroMQ

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

/// Reads the descriptors of connections that a monitored socket saw close.
package struct Monitor: ~Copyable {
    package private(set) var socket: Socket
    private let name: String
    private let context: ZeroMQContext
    private var count = 0

    /// Watches `watched` for connections that close. `name` must be its own in the process.
    package init(_ watched: borrowing Socket, name: String, in context: ZeroMQContext) throws(ZeroMQError) {
        socket = try Self.ear(at: watched, "\(name)-0", in: context)
        self.name = name
        self.context = context
    }

    /// Watches another socket from now on, and forgets the one before.
    package mutating func watch(_ watched: borrowing Socket) throws(ZeroMQError) {
        // Each has an address of its own: that of a socket that is closing is not free yet.
        count += 1
        socket = try Self.ear(at: watched, "\(name)-\(count)", in: context)
    }

    private static func ear(
        at watched: borrowing Socket, _ name: String, in context: ZeroMQContext
    ) throws(ZeroMQError) -> Socket {
        let endpoint = "inproc://monitor-\(name)"
        try watched.monitorDisconnects(at: endpoint)
        let pair = try Socket(.pair, in: context)
        try pair.connect(endpoint)
        return pair
    }

    /// The next descriptor that was closed, or nil if there is none now.
    package borrowing func next() throws(ZeroMQError) -> Int32? {
        let frame = Frame()
        guard try socket.receive(into: frame) else { return nil }
        // First frame: event number (2 bytes), then its value (4 bytes); second frame: the address.
        let isWhole = frame.bytes.byteCount >= 6
        let descriptor: Int32 = isWhole ? frame.bytes.unsafeLoadUnaligned(fromByteOffset: 2, as: Int32.self) : -1
        while frame.hasMore { guard try socket.receive(into: frame) else { break } }
        return descriptor
    }
}
