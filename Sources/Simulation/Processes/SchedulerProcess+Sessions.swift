import StatexProtocol
import StatexSchedulerCore

// How sessions begin, live and end, as in the broker.

extension SchedulerProcess {
    var stamp: SessionStamp { SessionStamp(session: 0, incarnation: core.incarnation, epoch: core.epoch) }

    func stamp(for peer: SchedulerPeer) -> SessionStamp {
        SessionStamp(
            session: UInt64(core.epoch) << 32 | UInt64(peer.session), incarnation: core.incarnation,
            epoch: core.epoch)
    }

    func received(_ bytes: [UInt8], over connection: Int) {
        let span = bytes.span.bytes
        let name = world.network.connections[connection].peer
        let role: Role = if case .worker = name { .worker } else { .client }
        let now = clock.monotonic
        let peer = peers[connection] ?? SchedulerPeer(connection: connection, role: role, heardAt: now)
        do throws(WireError) {
            let header = try Header(reading: span)
            if header.type == .hello { return greeted(peer, try Hello(reading: span, header: header)) }
            guard peer.session != 0, header.session == stamp(for: peer).session else {
                world.network.oldSessionHeard(connection)
                throw WireError(.session, "the session is not known here")
            }
            peer.heardAt = now
            if role == .worker {
                try workerSaid(peer, header, span)
            } else {
                try clientSaid(peer, header, span)
            }
        } catch {
            if error.code != .session, error.code != .busy, name != .stranger {
                world.violation("not understood: \(error)")
            }
            var buffer = ByteBuffer(capacity: 256)
            Fault(error, retryAfterMilliseconds: error.code == .busy ? 500 : 0).write(
                to: &buffer, stamp: stamp(for: peer))
            send(buffer.array(), to: peer)
        }
    }

    func greeted(_ peer: SchedulerPeer, _ hello: Hello) {
        if peer.session != 0 { forget(peer) }
        peer.heardAt = clock.monotonic
        if peers[peer.connection] == nil { order.append(peer.connection) }
        peers[peer.connection] = peer
        begin(peer, hello)
    }

    private func begin(_ peer: SchedulerPeer, _ hello: Hello) {
        if !core.mayWelcome(peerOf: hello.journal) {
            guard busyReason == nil else { return refuse(peer) }
            world.mark("peer of another journal waits for a commit")
            world.heldBack(hello, by: self)
            unprovenHellos.removeAll { $0.peer === peer }
            unprovenHellos.append((peer, hello))
        } else if peer.role == .worker {
            newSession(peer)
            let joined = core.workerJoined(hello, session: peer.session, at: clock)
            peer.worker = joined.index
            peer.incarnation = hello.incarnation
            world.heard(hello.incarnation, .joined(slots: Int(hello.slots)), by: self)
            if joined.superseded != 0, let old = sessions[joined.superseded], old !== peer { supersede(old) }
            welcome(peer, lastSequence: 0)
        } else if core.knowsProducer(hello.producer) {
            welcomeClient(peer, hello)
        } else if busyReason != nil {
            refuse(peer)
        } else {
            waitingHellos[peer.connection] = hello
            read(.producer(hello.producer, connection: peer.connection))
        }
    }

    private func refuse(_ peer: SchedulerPeer) {
        peers[peer.connection] = nil
        order.removeAll { $0 == peer.connection }
        var buffer = ByteBuffer(capacity: 128)
        Fault(WireError(.busy, "the journal is down"), retryAfterMilliseconds: 500).write(
            to: &buffer, stamp: stamp(for: peer))
        send(buffer.array(), to: peer)
    }

    func greetProven() {
        let waiting = unprovenHellos
        unprovenHellos.removeAll()
        for (peer, hello) in waiting where isAlive && peers[peer.connection] === peer { begin(peer, hello) }
    }

    func supersede(_ old: SchedulerPeer) {
        world.mark("session superseded")
        var buffer = ByteBuffer(capacity: 128)
        Fault(WireError(.superseded, "a newer connection took over")).write(to: &buffer, stamp: stamp(for: old))
        send(buffer.array(), to: old)
        drop(old)
    }

    func newSession(_ peer: SchedulerPeer) {
        peer.session = nextSession
        nextSession += 1
        sessions[peer.session] = peer
    }

    func welcomeClient(_ peer: SchedulerPeer, _ hello: Hello) {
        newSession(peer)
        let last = core.clientJoined(peer.session, producer: hello.producer, name: hello.name)
        welcome(peer, lastSequence: last)
    }

    func welcome(_ peer: SchedulerPeer, lastSequence: UInt64) {
        var buffer = ByteBuffer(capacity: 128)
        Welcome(
            stamp: stamp(for: peer), heartbeatMilliseconds: UInt32(core.settings.heartbeatNanoseconds / 1_000_000),
            leaseMilliseconds: UInt32(core.settings.leaseNanoseconds / 1_000_000), lastSequence: lastSequence
        ).write(to: &buffer)
        send(buffer.array(), to: peer)
    }

    /// Ends a session whose connection is closed or silent.
    func forget(_ peer: SchedulerPeer) {
        if peer.session != 0 {
            if peer.role == .worker {
                if core.isWorkerSession(peer.session, of: peer.worker) {
                    world.heard(peer.incarnation, .disconnected, by: self)
                }
                core.workerDisconnected(peer.worker, session: peer.session, at: clock)
            } else {
                core.clientLeft(peer.session)
            }
        }
        drop(peer)
    }

    func drop(_ peer: SchedulerPeer) {
        sessions[peer.session] = nil
        peer.session = 0
        peers[peer.connection] = nil
        order.removeAll { $0 == peer.connection }
    }

    func beat() {
        let now = clock.monotonic
        nextHeartbeat = now + core.settings.heartbeatNanoseconds
        for connection in order {
            guard let peer = peers[connection], peer.session != 0 else { continue }
            if peer.role == .client, now - peer.heardAt > core.settings.leaseNanoseconds {
                forget(peer)
            } else {
                var buffer = ByteBuffer(capacity: 64)
                Heartbeat().write(to: &buffer, stamp: stamp(for: peer))
                send(buffer.array(), to: peer)
            }
        }
    }
}
