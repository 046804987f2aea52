import StatexKeys
import StatexProtocol
import StatexSchedulerCore
import StatexZeroMQ

// Who speaks, and what of: only at doors that take keys. A session belongs to the key that made it.

extension Broker {
    func hasKeys(_ role: Role) -> Bool { role == .worker ? workers.hasKeys : clients.hasKeys }

    /// Refuses what this key may not say. Each message brings its connection's key with it, and is held against it.
    mutating func checkKey(of peer: Peer, _ frame: borrowing Frame, _ type: MessageType) throws(WireError) {
        // Of a connection without a session too: it is to hear that it has none, and not that it may not have one.
        if type == .hello || peer.grant == nil { peer.grant = frame.user.flatMap { allowList[$0] } }
        guard let grant = peer.grant, frame.isOf(user: grant.key.text) else {
            refuse(peer, over: frame.sourceDescriptor)
            throw WireError(.forbidden, "the key of this connection is not allowed here (any more)")
        }
        guard grant.role.maySend(type, through: peer.role == .worker ? .worker : .submit) else {
            throw WireError(.type, "message type \(type.rawValue) is not for the role \(grant.role.rawValue) to send")
        }
    }

    /// A worker's incarnation belongs to the holder who came with it first: leases belong to incarnations.
    mutating func checkHolder(of hello: Hello, _ peer: Peer) throws(WireError) {
        guard peer.role == .worker, let grant = peer.grant else { return }
        if let holder = holders[hello.incarnation], holder != grant.name {
            throw WireError(.forbidden, "this worker incarnation came with another holder's key")
        }
        if holders.count >= 2 * settings.maxPeers {
            let present = Set(core.workerStatus.map(\.incarnation))
            holders = holders.filter { present.contains($0.key) }
        }
        holders[hello.incarnation] = grant.name
    }

    /// The list was changed: whose key lost its rights, or has others, is out from this moment on. Its leases come back
    /// after the grace, in which its holder may return with another key.
    mutating func allow(_ list: AllowList) {
        let before = allowList
        allowList = list
        let time = now
        let waiting = unprovenHellos.map(\.peer) + waitingHellos.values.map(\.peer)
        for peer in Array(sessions.values) + waiting {
            guard let grant = peer.grant else { continue }
            if let new = list[grant.key.text], new.hasRights(of: grant) { continue }
            counts.keysRevoked += 1
            fault(WireError(.session, "the key of this connection was revoked, or has other rights now"), to: peer)
            peer.grant = nil
            refuse(peer, over: peer.descriptor)
            forget(peer, at: time)
            if !peer.isGone { drop(peer) }
        }
        // Subscribers have no session to end.
        let hasLeft = before.all.contains { $0.role.mayEnter(.events) && list[$0.key.text]?.role != $0.role }
        guard hasLeft else { return }
        do { try publisher.dismissAll() } catch { counts.endpointsUnreachable += 1 }
        core.tellsEvents = publisher.isSubscribed
    }

    // MARK: Cutting connections

    /// A connection whose key is not allowed is to end. It has been told, or is being told now, and has the time from one
    /// heartbeat to the next to go by itself.
    private mutating func refuse(_ peer: Peer, over descriptor: Int32) {
        let connection = Refused(role: peer.role, routing: peer.routing)
        guard refused[connection] == nil, refused.count < settings.maxPeers else { return }
        let peer = Peer(routing: peer.routing, role: peer.role, heard: now.monotonic)
        peer.descriptor = descriptor
        refused[connection] = peer
    }

    /// Whoever is still there is cut, and refused when it comes again: its handshake is not finished.
    mutating func cutRefused(at monotonic: Int64) {
        for (connection, peer) in refused where monotonic - peer.heard >= core.settings.heartbeatNanoseconds {
            refused[connection] = nil
            // It may have been allowed again, and said HELLO.
            let known = peer.role == .worker ? workerPeers[peer.routing] : clientPeers[peer.routing]
            guard known == nil, hasKeys(peer.role) else { continue }
            // Its name is never another's: while that leads somewhere, the descriptor is its own.
            scratch.removeAll()
            Heartbeat().write(to: &scratch, stamp: stamp)
            guard sent(scratch.bytes, to: peer) != .unroutable else { continue }
            let isCut =
                peer.role == .worker
                ? workers.socket.shutDown(connection: peer.descriptor)
                : clients.socket.shutDown(connection: peer.descriptor)
            counts.connectionsCut += isCut ? 1 : 0
        }
    }
}

/// A connection of a ROUTER.
struct Refused: Hashable {
    let role: Role
    let routing: RoutingID
}
