import StatexKeys
import StatexProtocol
import StatexZeroMQ

/// The socket of one connection to the scheduler. It is never used for a second one: its queue would
/// carry messages from one session into the next.
struct Connection: ~Copyable {
    private let socket: Socket
    /// Hears that the scheduler does not let this key in; nil: it comes without one.
    private let refusals: Monitor?

    init(to endpoint: String, with keys: inout PeerKeys?, in context: ZeroMQContext) throws(ZeroMQError) {
        let socket = try Socket(.dealer, in: context)
        try socket.setLinkOptions(maximumMessageBytes: Limits.messageBytes)
        try socket.setDealerOptions()
        let refusals = keys == nil ? nil : try Monitor(socket, for: .refused, in: context)
        try socket.connect(endpoint, with: &keys)
        self.socket = socket
        self.refusals = refusals
    }

    /// - Returns: false if there is no message.
    borrowing func receive(into frame: borrowing Frame) throws(ZeroMQError) -> Bool {
        try socket.receiveWhole(into: frame)
    }

    borrowing func send(_ bytes: borrowing RawSpan) throws(ZeroMQError) -> Socket.Sent { try socket.send(bytes) }

    /// libzmq does not try again by itself then, and says nothing either.
    borrowing func isRefused() throws(ZeroMQError) -> Bool { try refusals?.next() != nil }

    borrowing func poll(with poller: inout Poller, orWritable: Bool) {
        poller.add(socket, orWritable: orWritable)
        refusals?.poll(with: &poller)
    }

    /// Lets the last message leave.
    borrowing func lingerBriefly() { try? socket.setLinger(milliseconds: 500) }
}
