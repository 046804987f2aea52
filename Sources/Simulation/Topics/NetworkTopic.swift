/// Connections that close, stall, fill up or are there for one side only.
struct NetworkTopic: Topic {
    var faults: [any SimulatedFault] {
        [
            CutConnection(), Clog(), Swizzle(), NotHeard(), NotHearing(), PartitionWorkers(), Flap(), DelayMessage(),
            FillQueue(), Vanish(), HalfOpenAtPeer(), HalfOpenAtScheduler(), ReconnectStorm(), MisleadConnections(),
        ]
    }
}

/// A connection closes; what was under way is lost, and both sides find out by and by.
private struct CutConnection: SimulatedFault {
    let name = "cut a connection"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.cut(connection, as: cause)
        return true
    }
}

/// A connection holds everything back for a while, and nobody closes it.
private struct Clog: SimulatedFault {
    let name = "clog a connection"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.clog(connection, up: true, down: true)
        world.act("a connection is unclogged", after: world.dice.within(100_000_000...20_000_000_000)) {
            if $0.network.unclog(connection) { $0.hit(cause) }
        }
        return true
    }
}

/// Connections stop one by one, and go on in another order.
private struct Swizzle: SimulatedFault {
    let name = "clog connections one by one"

    func strike(_ world: World, as cause: Int) -> Bool {
        let chosen = world.network.live.filter { _ in world.dice.happens(oneIn: 2) }
        guard chosen.count > 1 else { return false }
        for connection in chosen {
            let begins = world.dice.within(0...1_000_000_000)
            world.act("a connection clogs", after: begins) { $0.network.clog(connection, up: true, down: true) }
            world.act("a connection is unclogged", after: begins + world.dice.within(100_000_000...8_000_000_000)) {
                if $0.network.unclog(connection) { $0.hit(cause) }
            }
        }
        return true
    }
}

/// A peer hears, and is not heard.
private struct NotHeard: SimulatedFault {
    let name = "one-way link to a peer"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.wall(
            off: [world.network.connections[connection].peer], up: true, down: false,
            for: world.dice.within(500_000_000...3 * world.options.coreSettings.leaseNanoseconds), as: cause)
        return true
    }
}

/// A peer is heard, and hears nothing.
private struct NotHearing: SimulatedFault {
    let name = "one-way link from a peer"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.wall(
            off: [world.network.connections[connection].peer], up: false, down: true,
            for: world.dice.within(500_000_000...3 * world.options.coreSettings.leaseNanoseconds), as: cause)
        return true
    }
}

/// Half of the workers are away for some lease times.
private struct PartitionWorkers: SimulatedFault {
    let name = "partition half of the workers"

    func strike(_ world: World, as cause: Int) -> Bool {
        let chosen = world.workers.filter { _ in world.dice.happens(oneIn: 2) }.map { PeerName.worker($0.number) }
        guard !chosen.isEmpty else { return false }
        let lease = world.options.coreSettings.leaseNanoseconds
        world.network.wall(off: chosen, up: true, down: true, for: world.dice.within(lease...10 * lease), as: cause)
        return true
    }
}

/// A peer loses its connection again and again.
private struct Flap: SimulatedFault {
    let name = "flap a link"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        let peer = world.network.connections[connection].peer
        flap(world, peer, as: cause, times: 3 + world.dice.below(12))
        return true
    }

    private func flap(_ world: World, _ peer: PeerName, as cause: Int, times: Int) {
        guard times > 0, world.faultsAreOn else { return }
        let network = world.network
        if let connection = network.live.last(where: { network.connections[$0].peer == peer }) {
            world.hit(cause)
            network.cut(connection, as: cause)
        }
        world.act("a link flaps", after: world.random.within(50_000_000...500_000_000)) {
            flap($0, peer, as: cause, times: times - 1)
        }
    }
}

/// One message, and all behind it, takes seconds.
private struct DelayMessage: SimulatedFault {
    let name = "delay a message"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.connections[connection].slowedBy = cause
        return true
    }
}

/// The queue to a peer takes no more, for a moment in the middle of a batch or for long.
private struct FillQueue: SimulatedFault {
    let name = "fill the queue to a peer"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.fill(connection, for: world.dice.within(10_000_000...5_000_000_000), as: cause)
        return true
    }
}

/// A connection is gone between the decision to send and the sending.
private struct Vanish: SimulatedFault {
    let name = "no route when sending"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.vanish(connection, as: cause)
        return true
    }
}

private struct HalfOpenAtPeer: SimulatedFault {
    let name = "half-open link, the peer believes in it"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.deafen(connection, as: cause)
        return true
    }
}

private struct HalfOpenAtScheduler: SimulatedFault {
    let name = "half-open link, the scheduler believes in it"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.detach(connection, arrives: false, as: cause)
        return true
    }
}

/// Everybody loses the connection at once, and comes back with everything.
private struct ReconnectStorm: SimulatedFault {
    let name = "reconnect storm"

    func strike(_ world: World, as cause: Int) -> Bool {
        let live = world.network.live
        guard live.count > 1 else { return false }
        for connection in live { world.network.cut(connection, as: cause) }
        world.hit(cause)
        return true
    }
}

/// New connections may reach a former scheduler that still lives.
private struct MisleadConnections: SimulatedFault {
    let name = "mislead connections"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.misledBy = world.misledBy == nil ? cause : nil
        return true
    }
}
