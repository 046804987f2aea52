import Glibc
import StatexThreads

/// One connection to the server, plain or TLS, that carries one request and its response.
struct Connection: ~Copyable {
    enum Event {
        case received([UInt8])
        case ended(cleanly: Bool)
    }

    private let socket: Socket
    private var tls: TLSSession?
    /// The rest of the request.
    private var unsent: ArraySlice<UInt8> = []
    /// What goes to the socket next: the request itself, or TLS records.
    private var outgoing: ArraySlice<UInt8> = []

    /// Connects to the first address that answers, and agrees on keys.
    static func open(
        to server: ServerAddress, at addresses: [SocketAddress], authorities: String?, _ patience: Patience
    ) throws(TransportFault) -> Connection {
        let socket = try socket(to: addresses, patience)
        guard server.isSecure else { return Connection(socket, nil) }
        var connection: Connection
        do throws(TLSFault) {
            connection = Connection(socket, try TLSSession(host: server.host, authorities: authorities))
        } catch {
            throw .broken(error.reason)
        }
        try connection.handshake(patience)
        return connection
    }

    private init(_ socket: consuming Socket, _ tls: consuming TLSSession?) {
        self.socket = socket
        self.tls = tls
    }

    private static func socket(to addresses: [SocketAddress], _ patience: Patience) throws(TransportFault) -> Socket {
        var last = TransportFault.broken("the host has no address")
        for (index, address) in addresses.enumerated() {
            // An address that swallows packets leaves time for the others.
            var share = patience
            let remaining = ContinuousClock.now.duration(to: patience.deadline)
            share.deadline = .now + remaining / (addresses.count - index)
            do throws(TransportFault) {
                return try Socket(connectedTo: address, share)
            } catch {
                guard error != .stopped else { throw error }
                last = error
            }
        }
        throw last
    }

    mutating func send(_ request: [UInt8]) { unsent = request[...] }

    /// Gives up the rest of the request: the server has answered without it.
    mutating func stopSending() {
        unsent = []
        if tls == nil { outgoing = [] }
    }

    /// Sends while it can, and waits until something arrives.
    mutating func next(_ patience: Patience) throws(TransportFault) -> Event {
        while true {
            do throws(TLSFault) {
                switch try tls?.read() {
                case .bytes(let bytes): return .received(bytes)
                case .end: return .ended(cleanly: true)
                case .nothing, nil: break
                }
                try fill()
            } catch {
                throw .broken(error.reason)
            }
            switch try transfer(patience) {
            case .nothing: continue
            // TLS says goodbye in a record of its own; without it the end may be somebody else's doing.
            case .ended(let cleanly): return .ended(cleanly: cleanly && tls == nil)
            case .bytes(let bytes):
                if tls == nil { return .received(bytes) }
                try feed(bytes)
            }
        }
    }

    private mutating func handshake(_ patience: Patience) throws(TransportFault) {
        while true {
            let isDone: Bool
            do throws(TLSFault) {
                isDone = try tls?.handshake() ?? true
                try fill()
            } catch {
                throw .broken(error.reason)
            }
            if isDone { return }
            switch try transfer(patience) {
            case .nothing: continue
            case .ended: throw .broken("the server closed the connection during the TLS handshake")
            case .bytes(let bytes): try feed(bytes)
            }
        }
    }

    private mutating func feed(_ bytes: [UInt8]) throws(TransportFault) {
        do throws(TLSFault) {
            try tls?.received(bytes)
        } catch {
            throw .broken(error.reason)
        }
    }

    /// Makes the next piece ready for the socket when the last one has gone.
    private mutating func fill() throws(TLSFault) {
        guard outgoing.isEmpty else { return }
        if tls == nil {
            (outgoing, unsent) = (unsent, [])
            return
        }
        if !unsent.isEmpty { unsent = unsent.dropFirst(try tls?.write(unsent) ?? 0) }
        outgoing = (tls?.takeOutput() ?? [])[...]
    }

    /// Moves bytes over the socket, once in each direction at most.
    private mutating func transfer(_ patience: Patience) throws(TransportFault) -> Socket.Received {
        let events = outgoing.isEmpty ? POLLIN : POLLIN | POLLOUT
        let ready = try patience.wait(for: Int32(events), on: socket.descriptor)
        if ready & ~Int32(POLLOUT) != 0 { return socket.receive() }
        switch socket.send(outgoing) {
        case .count(let count): outgoing = outgoing.dropFirst(count)
        case .full: break
        case .closed:
            // What it said before it closed may still be read.
            outgoing = []
            unsent = []
        }
        return .nothing
    }
}
