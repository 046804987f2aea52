import StatexKeys
import StatexProtocol
import StatexZeroMQ

/// A door of the scheduler: its socket, and where that listens.
struct Entrance: ~Copyable {
    private(set) var socket: Socket
    private let plan: Plan
    /// nil: what was bound before is not let go of yet; it is tried again.
    private var bound: BoundEndpoint?

    struct Plan: Sendable {
        var door: Door
        var endpoint: String
        var context: ZeroMQContext
        /// nil: whoever reaches the endpoint is let in.
        var secret: SecretKey?

        init(_ door: Door, _ endpoint: String, _ keyring: Keyring?, _ context: ZeroMQContext) {
            self.door = door
            self.endpoint = endpoint
            self.context = context
            secret = Door.takesKeys(endpoint) ? keyring?.secret : nil
        }

        /// The socket, not yet bound.
        fileprivate func make() throws(ZeroMQError) -> Socket {
            let socket = try Socket(door == .events ? .publisher : .router, in: context)
            if door == .events {
                // A subscription is a few bytes.
                try socket.setLinkOptions(maximumMessageBytes: 256)
                try socket.setPublisherOptions(queuedMessages: Limits.queuedEventMessages)
            } else {
                try socket.setLinkOptions(maximumMessageBytes: Limits.messageBytes)
                try socket.setMandatory()
            }
            if let secret { try socket.setKeys(secret, at: door) }
            return socket
        }
    }

    init(_ plan: Plan) throws(ZeroMQError) {
        self.plan = plan
        let socket = try plan.make()
        bound = try BoundEndpoint(plan.endpoint, of: socket)
        self.socket = socket
    }

    /// Whoever comes in has a key.
    var hasKeys: Bool { plan.secret != nil }
    var isBound: Bool { bound != nil }

    /// Ends all connections with what waits in them, and listens anew. Peers come back by themselves.
    mutating func reopen() throws(ZeroMQError) {
        socket = try plan.make()
        bound = nil
        try bindAgain()
    }

    /// libzmq closes the socket before in a thread of its own: until then the port is taken.
    mutating func bindAgain() throws(ZeroMQError) {
        guard bound == nil else { return }
        do throws(ZeroMQError) { bound = try BoundEndpoint(plan.endpoint, of: socket) } catch {
            guard error.isAddressInUse else { throw error }
        }
    }

    /// Takes the path back if it leads elsewhere.
    /// - Returns: whether it did.
    mutating func reclaim() throws(ZeroMQError) -> Bool {
        try bound?.reclaim(for: socket) ?? false
    }
}
