import CZeroMQ
import Glibc

/// A socket, owned by one thread at a time: it is not copyable, so it cannot be shared.
package struct Socket: ~Copyable {
    package enum Kind: Sendable {
        case dealer
        case router
        case pair
        case publisher
        case subscriber

        var number: Int32 {
            switch self {
            case .dealer: ZMQ_DEALER
            case .router: ZMQ_ROUTER
            case .pair: ZMQ_PAIR
            case .publisher: ZMQ_XPUB
            case .subscriber: ZMQ_SUB
            }
        }
    }

    package enum Sent: Sendable {
        case sent
        /// The peer's queue is full; it alone is to be tried again later.
        case full
        /// No connection leads to that peer.
        case unroutable
    }

    let pointer: UnsafeMutableRawPointer
    private let context: ZeroMQContext

    package init(_ kind: Kind, in context: ZeroMQContext) throws(ZeroMQError) {
        // A ROUTER counts its connections on from `rand()`, which nobody else seeds: it would be the same after each
        // start. (libzmq takes `rand()` for nothing else that matters.)
        if kind == .router { srand(.random(in: .min ... .max)) }
        guard let pointer = zmq_socket(context.pointer, kind.number) else { throw .last("zmq_socket") }
        self.pointer = pointer
        self.context = context
        // No message is worth waiting for at the end: what counts is in the journal, or is asked again.
        var linger: Int32 = 0
        zmq_setsockopt(pointer, ZMQ_LINGER, &linger, MemoryLayout<Int32>.size)
    }

    deinit { zmq_close(pointer) }

    /// What both ends of Statex's links use. The reasons stand beside the numbers.
    package borrowing func setLinkOptions(maximumMessageBytes: Int) throws(ZeroMQError) {
        // Flow control is credit in the protocol; the queue below only bridges a thread switch.
        try set(ZMQ_SNDHWM, 64)
        try set(ZMQ_RCVHWM, 64)
        try set64(ZMQ_MAXMSGSIZE, Int64(maximumMessageBytes))
        // A half-made handshake must not hold a connection.
        try set(ZMQ_HANDSHAKE_IVL, 3_000)
        try set(ZMQ_BACKLOG, 1_024)
        // Dead links are found by the I/O thread even while the application is busy.
        try set(ZMQ_HEARTBEAT_IVL, 1_000)
        try set(ZMQ_HEARTBEAT_TIMEOUT, 3_000)
        try set(ZMQ_HEARTBEAT_TTL, 3_000)
        try set(ZMQ_TCP_KEEPALIVE, 1)
        try set(ZMQ_TCP_KEEPALIVE_IDLE, 10)
        try set(ZMQ_TCP_KEEPALIVE_INTVL, 3)
        try set(ZMQ_TCP_KEEPALIVE_CNT, 3)
        try set(ZMQ_TCP_MAXRT, 10_000)
    }

    /// A ROUTER says when a peer is unroutable or full instead of dropping the message.
    package borrowing func setMandatory() throws(ZeroMQError) { try set(ZMQ_ROUTER_MANDATORY, 1) }

    /// A DEALER queues nothing for a connection that is not there, and backs off while it is not.
    package borrowing func setDealerOptions() throws(ZeroMQError) {
        try set(ZMQ_IMMEDIATE, 1)
        try set(ZMQ_RECONNECT_IVL, 100)
        try set(ZMQ_RECONNECT_IVL_MAX, 2_000)
    }

    /// A publisher says when anybody subscribes, also to what others have; and it holds so many messages for each.
    package borrowing func setPublisherOptions(queuedMessages: Int) throws(ZeroMQError) {
        try set(ZMQ_XPUB_VERBOSE, 1)
        try set(ZMQ_SNDHWM, Int32(clamping: queuedMessages))
    }

    /// A subscriber holds so many messages, and comes back soon when its publisher does.
    package borrowing func setSubscriberOptions(queuedMessages: Int) throws(ZeroMQError) {
        try set(ZMQ_RCVHWM, Int32(clamping: queuedMessages))
        try set(ZMQ_RECONNECT_IVL, 100)
        try set(ZMQ_RECONNECT_IVL_MAX, 1_000)
    }

    package borrowing func subscribe(to topic: [UInt8]) throws(ZeroMQError) {
        guard zmq_setsockopt(pointer, ZMQ_SUBSCRIBE, topic, topic.count) == 0 else { throw .last("subscribe") }
    }

    /// Gives what was sent so long to leave after the socket is closed; a last message is worth it.
    package borrowing func setLinger(milliseconds: Int32) throws(ZeroMQError) { try set(ZMQ_LINGER, milliseconds) }

    package borrowing func bind(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_bind(pointer, endpoint) == 0 else { throw .last("bind \(endpoint)") }
    }

    /// Listens there no more; connections that came that way end.
    package borrowing func unbind(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_unbind(pointer, endpoint) == 0 else { throw .last("unbind \(endpoint)") }
    }

    package borrowing func connect(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_connect(pointer, endpoint) == 0 else { throw .last("connect \(endpoint)") }
    }

    /// The endpoint that `bind` chose, with the port that `*` became.
    package borrowing func lastEndpoint() throws(ZeroMQError) -> String {
        var length = 1_024
        var text = [CChar](repeating: 0, count: length)
        guard zmq_getsockopt(pointer, ZMQ_LAST_ENDPOINT, &text, &length) == 0 else { throw .last("last endpoint") }
        return String(decoding: text.prefix(max(length - 1, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Receives one frame without waiting.
    /// - Returns: false if there is none.
    package borrowing func receive(into frame: borrowing Frame) throws(ZeroMQError) -> Bool {
        while true {
            if zmq_msg_recv(frame.message, pointer, ZMQ_DONTWAIT) >= 0 { return true }
            switch zmq_errno() {
            case EINTR: continue
            case EAGAIN: return false
            default: throw .last("receive")
            }
        }
    }

    /// Receives one message of one frame without waiting. Messages of several frames are passed over: every message of
    /// the protocol that a peer connects for is one frame, another one is not of Statex.
    /// - Returns: false if there is none.
    package borrowing func receiveWhole(into frame: borrowing Frame) throws(ZeroMQError) -> Bool {
        while try receive(into: frame) {
            if !frame.hasMore { return true }
            while frame.hasMore { guard try receive(into: frame) else { return false } }
        }
        return false
    }

    /// Sends one frame without waiting. `more`: another frame of the same message follows.
    package borrowing func send(_ bytes: borrowing RawSpan, more: Bool = false) throws(ZeroMQError) -> Sent {
        while true {
            let sent = bytes.withUnsafeBytes {
                zmq_send(pointer, $0.baseAddress, $0.count, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0))
            }
            if sent >= 0 { return .sent }
            switch zmq_errno() {
            case EINTR: continue
            case EAGAIN: return .full
            case EHOSTUNREACH: return .unroutable
            default: throw .last("send")
            }
        }
    }

    /// Sends one message of a ROUTER to the peer with that routing id.
    package borrowing func send(_ bytes: borrowing RawSpan, to peer: RoutingID) throws(ZeroMQError) -> Sent {
        let first = try peer.withSpan { id throws(ZeroMQError) in try send(id, more: true) }
        guard first == .sent else { return first }
        return try send(bytes)
    }

    /// Ends a connection that came in here, by its descriptor (`Frame.sourceDescriptor`): libzmq, which has no call for that,
    /// finds it closed as by the peer, and cleans up. Nothing happens to a descriptor that is no connection to this
    /// socket's port (any more): the kernel uses the numbers again.
    /// - Returns: whether it did.
    package borrowing func shutDown(connection descriptor: Int32) -> Bool {
        guard let endpoint = try? lastEndpoint(), endpoint.hasPrefix("tcp://"),
            let port = endpoint.split(separator: ":").last.flatMap({ UInt16($0) }),
            localPort(of: descriptor) == port
        else { return false }
        return shutdown(descriptor, Int32(SHUT_RDWR)) == 0
    }

    /// Reports what becomes of connections to a PAIR at `endpoint` (an `inproc://` address), see `Monitor`.
    borrowing func report(_ event: Monitor.Event, at endpoint: String) throws(ZeroMQError) {
        guard zmq_socket_monitor(pointer, endpoint, event.number) == 0 else { throw .last("monitor") }
    }

    borrowing func set(_ option: Int32, _ value: Int32) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(pointer, option, &value, MemoryLayout<Int32>.size) == 0 else {
            throw .last("socket option \(option)")
        }
    }

    borrowing func set(_ option: Int32, _ bytes: [UInt8]) throws(ZeroMQError) {
        guard zmq_setsockopt(pointer, option, bytes, bytes.count) == 0 else { throw .last("socket option \(option)") }
    }

    borrowing func set64(_ option: Int32, _ value: Int64) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(pointer, option, &value, MemoryLayout<Int64>.size) == 0 else {
            throw .last("socket option \(option)")
        }
    }
}

/// nil: it is no connection of TCP.
private func localPort(of descriptor: Int32) -> UInt16? {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let found = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    // An address of IPv4 has its port in the same place.
    guard found == 0, [sa_family_t(AF_INET), sa_family_t(AF_INET6)].contains(address.sin6_family) else { return nil }
    return UInt16(bigEndian: address.sin6_port)
}
