import StatexHandOff
import StatexProtocol
import StatexSchedulerCore
import StatexZeroMQ

// What peers say within a session: read, checked, handed to the core.

extension Broker {
    mutating func workerSaid(_ peer: Peer, _ header: Header, _ frame: borrowing Frame, at time: Now) throws(WireError) {
        guard core.isWorkerSession(peer.session, of: peer.worker) else {
            // Not heard for its lease time and given up; it must say anew what it holds.
            drop(peer)
            throw WireError(.session, "the worker was silent for longer than its leases last: say HELLO again")
        }
        switch header.type {
        case .heartbeat: core.workerHeard(peer.worker, session: peer.session, at: time)
        case .outcomes:
            let credit = try OutcomeRecord.readCredit(frame.bytes, header: header)
            outcomes.removeAll(keepingCapacity: true)
            var cursor = try header.recordCursor(atLeast: OutcomeRecord.size)
            for _ in 0..<header.count {
                outcomes.append(try OutcomeRecord(reading: &cursor, header: header, in: frame.bytes))
            }
            core.creditUpdated(credit, worker: peer.worker, session: peer.session)
            core.outcomesReported(
                outcomes, bytes: frame.bytes, tokensOf: header.incarnation, worker: peer.worker, session: peer.session,
                at: time, into: &outbox)
        case .credit:
            let credit = try Credit.read(frame.bytes, header: header)
            core.creditOffered(credit, worker: peer.worker, session: peer.session, at: time)
        case .claim:
            core.leasesClaimed(
                try tokens(header, frame), tokensOf: header.incarnation, worker: peer.worker, session: peer.session,
                at: time, into: &outbox)
        case .kept:
            core.leasesKept(
                try tokens(header, frame), tokensOf: header.incarnation, worker: peer.worker, session: peer.session,
                at: time)
        case .report:
            reports.removeAll(keepingCapacity: true)
            var cursor = try header.recordCursor(atLeast: ProgressRecord.size)
            for _ in 0..<header.count {
                reports.append(try ProgressRecord(reading: &cursor, header: header, in: frame.bytes))
            }
            core.progressReported(
                reports, bytes: frame.bytes, tokensOf: header.incarnation, worker: peer.worker, session: peer.session,
                at: time, into: &outbox)
        case .checkpoint:
            var records: [CheckpointRecord] = []
            var cursor = try header.recordCursor(atLeast: CheckpointRecord.size)
            for _ in 0..<header.count {
                records.append(try CheckpointRecord(reading: &cursor, header: header, in: frame.bytes))
            }
            core.checkpointsHandedOver(
                records, bytes: frame.bytes, tokensOf: header.incarnation, worker: peer.worker, session: peer.session,
                at: time)
        case .goodbye:
            core.workerLeft(peer.worker, session: peer.session, at: time, into: &outbox)
            drop(peer)
        case .hello, .welcome, .fault, .submit, .accepted, .refused, .await, .results, .cancel, .cancelled, .status,
            .statusReply, .order, .orderReply, .explain, .explanations, .leases, .durable, .stale, .revoke,
            .offerAgain, .drain, .progress, .follow, .checkpointed, .events, .workerEvents:
            throw WireError(.type, "message type \(header.type.rawValue) is not a worker's to send")
        }
    }

    private func tokens(_ header: Header, _ frame: borrowing Frame) throws(WireError) -> [TokenRecord] {
        var records: [TokenRecord] = []
        var cursor = try header.recordCursor(atLeast: TokenRecord.size)
        for _ in 0..<header.count {
            records.append(try TokenRecord(reading: &cursor, header: header, in: frame.bytes))
        }
        return records
    }

    mutating func clientSaid(_ peer: Peer, _ header: Header, _ frame: borrowing Frame, at time: Now) throws(WireError) {
        if try holdForTenants(peer, header, frame) { return }
        switch header.type {
        case .heartbeat: break
        case .submit, .cancel, .order:
            // What it orders could not be told from a repetition.
            guard !peer.producer.isNone else {
                throw WireError(
                    .type,
                    "a client without a producer only looks: message type \(header.type.rawValue) is not its to send")
            }
            try clientOrdered(peer, header, frame, at: time)
        case .await:
            guard core.awaited(try AwaitRecord.all(header, frame.bytes), client: peer.session) else {
                throw WireError(
                    .busy, "too many questions wait for their answers, the limit is \(Limits.awaits) of a session")
            }
        case .status:
            scratch.removeAll()
            let text = peer.grant.map { $0.tenants == .all } ?? true ? statusReport() : shortStatus()
            StatusReply.write(text.span.bytes, stamp: stamp(for: peer), to: &scratch)
            sendScratch(to: peer)
        case .explain:
            let down = busyReason
            let ids = try Explain.read(frame.bytes, header: header)
            for explanation in core.explain(ids, journalDown: down, at: time) {
                append(.explanations, recordLength: Explanation.size, to: peer)
                explanation.write(to: &peer.buffer)
                peer.added()
            }
        case .goodbye: forget(peer, at: time)
        case .hello, .welcome, .fault, .accepted, .refused, .results, .cancelled, .statusReply, .explanations, .credit,
            .leases,
            .outcomes,
            .durable, .stale, .claim, .revoke, .offerAgain, .kept, .orderReply, .drain, .progress, .follow, .report,
            .checkpoint, .checkpointed, .events, .workerEvents:
            throw WireError(.type, "message type \(header.type.rawValue) is not a client's to send")
        }
    }

    private mutating func clientOrdered(_ peer: Peer, _ header: Header, _ frame: borrowing Frame, at time: Now)
        throws(WireError)
    {
        switch header.type {
        case .submit: try submitted(peer, header, frame, at: time)
        case .order: try ordered(peer, header, frame)
        default:
            let records = try CancelRecord.all(header, frame.bytes)
            if let reason = busyReason { throw WireError(.busy, reason) }
            core.cancelOrdered(records, client: peer.session, at: time, into: &outbox)
        }
    }

    private mutating func submitted(_ peer: Peer, _ header: Header, _ frame: borrowing Frame, at time: Now)
        throws(WireError)
    {
        // A message that cannot be read is refused as a whole: its sequences cannot be trusted.
        try submit.read(frame.bytes, header: header)
        if refuseTenants(of: peer) { return }
        let busy = busyReason
        guard busy == nil, submit.jobs.contains(where: { $0.index == 0 && $0.optionsLength > 0 }) else {
            core.submitted(submit, bytes: frame.bytes, client: peer.session, busy: busy, at: time, into: &outbox)
            return
        }
        let keys = submit.keys(in: frame.bytes)
        guard !keys.isEmpty else {
            core.submitted(submit, bytes: frame.bytes, client: peer.session, at: time, into: &outbox)
            return
        }
        guard keyedSubmits.hasRoom else {
            core.submitted(
                submit, bytes: frame.bytes, client: peer.session,
                busy: "\(KeyedSubmits.bytes) bytes of requests with keys wait for the journal", at: time, into: &outbox)
            return
        }
        keyedSubmits.park(
            KeyedSubmit(session: peer.session, bytes: frame.bytes.array(0..<frame.bytes.byteCount)), tag: nextTag)
        handOff.reads.put(.keys(keys.compactMap(\.user), unique: keys.compactMap(\.unique), tag: nextTag))
        nextTag += 1
    }

    /// An order that cannot be read is answered alone: other questions of its session are not concerned.
    private mutating func ordered(_ peer: Peer, _ header: Header, _ frame: borrowing Frame) throws(WireError) {
        let number = try Order.number(in: frame.bytes, header: header)
        if let reason = busyReason { throw WireError(.busy, reason) }
        do throws(WireError) {
            let order = try Order(reading: frame.bytes, header: header)
            guard core.ordered(order, client: peer.session, into: &outbox) else {
                throw WireError(.busy, "too many orders wait")
            }
        } catch {
            guard error.code != .busy else { throw error }
            scratch.removeAll()
            OrderReply(number: number, error).write(to: &scratch, stamp: stamp(for: peer))
            sendScratch(to: peer)
        }
    }

    mutating func readAnswered(_ answer: ReadAnswer) {
        switch answer {
        case .payloads(let found):
            for content in found { sendLease(content) }
        case .outcomes(let found):
            for (lookup, isRecorded) in found { core.outcomeLookedUp(lookup, isRecorded: isRecorded, into: &outbox) }
        case .results(let found): resultsRead(found)
        case .producer(let producer, let runs, let tag):
            guard let waiting = waitingHellos.removeValue(forKey: tag), !waiting.peer.isGone else { return }
            waiting.peer.waitingTag = nil
            core.producerLoaded(producer, runs: runs)
            welcomeClient(waiting.peer, waiting.hello)
        case .keys(let uses, let unique, let tag): keysRead(uses, unique, tag: tag)
        case .order(let findings): core.orderRead(findings, at: now, into: &outbox)
        case .refused(let request, let reason): readRefused(request, reason)
        }
    }

    /// Answers about jobs that memory does not know.
    private mutating func resultsRead(_ found: [FoundResult]) {
        for result in found {
            core.lookedUp(result.lookup, result.record)
            guard let peer = sessions[result.lookup.client] else { continue }
            append(.results, recordLength: ResultRecord.size, to: peer)
            var record = result.record
            record.kindLength = UInt8(truncatingIfNeeded: result.kind.utf8.count)
            record.write(to: &peer.buffer)
            peer.buffer.append(result.kind)
            peer.buffer.append(result.body)
            peer.added()
        }
    }
}
