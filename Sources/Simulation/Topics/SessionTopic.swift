import StatexProtocol

/// Old and new sessions of one peer beside each other, and peers that speak something else.
struct SessionTopic: Topic {
    var faults: [any SimulatedFault] {
        [RepeatMessage(), HearOldConnection(), OtherVersion(), UnknownType(), TwinWorker()]
    }
}

/// The last message of an old connection comes once more over the new one.
private struct RepeatMessage: SimulatedFault {
    let name = "repeat a message after a reconnect"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.connections[connection].isReplayed = cause
        return true
    }
}

/// A peer has a new connection, and what it sent over the old one comes after that.
private struct HearOldConnection: SimulatedFault {
    let name = "hear an old connection after the new one"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let connection = world.anyConnection else { return false }
        world.network.detach(connection, arrives: true, as: cause)
        return true
    }
}

/// A program with another protocol version knocks.
private struct OtherVersion: SimulatedFault {
    let name = "a peer of another version"

    func strike(_ world: World, as cause: Int) -> Bool {
        var buffer = ByteBuffer(capacity: 256)
        var hello = Hello(role: .client, incarnation: 1, name: "stranger")
        hello.lowestVersion = Header.version + 1
        hello.highestVersion = Header.version + 3
        hello.write(to: &buffer)
        return world.network.knock(buffer.array(), as: cause)
    }
}

/// A message of a type that is not spoken here, without a session.
private struct UnknownType: SimulatedFault {
    let name = "a message of an unknown type"

    func strike(_ world: World, as cause: Int) -> Bool {
        var buffer = ByteBuffer(capacity: 64)
        Header(.hello).write(to: &buffer)
        var bytes = buffer.array()
        bytes[3] = 0xEE
        return world.network.knock(bytes, as: cause)
    }
}

/// A second worker under the name of one that lives: a new process that was started too early.
private struct TwinWorker: SimulatedFault {
    let name = "two workers of one name"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let worker = world.anyWorker, world.workers.count <= world.options.workers else { return false }
        let place = worker.place
        world.startWorker(place)
        // The second one goes again some time later, or the first.
        world.act("one of two workers ends", after: world.dice.within(1_000_000_000...20_000_000_000)) { world in
            let twins = world.workers.filter { $0.place == place }
            guard twins.count > 1 else { return }
            if twins.allSatisfy({ $0.heldLeases > 0 }) { world.hit(cause) }
            world.workerEnded(world.random.happens(oneIn: 2) ? twins[0] : twins[1])
        }
        return true
    }
}

extension Network {
    /// Somebody who is neither client nor worker sends one message.
    func knock(_ bytes: [UInt8], as cause: Int) -> Bool {
        let socket = open(.stranger)
        connect(socket)
        guard sockets[socket].connection >= 0 else { return false }
        let connection = sockets[socket].connection
        connections[connection].awaitsReplay = cause
        sendUp(bytes, over: connection)
        world.act("a stranger goes", after: 10_000_000_000) { $0.network.close(socket) }
        return true
    }
}
