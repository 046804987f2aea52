import CLinux
import StatexKeys
import StatexProtocol
import StatexZeroMQ

/// Subscribes, and reads message after message. One thread has it.
///
/// A connection that is silent, though the stream says every second where it stands, is given up for a new one: so a
/// scheduler that starts again is heard again.
package struct EventReceiver: ~Copyable {
    private let endpoint: String
    private var keys: PeerKeys?
    private let context: ZeroMQContext
    private var subscription: Subscription?
    private let frame = Frame()
    private var poller = Poller()
    private var heardAt: Int64 = 0
    /// Messages that could not be understood: of a later version, or not of Statex.
    package private(set) var misunderstood: UInt64 = 0

    private static let silence: Int64 = 3_000_000_000

    package init(_ endpoint: String, keys: PeerKeys? = nil, in context: ZeroMQContext) {
        self.endpoint = endpoint
        self.keys = keys
        self.context = context
    }

    /// The next message.
    /// - Parameter wakeup: ends the wait.
    /// - Returns: nil: none came in this time.
    package mutating func next(milliseconds: Int, or wakeup: Wakeup? = nil) throws(ZeroMQError) -> EventMessage? {
        let until = clinux_monotonic_nanoseconds() + Int64(milliseconds) * 1_000_000
        while true {
            try connect()
            if let message = try read() { return message }
            let left = until - clinux_monotonic_nanoseconds()
            guard left > 0 else { return nil }
            guard try wait(nanoseconds: min(left, Self.silence), or: wakeup) else { return nil }
        }
    }

    private mutating func connect() throws(ZeroMQError) {
        let now = clinux_monotonic_nanoseconds()
        if subscription != nil, now - heardAt < Self.silence { return }
        subscription = nil
        subscription = try Subscription(to: endpoint, with: &keys, in: context)
        heardAt = now
    }

    private mutating func read() throws(ZeroMQError) -> EventMessage? {
        while try subscription?.receive(into: frame) ?? false {
            heardAt = clinux_monotonic_nanoseconds()
            keys?.welcomed()
            do throws(WireError) { return try EventMessage(reading: frame.bytes) } catch { misunderstood += 1 }
        }
        return nil
    }

    /// - Returns: false: the wakeup was signalled.
    private mutating func wait(nanoseconds: Int64, or wakeup: Wakeup?) throws(ZeroMQError) -> Bool {
        poller.removeAll()
        subscription?.poll(with: &poller)
        let item = wakeup.map { poller.add(descriptor: $0.descriptor) }
        // Rounded up: waking too early would spin.
        _ = try poller.wait(milliseconds: Int((nanoseconds + 999_999) / 1_000_000))
        guard let item, poller.isReadable(item) else { return true }
        wakeup?.clear()
        return false
    }
}

/// The socket of one connection to the publisher.
private struct Subscription: ~Copyable {
    private let socket: Socket

    init(to endpoint: String, with keys: inout PeerKeys?, in context: ZeroMQContext) throws(ZeroMQError) {
        let socket = try Socket(.subscriber, in: context)
        try socket.setLinkOptions(maximumMessageBytes: Limits.messageBytes)
        try socket.setSubscriberOptions(queuedMessages: Limits.queuedEventMessages)
        for type in [MessageType.events, .workerEvents] { try socket.subscribe(to: Header.topic(type)) }
        try socket.connect(endpoint, with: &keys)
        self.socket = socket
    }

    /// - Returns: false if there is no message.
    borrowing func receive(into frame: borrowing Frame) throws(ZeroMQError) -> Bool {
        try socket.receiveWhole(into: frame)
    }

    borrowing func poll(with poller: inout Poller) { poller.add(socket) }
}
