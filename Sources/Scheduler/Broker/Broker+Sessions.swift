import CLinux
import StatexHandOff
import StatexProtocol
import StatexSchedulerCore
import StatexZeroMQ

// How sessions begin, live and end.

extension Broker {
    /// HELLO: a new session for this connection.
    mutating func greeted(_ peer: Peer, _ header: Header, _ frame: borrowing Frame, at time: Now) throws(WireError) {
        let hello = try Hello(reading: frame.bytes, header: header)
        guard hello.role == peer.role else {
            throw WireError(.type, "this endpoint is for \(peer.role)s, the HELLO says \(hello.role)")
        }
        guard hello.incarnation != 0 else { throw WireError(.malformed, "incarnation is 0, it takes a random number") }
        try checkHolder(of: hello, peer)
        guard sessions.count + unprovenHellos.count + waitingHellos.count < settings.maxPeers else {
            throw WireError(.busy, "\(sessions.count) peers are connected, the limit is \(settings.maxPeers)")
        }
        if peer.session != 0 { forget(peer, at: time) }
        // The last HELLO counts: two that were welcomed would leave a session that nobody ends.
        if let tag = peer.waitingTag { waitingHellos[tag] = nil }
        peer.waitingTag = nil
        unprovenHellos.removeAll { $0.peer === peer }
        peer.heard = time.monotonic
        peer.isGone = false
        peer.name = hello.name
        peer.producer = hello.producer
        peer.descriptor = frame.sourceDescriptor
        try begin(peer, hello, at: time)
    }

    /// Welcomes a peer, or finds out first what has to be known.
    private mutating func begin(_ peer: Peer, _ hello: Hello, at time: Now) throws(WireError) {
        if !core.mayWelcome(peerOf: hello.journal) {
            if let reason = busyReason { throw WireError(.busy, reason) }
            register(peer)
            unprovenHellos.append((peer, hello))
        } else if peer.role == .worker {
            welcomeWorker(peer, hello, at: time)
        } else if hello.producer.isNone || core.knowsProducer(hello.producer) {
            welcomeClient(peer, hello)
        } else if let reason = busyReason {
            throw WireError(.busy, reason)
        } else {
            register(peer)
            waitingHellos[nextTag] = (peer, hello)
            peer.waitingTag = nextTag
            handOff.reads.put(.producer(hello.producer, tag: nextTag))
            nextTag += 1
        }
    }

    /// A commit is durable: those who waited for a proof are looked at again.
    mutating func greetProven() {
        guard !unprovenHellos.isEmpty else { return }
        let waiting = unprovenHellos
        unprovenHellos.removeAll()
        for (peer, hello) in waiting where !peer.isGone {
            do throws(WireError) {
                try begin(peer, hello, at: now)
            } catch {
                fault(error, to: peer)
            }
        }
    }

    private mutating func register(_ peer: Peer) {
        if peer.role == .worker { workerPeers[peer.routing] = peer } else { clientPeers[peer.routing] = peer }
    }

    private mutating func newSession(_ peer: Peer) {
        peer.session = nextSession
        nextSession = nextSession == .max ? 1 : nextSession + 1
        sessions[peer.session] = peer
        register(peer)
        if peer.descriptor >= 0 { byDescriptor[peer.descriptor] = peer }
    }

    mutating func welcomeClient(_ peer: Peer, _ hello: Hello) {
        newSession(peer)
        let last = core.clientJoined(peer.session, producer: hello.producer, name: hello.name)
        welcome(peer, lastSequence: last)
    }

    private mutating func welcomeWorker(_ peer: Peer, _ hello: Hello, at time: Now) {
        newSession(peer)
        let joined = core.workerJoined(hello, session: peer.session, at: time)
        peer.worker = joined.index
        if joined.superseded != 0, let old = sessions[joined.superseded], old !== peer {
            fault(WireError(.superseded, "a newer connection of this worker took over"), to: old)
            drop(old)
        }
        welcome(peer, lastSequence: 0)
    }

    private mutating func welcome(_ peer: Peer, lastSequence: UInt64) {
        scratch.removeAll()
        Welcome(
            stamp: stamp(for: peer), heartbeatMilliseconds: UInt32(core.settings.heartbeatNanoseconds / 1_000_000),
            leaseMilliseconds: UInt32(core.settings.leaseNanoseconds / 1_000_000), lastSequence: lastSequence
        ).write(to: &scratch)
        sendScratch(to: peer)
    }

    /// The connection behind a descriptor closed; it is asked whether that peer is really gone.
    mutating func connectionClosed(_ descriptor: Int32) {
        guard let peer = byDescriptor[descriptor] else { return }
        byDescriptor[descriptor] = nil
        heartbeat(to: peer)
    }

    /// A send found no connection: the peer is gone, at least for now.
    mutating func unroutable(_ peer: Peer) {
        counts.unroutable += 1
        if peer.session == 0 { drop(peer) } else { forget(peer, at: now) }
    }

    /// Ends a session whose connection is closed or silent.
    mutating func forget(_ peer: Peer, at time: Now) {
        guard peer.session != 0 else { return }
        if peer.role == .worker {
            core.workerDisconnected(peer.worker, session: peer.session, at: time)
        } else {
            core.clientLeft(peer.session)
        }
        drop(peer)
    }

    /// Takes a peer out of all tables.
    mutating func drop(_ peer: Peer) {
        sessions[peer.session] = nil
        peer.session = 0
        peer.isGone = true
        peer.parked.removeAll()
        peer.parkedBytes = 0
        if peer.role == .worker { workerPeers[peer.routing] = nil } else { clientPeers[peer.routing] = nil }
        if byDescriptor[peer.descriptor] === peer { byDescriptor[peer.descriptor] = nil }
    }

    /// Sends heartbeats to all, and ends sessions of clients that fell silent. (The core ends workers'.)
    mutating func beat(_ monotonic: Int64) {
        nextHeartbeatAfter(monotonic)
        for peer in Array(sessions.values) {
            if peer.role == .client, monotonic - peer.heard > core.settings.leaseNanoseconds {
                forget(peer, at: now)
            } else {
                heartbeat(to: peer)
            }
        }
    }

    mutating func heartbeat(to peer: Peer) {
        scratch.removeAll()
        Heartbeat().write(to: &scratch, stamp: stamp(for: peer))
        sendScratch(to: peer)
    }

    mutating func fault(_ error: WireError, to peer: Peer) {
        scratch.removeAll()
        Fault(error, retryAfterMilliseconds: error.code == .busy ? 500 : 0).write(to: &scratch, stamp: stamp(for: peer))
        sendScratch(to: peer)
    }
}
