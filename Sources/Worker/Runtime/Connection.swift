import StatexKeys
import StatexProtocol
import StatexZeroMQ

/// The socket of one connection to the scheduler. It is never used for a second one: its queue would
/// carry messages from one session into the next.
struct Connection: ~Copyable {
    private let socket: Socket

    init(to endpoint: String, with keys: inout PeerKeys?, in context: ZeroMQContext) throws(ZeroMQError) {
        let socket = try Socket(.dealer, in: context)
        try socket.setLinkOptions(maximumMessageBytes: Limits.messageBytes)
        try socket.setDealerOptions()
        try socket.connect(endpoint, with: &keys)
        self.socket = socket
    }

    /// - Returns: false if there is no message.
    borrowing func receive(into frame: borrowing Frame) throws(ZeroMQError) -> Bool {
        try socket.receiveWhole(into: frame)
    }

    borrowing func send(_ bytes: borrowing RawSpan) throws(ZeroMQError) -> Socket.Sent { try socket.send(bytes) }

    borrowing func poll(with poller: inout Poller, orWritable: Bool) { poller.add(socket, orWritable: orWritable) }

    /// Lets the last message leave.
    borrowing func lingerBriefly() { try? socket.setLinger(milliseconds: 500) }
}
