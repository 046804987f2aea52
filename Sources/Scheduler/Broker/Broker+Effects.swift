import CLinux
import StatexHandOff
import StatexProtocol
import StatexSchedulerCore
import StatexZeroMQ

// What the core wants done: written into each peer's message, sent, and parked where a peer is full.

extension Broker {
    /// - Parameter results: the batch just committed, whose bodies the finals name.
    mutating func drainOutbox(results: CommitBatch?) {
        for effect in outbox.accepted {
            guard let peer = sessions[effect.client] else { continue }
            append(.accepted, recordLength: AcceptedRun.size, to: peer)
            effect.run.write(to: &peer.buffer)
            peer.added()
        }
        for effect in outbox.refused {
            guard let peer = sessions[effect.client] else { continue }
            append(.refused, recordLength: RefusedRun.size, to: peer)
            effect.run.write(to: &peer.buffer)
            peer.added()
        }
        for effect in outbox.cancelled {
            guard let peer = sessions[effect.client] else { continue }
            append(.cancelled, recordLength: CancelRecord.size, to: peer)
            effect.record.write(to: &peer.buffer)
            peer.added()
        }
        for effect in outbox.durable {
            guard let peer = sessions[effect.session] else { continue }
            append(.durable, recordLength: TokenRecord.size, to: peer)
            TokenRecord(JobID(rawValue: effect.id), token: effect.token).write(to: &peer.buffer)
            peer.added()
        }
        for effect in outbox.stale { write(effect, .stale) }
        // Leases before revocations: a revocation may concern one that leaves now.
        leaseOut()
        for effect in outbox.revoked { write(effect, .revoke) }
        for effect in outbox.follows { write(effect, .follow) }
        for effect in outbox.checkpointed { write(effect, .checkpointed) }
        for effect in outbox.progress { write(effect) }
        for effect in outbox.finals { write(effect, results) }
        for effect in outbox.ordered {
            guard let peer = sessions[effect.client] else { continue }
            flush(peer)
            scratch.removeAll()
            effect.reply.write(to: &scratch, stamp: stamp(for: peer))
            sendScratch(to: peer)
        }
        for worker in outbox.offerAgain { sayBare(.offerAgain, to: worker) }
        for worker in outbox.drains { sayBare(.drain, to: worker) }
        if !outbox.outcomeLookups.isEmpty { handOff.reads.put(.outcomes(outbox.outcomeLookups)) }
        if !outbox.resultLookups.isEmpty { handOff.reads.put(.results(outbox.resultLookups)) }
        for lookup in outbox.orderLookups { handOff.reads.put(.order(lookup)) }
        outbox.removeAll()
        flushAll()
    }

    /// Says something that is a header alone to a worker, behind what is being written to it.
    private mutating func sayBare(_ type: MessageType, to worker: Int32) {
        guard let peer = sessions[core.workerSession(worker)] else { return }
        flush(peer)
        scratch.removeAll()
        Bare.write(type, stamp: stamp(for: peer), to: &scratch)
        sendScratch(to: peer)
    }

    private mutating func write(_ effect: Outbox.Token, _ type: MessageType) {
        guard let peer = sessions[effect.session] else { return }
        append(type, recordLength: TokenRecord.size, tokensOf: effect.tokensOf, to: peer)
        effect.record.write(to: &peer.buffer)
        peer.added()
    }

    private mutating func write(_ effect: Outbox.Final, _ results: CommitBatch?) {
        guard let peer = sessions[effect.client] else { return }
        append(.results, recordLength: ResultRecord.size, to: peer)
        let kind = core.kindName(effect.kind)
        var record = effect.record
        record.kindLength = UInt8(truncatingIfNeeded: kind.utf8.count)
        record.write(to: &peer.buffer)
        peer.buffer.append(kind)
        if effect.result >= 0, let results {
            let row = results.results[Int(effect.result)]
            peer.buffer.append(results.resultBytes, from: row.start, length: row.length)
        }
        peer.added()
    }

    /// A client that does not keep up goes without: the next record's offset tells it.
    private mutating func write(_ effect: Outbox.Progress) {
        guard let peer = sessions[effect.client] else { return }
        guard peer.parked.isEmpty else {
            counts.progressDropped += 1
            return
        }
        append(.progress, recordLength: ProgressRecord.size, to: peer)
        effect.record.write(to: &peer.buffer)
        peer.buffer.append(outbox.progressBytes.span.bytes.extracting(effect.bytes))
        peer.added()
    }

    /// A client that has not taken its last answers waits for the next ones.
    mutating func answerQuestions() {
        let sessions = sessions
        core.answerQuestions(unless: { sessions[$0]?.parked.isEmpty == false }, into: &outbox)
    }

    // MARK: Leases

    private mutating func leaseOut() {
        var wanted: [PayloadWanted] = []
        for lease in outbox.leases {
            guard var content = core.leaseContent(lease), let peer = sessions[content.session] else { continue }
            guard !content.record.hasCheckpoint, let commit = cache.commit(content.payloadBatch) else {
                wanted.append(
                    PayloadWanted(
                        lease: lease, id: content.record.id.rawValue, hasCheckpoint: content.record.hasCheckpoint))
                continue
            }
            let trace = commit.traces[content.record.id.rawValue]
            content.record.hasTrace = trace != nil
            append(.leases, recordLength: LeaseRecord.size, to: peer)
            content.record.write(to: &peer.buffer)
            peer.buffer.append(
                commit.slab.buffer, from: content.payloadStart, length: Int(content.record.payloadLength))
            if content.record.hasAffinity { appendAffinity(lease, to: peer) }
            if let trace { core.trace(lease, trace, at: now).write(to: &peer.buffer) }
            peer.added()
        }
        guard !wanted.isEmpty else { return }
        counts.payloadReads += UInt64(wanted.count)
        handOff.reads.put(.payloads(wanted))
    }

    /// What a lease hands over was read back; the lease may be over meanwhile.
    mutating func sendLease(_ found: FoundPayload) {
        guard var content = core.leaseContent(found.wanted.lease), let peer = sessions[content.session] else { return }
        content.record.payloadLength = UInt32(found.payload.count)
        content.record.inputs = UInt8(found.inputs.count)
        content.record.hasCheckpoint = found.checkpoint != nil
        content.record.hasTrace = found.trace != nil
        append(.leases, recordLength: LeaseRecord.size, to: peer)
        content.record.write(to: &peer.buffer)
        peer.buffer.append(found.payload)
        for input in found.inputs { input.write(to: &peer.buffer) }
        if let checkpoint = found.checkpoint {
            peer.buffer.append(UInt32(checkpoint.count))
            peer.buffer.append(checkpoint)
        }
        if content.record.hasAffinity { appendAffinity(found.wanted.lease, to: peer) }
        if let trace = found.trace { core.trace(found.wanted.lease, trace, at: now).write(to: &peer.buffer) }
        peer.added()
    }

    private func appendAffinity(_ lease: Outbox.Lease, to peer: Peer) {
        let name = core.affinityName(lease) ?? ""
        peer.buffer.append(UInt8(truncatingIfNeeded: name.utf8.count))
        peer.buffer.append(name)
    }

    // MARK: Sending

    /// Makes room for a record of that type in the peer's message.
    ///
    /// - Parameter tokensOf: the journal incarnation that the header names, if not the present one: that of
    ///   the record's token.
    mutating func append(_ type: MessageType, recordLength: Int, tokensOf: UInt64? = nil, to peer: Peer) {
        let incarnation = tokensOf ?? core.incarnation
        guard peer.needsNew(type, incarnation: incarnation) else { return }
        if peer.type != nil { flush(peer) } else { dirty.append(peer) }
        var stamp = stamp(for: peer)
        stamp.incarnation = incarnation
        peer.begin(type, recordLength: recordLength, stamp: stamp)
    }

    mutating func flushAll() {
        // Sending may find a peer gone, but never adds to another's message.
        for peer in dirty { flush(peer) }
        dirty.removeAll(keepingCapacity: true)
    }

    mutating func flush(_ peer: Peer) {
        guard peer.finish(), !peer.isGone else { return }
        guard peer.parked.isEmpty else { return park(peer, peer.buffer.array()) }
        switch sent(peer.buffer.bytes, to: peer) {
        case .sent: break
        case .full: park(peer, peer.buffer.array())
        case .unroutable: unroutable(peer)
        }
    }

    /// Sends what stands in `scratch`, behind what waits for the same peer.
    mutating func sendScratch(to peer: Peer) {
        guard peer.parked.isEmpty else { return park(peer, scratch.array()) }
        switch sent(scratch.bytes, to: peer) {
        case .sent: break
        case .full: park(peer, scratch.array())
        case .unroutable: if peer.session != 0 { unroutable(peer) }
        }
    }

    func sent(_ bytes: borrowing RawSpan, to peer: Peer) -> Socket.Sent {
        do throws(ZeroMQError) {
            return peer.role == .worker
                ? try workers.socket.send(bytes, to: peer.routing) : try clients.socket.send(bytes, to: peer.routing)
        } catch {
            return .unroutable
        }
    }

    /// A slow peer's messages wait here, and it alone waits; one that is too slow loses its session.
    private mutating func park(_ peer: Peer, _ message: [UInt8]) {
        // Nothing is kept for somebody who was not welcomed: it could only be a fault.
        guard peer.session != 0 else { return }
        counts.parked += 1
        peer.parkedBytes += message.count
        guard peer.parkedBytes <= Self.parkedBytes else { return forget(peer, at: now) }
        if peer.parked.isEmpty { parkedPeers.append(peer) }
        peer.parked.append(message)
    }

    private static var parkedBytes: Int { 64 << 20 }

    mutating func retryParked() {
        guard !parkedPeers.isEmpty else { return }
        var still: [Peer] = []
        for peer in parkedPeers where !peer.isGone {
            var done = 0
            loop: for message in peer.parked {
                switch sent(message.span.bytes, to: peer) {
                case .sent:
                    done += 1
                    peer.parkedBytes -= message.count
                case .full: break loop
                case .unroutable:
                    unroutable(peer)
                    break loop
                }
            }
            guard !peer.isGone else { continue }
            peer.parked.removeFirst(done)
            if !peer.parked.isEmpty { still.append(peer) }
        }
        parkedPeers = still
    }
}
