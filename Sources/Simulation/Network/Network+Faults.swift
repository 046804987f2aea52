import StatexProtocol

/// One connection, and what is wrong with it: each trouble names the fault that made it, so that its effect
/// is counted for that one.
struct Connection {
    var peer: PeerName
    var socket: Int
    /// The process at the other end.
    var scheduler: Int
    var lastUp: Int64 = 0
    var lastDown: Int64 = 0
    /// Messages that would arrive later are lost.
    var endsAt = Int64.max
    var cutBy: Int?
    /// The scheduler's next send finds it gone.
    var vanishedBy: Int?
    /// What a clog holds back; nil: there is none.
    var heldUp: [[UInt8]]?
    var heldDown: [[UInt8]]?
    /// One side is gone, and what is sent to it disappears.
    var swallowsUp: Int?
    var swallowsDown: Int?
    var fullBy: Int?
    /// The peer has left it, and what it sent before still comes.
    var detachedBy: Int?
    var slowedBy: Int?
    /// The last message to the scheduler is remembered, to be repeated over the next connection.
    var isReplayed: Int?
    var replay: (bytes: [UInt8], cause: Int)?
    /// A message of an older session is about to come.
    var awaitsReplay: Int?

    init(peer: PeerName, socket: Int, scheduler: Int) {
        self.peer = peer
        self.socket = socket
        self.scheduler = scheduler
    }
}

extension Network {
    /// What is under way is lost, and both sides find out by and by.
    func cut(_ number: Int, as cause: Int) {
        guard connections[number].endsAt == .max else { return }
        connections[number].cutBy = cause
        end(number, after: 0)
    }

    /// - Returns: whether this message is lost, and its connection with it.
    func springsAmbush(_ bytes: [UInt8], _ number: Int) -> Bool {
        let type = Int(bytes[3])
        guard ambushes[type] >= 0, connections[number].endsAt == .max else { return false }
        let cause = ambushes[type]
        ambushes[type] = -1
        world.hit(cause)
        cut(number, as: cause)
        return true
    }

    /// The connection is gone, and nobody noticed.
    func vanish(_ number: Int, as cause: Int) {
        connections[number].vanishedBy = cause
        end(number, after: 0, seenAfter: world.random.within(1_000_000_000...5_000_000_000))
    }

    // MARK: Holding back

    func clog(_ number: Int, up: Bool, down: Bool) {
        if up, connections[number].heldUp == nil { connections[number].heldUp = [] }
        if down, connections[number].heldDown == nil { connections[number].heldDown = [] }
    }

    /// Everything that was held back arrives, in order.
    /// - Returns: whether anything was.
    @discardableResult
    func unclog(_ number: Int) -> Bool {
        let up = connections[number].heldUp ?? []
        let down = connections[number].heldDown ?? []
        connections[number].heldUp = nil
        connections[number].heldDown = nil
        guard connections[number].endsAt == .max else { return !up.isEmpty || !down.isEmpty }
        for message in up { sendUp(message, over: number) }
        for message in down { _ = send(message, over: number) }
        return !up.isEmpty || !down.isEmpty
    }

    func isWalled(_ peer: PeerName) -> Bool {
        guard let wall = walls.first(where: { $0.peer == peer }) else { return false }
        world.hit(wall.cause)
        return true
    }

    /// Nothing goes to these peers or comes from them, and no new connection is made.
    func wall(off peers: [PeerName], up: Bool, down: Bool, for time: Int64, as cause: Int) {
        for peer in peers { walls.append((peer, cause)) }
        let behind = live.filter { peers.contains(connections[$0].peer) }
        for number in behind { clog(number, up: up, down: down) }
        world.act("a partition ends", after: time) { world in
            world.network.walls.removeAll { $0.cause == cause }
            for number in behind where world.network.unclog(number) { world.hit(cause) }
            world.network.connectAll()
        }
    }

    // MARK: One side only

    /// The peer has another connection; this one lives on at the scheduler for a while.
    /// - Parameter arrives: what the peer sent last comes late; else nothing comes, and what is sent to it is lost.
    func detach(_ number: Int, arrives: Bool, as cause: Int) {
        let socket = connections[number].socket
        guard connections[number].endsAt == .max, sockets[socket].connection == number else { return }
        let time = world.dice.within(50_000_000...8_000_000_000)
        if arrives {
            connections[number].heldUp = connections[number].heldUp ?? []
            connections[number].lastUp = world.now + time
            world.act("an old connection is heard", after: time) { world in
                world.network.connections[number].detachedBy = cause
                world.network.unclog(number)
            }
        } else {
            connections[number].swallowsDown = cause
        }
        release(socket, after: 0)
        world.act("an old connection ends", after: time + 1_000_000_000) { $0.network.end(number, after: 0) }
    }

    /// The scheduler's side is closed, and the peer talks on.
    func deafen(_ number: Int, as cause: Int) {
        guard connections[number].endsAt == .max else { return }
        connections[number].swallowsUp = cause
        connections[number].heldDown = []
        world.plan(.closureSeen(connection: number), at: world.now + world.random.delay(about: 2_000_000))
        world.act("a half-open connection ends", after: world.dice.within(100_000_000...20_000_000_000)) {
            $0.network.end(number, after: 0)
        }
    }

    // MARK: Slow and full

    func slowness(_ number: Int) -> Int64 {
        guard let cause = connections[number].slowedBy else { return 0 }
        connections[number].slowedBy = nil
        world.hit(cause)
        return world.random.within(200_000_000...6_000_000_000)
    }

    func fill(_ number: Int, for time: Int64, as cause: Int) {
        connections[number].fullBy = cause
        world.act("a queue has room", after: time) { $0.network.connections[number].fullBy = nil }
    }

    /// Faults are over. What heals by itself does so; a clogged connection or a full queue would not.
    func heal() {
        walls.removeAll()
        for number in live {
            connections[number].fullBy = nil
            connections[number].slowedBy = nil
            connections[number].isReplayed = nil
            unclog(number)
        }
        for type in ambushes.indices { ambushes[type] = -1 }
        connectAll()
    }
}
