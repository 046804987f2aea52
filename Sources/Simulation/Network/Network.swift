import StatexProtocol

/// Whose socket it is.
enum PeerName: Equatable {
    /// By process.
    case worker(Int)
    /// By place.
    case client(Int)
    case staff
    /// None of them; nothing is delivered to it but faults.
    case stranger
}

/// The network as ZeroMQ shows it: a peer's socket outlives its connections, connects again by itself and
/// keeps what it could not send yet; the scheduler sees connections, each with a number of its own.
///
/// Messages of one connection stay in order. Those of two connections do not, not even of one peer. What
/// else may happen to a connection is in `Network+Faults.swift`.
final class Network {
    struct Socket {
        var peer: PeerName
        var isOpen = true
        /// -1: none now.
        var connection = -1
        var reconnectsAt: Int64 = 0
        var unsent: [[UInt8]] = []
    }

    enum Sent {
        case sent
        /// The queue to that peer is full.
        case full
        /// The connection is known to be gone.
        case unroutable
    }

    unowned let world: World
    var sockets: [Socket] = []
    var connections: [Connection] = []
    /// The connections that are not over, in the order of their numbers.
    private(set) var live: [Int] = []
    /// By message type: the fault that cuts a connection when the next such message leaves; -1: none.
    var ambushes = [Int](repeating: -1, count: 256)
    /// Peers that get no new connection now.
    var walls: [(peer: PeerName, cause: Int)] = []

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
            !isWalled(sockets[socket].peer), let scheduler = world.listening(for: sockets[socket].peer)
        else { return }
        connections.append(Connection(peer: sockets[socket].peer, socket: socket, scheduler: scheduler))
        let number = connections.count - 1
        live.append(number)
        sockets[socket].connection = number
        let unsent = sockets[socket].unsent
        sockets[socket].unsent = []
        for message in unsent { sendUp(message, over: number) }
    }

    func connectAll() {
        for socket in sockets.indices where sockets[socket].isOpen { connect(socket) }
    }

    func sendUp(_ bytes: [UInt8], over number: Int) {
        if springsAmbush(bytes, number) { return }
        if let cause = connections[number].swallowsUp { return world.hit(cause) }
        if connections[number].heldUp?.append(bytes) != nil { return }
        let arrives = max(connections[number].lastUp, world.now + world.random.delay(about: 200_000) + slowness(number))
        connections[number].lastUp = arrives
        guard arrives < connections[number].endsAt else { return lost(number) }
        world.plan(.arrivedAtScheduler(connection: number, bytes: bytes), at: arrives)
        guard let cause = connections[number].isReplayed else { return }
        connections[number].replay = (bytes, cause)
        end(number, after: arrives - world.now + 1)
    }

    // MARK: What the scheduler does

    func send(_ bytes: [UInt8], over number: Int) -> Sent {
        if springsAmbush(bytes, number) { return .sent }
        guard connections[number].endsAt > world.now else {
            if let cause = connections[number].vanishedBy { world.hit(cause) }
            return .unroutable
        }
        if let cause = connections[number].fullBy {
            world.hit(cause)
            return .full
        }
        if let cause = connections[number].swallowsDown {
            world.hit(cause)
            return .sent
        }
        if connections[number].heldDown?.append(bytes) != nil { return .sent }
        let arrives = max(
            connections[number].lastDown, world.now + world.random.delay(about: 200_000) + slowness(number))
        connections[number].lastDown = arrives
        if arrives < connections[number].endsAt {
            world.plan(.arrivedAtPeer(connection: number, bytes: bytes), at: arrives)
        } else {
            lost(number)
        }
        return .sent
    }

    // MARK: What happens

    /// Whether a message that was under way arrives.
    func arrives(over number: Int) -> Bool {
        guard world.now < connections[number].endsAt else {
            lost(number)
            return false
        }
        if let cause = connections[number].detachedBy { world.hit(cause) }
        return true
    }

    private func lost(_ number: Int) { if let cause = connections[number].cutBy { world.hit(cause) } }

    /// A message of a session that is over was refused.
    func oldSessionHeard(_ number: Int) {
        guard let cause = connections[number].awaitsReplay else { return }
        connections[number].awaitsReplay = nil
        world.hit(cause)
    }

    /// Whether the peer's socket is still the one that this connection belongs to.
    func reaches(_ number: Int, socket: Int) -> Bool { connections[number].socket == socket && isOpen(socket) }

    /// The connection is over after `time`; the scheduler sees it some time later.
    func end(_ number: Int, after time: Int64, seenAfter: Int64? = nil) {
        guard connections[number].endsAt == .max else { return }
        connections[number].endsAt = world.now + time
        live.removeAll { $0 == number }
        world.plan(
            .closureSeen(connection: number),
            at: world.now + time + (seenAfter ?? world.random.delay(about: 2_000_000)))
        let socket = connections[number].socket
        guard sockets[socket].connection == number else { return }
        release(socket, after: time)
    }

    /// The socket has no connection any more and looks for another one.
    func release(_ socket: Int, after time: Int64) {
        sockets[socket].connection = -1
        sockets[socket].reconnectsAt = world.now + time + world.random.delay(about: 50_000_000)
        if sockets[socket].isOpen { world.plan(.reconnect(socket: socket), at: sockets[socket].reconnectsAt) }
    }

    func reconnected(_ socket: Int) {
        let replay = sockets[socket].isOpen ? lastReplay(of: socket) : nil
        connect(socket)
        guard let replay, sockets[socket].connection >= 0 else { return }
        // A copy of what was sent over the old connection, behind what the new one begins with.
        world.act("a message comes once more", after: world.random.within(0...20_000_000)) { world in
            let connection = world.network.sockets[socket].connection
            guard connection >= 0 else { return }
            world.network.connections[connection].awaitsReplay = replay.cause
            world.network.sendUp(replay.bytes, over: connection)
        }
    }

    private func lastReplay(of socket: Int) -> (bytes: [UInt8], cause: Int)? {
        guard let number = connections.lastIndex(where: { $0.socket == socket }) else { return nil }
        defer { connections[number].replay = nil }
        return connections[number].replay
    }

    /// A process ended: its connections are closed at once, what it sent may still arrive for a moment.
    func schedulerEnded(_ scheduler: Int) {
        for number in live where connections[number].scheduler == scheduler {
            end(number, after: world.random.within(0...1_000_000))
        }
    }
}
