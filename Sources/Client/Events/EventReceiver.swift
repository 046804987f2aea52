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
    /// How long it has waited since it heard something. Time in which nobody read does not count: what came then lies
    /// in the socket.
    private var silentNanoseconds: Int64 = 0
    private let patience: Int64
    /// Messages that could not be understood: of a later version, or not of Statex.
    package private(set) var misunderstood: UInt64 = 0

    /// - Parameter silenceNanoseconds: a connection that is silent for so long is given up.
    package init(
        _ endpoint: String, keys: PeerKeys? = nil, silenceNanoseconds: Int64 = 3_000_000_000,
        in context: ZeroMQContext
    ) {
        self.endpoint = endpoint
        self.keys = keys
        self.context = context
        patience = silenceNanoseconds
    }

    /// The next message.
    /// - Parameter wakeup: ends the wait.
    /// - Returns: nil: none came in this time.
    package mutating func next(milliseconds: Int, or wakeup: Wakeup? = nil) throws(ZeroMQError) -> EventMessage? {
        let until = clinux_monotonic_nanoseconds() + Int64(milliseconds) * 1_000_000
        while true {
            if let message = try read() { return message }
            try connect()
            let left = until - clinux_monotonic_nanoseconds()
            guard left > 0 else { return nil }
            guard try wait(nanoseconds: min(left, patience), or: wakeup) else { return nil }
        }
    }

    private mutating func connect() throws(ZeroMQError) {
        if subscription != nil, silentNanoseconds < patience { return }
        subscription = nil
        subscription = try Subscription(to: endpoint, with: &keys, in: context)
        silentNanoseconds = 0
    }

    private mutating func read() throws(ZeroMQError) -> EventMessage? {
        while try subscription?.receive(into: frame) ?? false {
            silentNanoseconds = 0
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
        let began = clinux_monotonic_nanoseconds()
        // Rounded up: waking too early would spin.
        _ = try poller.wait(milliseconds: Int((nanoseconds + 999_999) / 1_000_000))
        silentNanoseconds += clinux_monotonic_nanoseconds() - began
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
