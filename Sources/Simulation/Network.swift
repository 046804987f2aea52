/// Whose socket it is.
enum PeerName: Equatable {
    case worker(Int)
    case client(Int)
}

/// The network as ZeroMQ shows it: a peer's socket outlives its connections, connects again by itself and
/// keeps what it could not send yet; the scheduler sees connections, each with a number of its own.
///
/// Messages of one connection stay in order. Those of two connections do not, not even of one peer. A
/// connection that is cut loses the end of what was under way, and the scheduler hears of it later; one
/// that is clogged holds everything back, and nobody hears of it.
final class Network {
    private struct Socket {
        var peer: PeerName
        var isOpen = true
        /// -1: none now.
        var connection = -1
        var reconnectsAt: Int64 = 0
        var unsent: [[UInt8]] = []
    }

    struct Connection {
        var peer: PeerName
        var socket: Int
        /// The process at the other end.
        var scheduler: Int
        /// Messages that would arrive later are lost.
        var endsAt = Int64.max
        /// What a clog holds back; nil: there is none.
        var heldUp: [[UInt8]]?
        var heldDown: [[UInt8]]?
        var lastUp: Int64 = 0
        var lastDown: Int64 = 0
    }

    unowned let world: World
    private var sockets: [Socket] = []
    private(set) var connections: [Connection] = []

    init(_ world: World) { self.world = world }

    // MARK: What a peer does

    func open(_ peer: PeerName) -> Int {
        sockets.append(Socket(peer: peer))
        return sockets.count - 1
    }

    /// Closed without lingering: what it still kept is gone. What is under way may arrive much later.
    func close(_ socket: Int) {
        sockets[socket].isOpen = false
        sockets[socket].unsent = []
        guard sockets[socket].connection >= 0 else { return }
        end(sockets[socket].connection, after: world.random.happens(oneIn: 4) ? 5_000_000_000 : 1_000_000)
    }

    func send(_ bytes: [UInt8], from socket: Int) {
        if sockets[socket].connection < 0 { connect(socket) }
        guard sockets[socket].connection >= 0 else { return sockets[socket].unsent.append(bytes) }
        sendUp(bytes, over: sockets[socket].connection)
    }

    func isOpen(_ socket: Int) -> Bool { sockets[socket].isOpen }

    /// A socket that has no connection gets one, if there is a scheduler to connect to.
    func connect(_ socket: Int) {
        guard sockets[socket].isOpen, sockets[socket].connection < 0, sockets[socket].reconnectsAt <= world.now,
            let scheduler = world.listening()
        else { return }
        connections.append(Connection(peer: sockets[socket].peer, socket: socket, scheduler: scheduler))
        sockets[socket].connection = connections.count - 1
        for message in sockets[socket].unsent { sendUp(message, over: connections.count - 1) }
        sockets[socket].unsent = []
    }

    func connectAll() {
        for socket in sockets.indices { connect(socket) }
    }

    private func sendUp(_ bytes: [UInt8], over number: Int) {
        if connections[number].heldUp?.append(bytes) != nil { return }
        let arrives = max(connections[number].lastUp, world.now + world.random.delay(about: 200_000))
        connections[number].lastUp = arrives
        guard arrives < connections[number].endsAt else {
            return world.mark("message to the scheduler lost")
        }
        world.plan(.arrivedAtScheduler(connection: number, bytes: bytes), at: arrives)
    }

    // MARK: What the scheduler does

    /// - Returns: false if the connection is known to be gone.
    func send(_ bytes: [UInt8], over number: Int) -> Bool {
        guard connections[number].endsAt > world.now else { return false }
        if connections[number].heldDown?.append(bytes) != nil { return true }
        let arrives = max(connections[number].lastDown, world.now + world.random.delay(about: 200_000))
        connections[number].lastDown = arrives
        guard arrives < connections[number].endsAt else {
            world.mark("message to a peer lost")
            return true
        }
        world.plan(.arrivedAtPeer(connection: number, bytes: bytes), at: arrives)
        return true
    }

    // MARK: What happens

    /// Whether a message that was under way has arrived.
    func arrives(over number: Int) -> Bool { world.now < connections[number].endsAt }

    /// Whether the peer's socket is still the one that this connection belongs to.
    func reaches(_ number: Int, socket: Int) -> Bool { connections[number].socket == socket && isOpen(socket) }

    func cut(_ number: Int) { end(number, after: world.random.within(0...1_000_000)) }

    private func end(_ number: Int, after time: Int64) {
        guard connections[number].endsAt == .max else { return }
        connections[number].endsAt = world.now + time
        world.plan(
            .closureSeen(connection: number), at: world.now + time + world.random.delay(about: 2_000_000))
        let socket = connections[number].socket
        guard sockets[socket].connection == number else { return }
        sockets[socket].connection = -1
        sockets[socket].reconnectsAt = world.now + time + world.random.delay(about: 50_000_000)
        if sockets[socket].isOpen { world.plan(.reconnect(socket: socket), at: sockets[socket].reconnectsAt) }
    }

    /// A process ended: its connections are closed at once, what it sent may still arrive for a moment.
    func schedulerEnded(_ scheduler: Int) {
        for number in connections.indices where connections[number].scheduler == scheduler { cut(number) }
    }

    func clog(_ number: Int, up: Bool, down: Bool) {
        if up, connections[number].heldUp == nil { connections[number].heldUp = [] }
        if down, connections[number].heldDown == nil { connections[number].heldDown = [] }
    }

    /// Everything that was held back arrives, in order.
    func unclog(_ number: Int) {
        let up = connections[number].heldUp ?? []
        let down = connections[number].heldDown ?? []
        connections[number].heldUp = nil
        connections[number].heldDown = nil
        guard connections[number].endsAt == .max else { return }
        for message in up { sendUp(message, over: number) }
        for message in down { _ = send(message, over: number) }
    }

    /// The connections that are not over.
    var live: [Int] { connections.indices.filter { connections[$0].endsAt == .max } }
}
