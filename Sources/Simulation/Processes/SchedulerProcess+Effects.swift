import StatexProtocol
import StatexSchedulerCore

// What the core wants done: written into each peer's message, and sent.

extension SchedulerProcess {
    func drain(results: CommitBatch?) {
        for effect in out.accepted {
            guard let peer = sessions[effect.client] else { continue }
            append(.accepted, AcceptedRun.size, to: peer) { effect.run.write(to: &$0) }
        }
        for effect in out.refused {
            guard let peer = sessions[effect.client] else { continue }
            append(.refused, RefusedRun.size, to: peer) { effect.run.write(to: &$0) }
        }
        for effect in out.cancelled {
            guard let peer = sessions[effect.client] else { continue }
            append(.cancelled, CancelRecord.size, to: peer) { effect.record.write(to: &$0) }
        }
        for effect in out.durable {
            guard let peer = sessions[effect.session] else { continue }
            let record = TokenRecord(JobID(rawValue: effect.id), token: effect.token)
            world.said(.durable, record, incarnation: core.incarnation, by: self)
            append(.durable, TokenRecord.size, to: peer) { record.write(to: &$0) }
        }
        for effect in out.stale { write(effect, .stale) }
        for lease in out.leases { leaseOut(lease) }
        for effect in out.revoked { write(effect, .revoke) }
        for effect in out.follows { write(effect, .follow) }
        for effect in out.checkpointed { write(effect, .checkpointed) }
        for effect in out.progress { write(effect) }
        for effect in out.finals { write(effect, results) }
        for worker in out.offerAgain {
            guard let peer = sessions[core.workerSession(worker)] else { continue }
            flush(peer)
            var buffer = ByteBuffer(capacity: 64)
            Bare.write(.offerAgain, stamp: stamp(for: peer), to: &buffer)
            send(buffer.array(), to: peer)
        }
        for effect in out.ordered {
            guard let peer = sessions[effect.client] else { continue }
            flush(peer)
            var buffer = ByteBuffer(capacity: 128)
            effect.reply.write(to: &buffer, stamp: stamp(for: peer))
            send(buffer.array(), to: peer)
        }
        for lookup in out.orderLookups { read(.order(lookup)) }
        if !out.outcomeLookups.isEmpty { read(.outcomes(out.outcomeLookups)) }
        if !out.resultLookups.isEmpty { read(.results(out.resultLookups)) }
        out.removeAll()
        for peer in dirty { flush(peer) }
        dirty.removeAll()
    }

    func write(_ effect: StatexSchedulerCore.Outbox.Token, _ type: MessageType) {
        guard let peer = sessions[effect.session] else { return }
        world.said(type, effect.record, incarnation: effect.tokensOf, by: self)
        if effect.record.reason == .stealing {
            world.stealAsked(
                StealQuestion(job: effect.record.id.rawValue, victim: peer.incarnation, asker: self))
        }
        guard effect.tokensOf == core.incarnation else {
            flush(peer)
            var stamp = stamp(for: peer)
            stamp.incarnation = effect.tokensOf
            var buffer = ByteBuffer(capacity: 64)
            Header(type, recordLength: TokenRecord.size, stamp: stamp, count: 1).write(to: &buffer)
            effect.record.write(to: &buffer)
            return send(buffer.array(), to: peer)
        }
        append(type, TokenRecord.size, to: peer) { effect.record.write(to: &$0) }
    }

    func write(_ effect: StatexSchedulerCore.Outbox.Final, _ results: CommitBatch?) {
        guard let peer = sessions[effect.client] else { return }
        append(.results, ResultRecord.size, to: peer) { buffer in
            effect.record.write(to: &buffer)
            if effect.result >= 0, let results {
                let row = results.results[Int(effect.result)]
                buffer.append(results.resultBytes, from: row.start, length: row.length)
            }
        }
    }

    func leaseOut(_ lease: StatexSchedulerCore.Outbox.Lease) {
        guard let content = core.leaseContent(lease), let peer = sessions[content.session] else { return }
        let record = content.record
        guard !record.hasCheckpoint, let slab = slabs.first(where: { $0.batch == content.payloadBatch })?.slab else {
            world.mark("payload read back")
            return read(.payloads([(lease, record.id.rawValue, record.hasCheckpoint)]))
        }
        world.leaseLeft(content.record, by: self)
        append(.leases, LeaseRecord.size, to: peer) { buffer in
            content.record.write(to: &buffer)
            buffer.append(slab.buffer, from: content.payloadStart, length: Int(content.record.payloadLength))
            writeAffinity(of: lease, content.record, to: &buffer)
        }
    }

    func sendLease(_ found: FoundPayload) {
        guard var content = core.leaseContent(found.lease), let peer = sessions[content.session] else { return }
        content.record.payloadLength = UInt32(found.payload.count)
        content.record.inputs = UInt8(found.inputs.count)
        content.record.hasCheckpoint = found.checkpoint != nil
        world.leaseLeft(content.record, by: self)
        append(.leases, LeaseRecord.size, to: peer) { buffer in
            content.record.write(to: &buffer)
            buffer.append(found.payload)
            for input in found.inputs { input.write(to: &buffer) }
            if let checkpoint = found.checkpoint {
                buffer.append(UInt32(checkpoint.count))
                buffer.append(checkpoint)
            }
            writeAffinity(of: found.lease, content.record, to: &buffer)
        }
    }

    private func writeAffinity(
        of lease: StatexSchedulerCore.Outbox.Lease, _ record: LeaseRecord, to buffer: inout ByteBuffer
    ) {
        guard record.hasAffinity else { return }
        let name = core.affinityName(lease) ?? ""
        buffer.append(UInt8(truncatingIfNeeded: name.utf8.count))
        buffer.append(name)
    }

    /// The answer about a job that memory does not know.
    func sendResult(
        _ lookup: StatexSchedulerCore.Outbox.ResultLookup, _ history: SimulatedJournal.History?
    ) {
        var record = ResultRecord(id: lookup.record.id, count: 0, state: nil)
        if let history {
            record = ResultRecord(
                id: lookup.record.id, index: JobOpts.index(history.row.opts), count: JobOpts.count(history.row.opts),
                state: history.final ?? .running)
        }
        core.lookedUp(lookup, record)
        guard let peer = sessions[lookup.client] else { return }
        append(.results, ResultRecord.size, to: peer) { record.write(to: &$0) }
    }

    // MARK: Sending

    func append(
        _ type: MessageType, _ recordLength: Int, to peer: SchedulerPeer, _ write: (inout ByteBuffer) -> Void
    ) {
        if peer.needsNew(type) {
            flush(peer)
            dirty.append(peer)
            peer.begin(type, recordLength: recordLength, stamp: stamp(for: peer))
        }
        write(&peer.buffer)
        peer.added()
    }

    func flush(_ peer: SchedulerPeer) {
        guard let bytes = peer.finish(), peer.session != 0 else { return }
        send(bytes, to: peer)
    }

    func send(_ bytes: [UInt8], to peer: SchedulerPeer) {
        guard effect() else { return }
        guard peer.parked.isEmpty else { return peer.parked.append(bytes) }
        switch world.network.send(bytes, over: peer.connection) {
        case .sent: break
        case .full: if peer.session != 0 { peer.parked.append(bytes) }
        case .unroutable: if peer.session != 0 { forget(peer) }
        }
    }

    /// How long a peer with a full queue is left alone.
    static var parkNanoseconds: Int64 { 20_000_000 }

    var hasParked: Bool { order.contains { peers[$0]?.parked.isEmpty == false } }

    func retryParked() {
        for connection in order {
            guard let peer = peers[connection], !peer.parked.isEmpty else { continue }
            let messages = peer.parked
            peer.parked = []
            for message in messages where isAlive { send(message, to: peer) }
        }
    }
}
