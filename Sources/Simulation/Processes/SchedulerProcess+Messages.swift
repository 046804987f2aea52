import StatexProtocol
import StatexSchedulerCore

// What peers say within a session, and what the journal answers: read, checked, handed to the core.

extension SchedulerProcess {
    func workerSaid(_ peer: SchedulerPeer, _ header: Header, _ bytes: borrowing RawSpan) throws(WireError) {
        guard core.isWorkerSession(peer.session, of: peer.worker) else {
            drop(peer)
            throw WireError(.session, "the worker was silent for too long")
        }
        let now = clock
        world.heard(peer.incarnation, header.type == .goodbye ? .left : .spoke, by: self)
        switch header.type {
        case .heartbeat: core.workerHeard(peer.worker, session: peer.session, at: now)
        case .outcomes:
            let credit = try OutcomeRecord.readCredit(bytes, header: header)
            var records: [OutcomeRecord] = []
            var cursor = try header.recordCursor(atLeast: OutcomeRecord.size)
            for _ in 0..<header.count {
                records.append(try OutcomeRecord(reading: &cursor, header: header, in: bytes))
            }
            noteHeld(records.map(\.token), header, peer)
            world.heard(peer.incarnation, .offers(credit, isCredit: false), by: self)
            core.creditUpdated(credit, worker: peer.worker, session: peer.session)
            core.outcomesReported(
                records, bytes: bytes, tokensOf: header.incarnation, worker: peer.worker, session: peer.session,
                at: now, into: &out)
        case .credit:
            let credit = try Credit.read(bytes, header: header)
            world.heard(peer.incarnation, .offers(credit, isCredit: true), by: self)
            core.creditOffered(credit, worker: peer.worker, session: peer.session, at: now)
        case .claim, .kept:
            var records: [TokenRecord] = []
            var cursor = try header.recordCursor(atLeast: TokenRecord.size)
            for _ in 0..<header.count {
                records.append(try TokenRecord(reading: &cursor, header: header, in: bytes))
            }
            if header.type == .kept {
                core.leasesKept(
                    records, tokensOf: header.incarnation, worker: peer.worker, session: peer.session, at: now)
                return
            }
            noteHeld(records.map(\.token), header, peer)
            core.leasesClaimed(
                records, tokensOf: header.incarnation, worker: peer.worker, session: peer.session, at: now, into: &out)
        case .report, .checkpoint: try attemptsSaid(peer, header, bytes)
        case .goodbye:
            core.workerLeft(peer.worker, session: peer.session, at: now, into: &out)
            drop(peer)
        default: throw WireError(.type, "a worker does not send \(header.type)")
        }
    }

    private func noteHeld(_ tokens: [UInt64], _ header: Header, _ peer: SchedulerPeer) {
        if header.incarnation == core.incarnation { world.heard(peer.incarnation, .holds(tokens), by: self) }
    }

    func clientSaid(_ peer: SchedulerPeer, _ header: Header, _ bytes: borrowing RawSpan) throws(WireError) {
        switch header.type {
        case .heartbeat: break
        case .submit: try submitted(peer, header, bytes)
        case .await:
            var records: [AwaitRecord] = []
            var cursor = try header.recordCursor(atLeast: AwaitRecord.size)
            for _ in 0..<header.count {
                records.append(try AwaitRecord(reading: &cursor, header: header, in: bytes))
            }
            guard core.awaited(records, client: peer.session) else {
                throw WireError(.busy, "too many questions wait")
            }
        case .cancel:
            if let reason = busyReason { throw WireError(.busy, reason) }
            var records: [CancelRecord] = []
            var cursor = try header.recordCursor(atLeast: CancelRecord.size)
            for _ in 0..<header.count {
                records.append(try CancelRecord(reading: &cursor, header: header, in: bytes))
            }
            core.cancelOrdered(records, client: peer.session, at: clock, into: &out)
        case .order:
            if let reason = busyReason { throw WireError(.busy, reason) }
            let order = try Order(reading: bytes, header: header)
            guard core.ordered(order, client: peer.session, into: &out) else {
                throw WireError(.busy, "too many orders wait")
            }
        default: throw WireError(.type, "a client does not send \(header.type)")
        }
    }

    func submitted(_ peer: SchedulerPeer, _ header: Header, _ bytes: borrowing RawSpan) throws(WireError) {
        try submit.read(bytes, header: header)
        let busy = busyReason
        let keys = busy == nil ? submit.keys(in: bytes) : []
        guard keys.isEmpty else {
            keyedSubmits[nextTag] = (peer.session, bytes.array(0..<bytes.byteCount))
            read(.keys(keys, tag: nextTag))
            nextTag += 1
            return
        }
        core.submitted(submit, bytes: bytes, client: peer.session, busy: busy, at: clock, into: &out)
    }

    func keysRead(_ uses: [(user: UserKeys.Use?, unique: UniqueKeys.Use?)], tag: Int) {
        guard let parked = keyedSubmits.removeValue(forKey: tag), sessions[parked.session] != nil else { return }
        let span = parked.bytes.span.bytes
        guard let header = try? Header(reading: span), (try? submit.read(span, header: header)) != nil else { return }
        var keyed: [KeyedRequest] = []
        for (found, use) in zip(submit.keys(in: span), uses) {
            keyed.append(
                KeyedRequest(
                    job: found.job, digest: contentDigest(found.job, span), known: use.user, knownUnique: use.unique))
        }
        core.submitted(
            submit, bytes: span, client: parked.session, keyed: keyed,
            busy: busyReason, at: clock, into: &out)
    }

    /// Stands for the SHA-256 of what was submitted.
    func contentDigest(_ first: Int, _ bytes: borrowing RawSpan) -> [UInt8] {
        var digest = Digest()
        for job in submit.jobs[first..<first + Int(submit.jobs[first].count)] {
            digest.add(bytes.array(Int(job.payloadStart)..<Int(job.payloadStart) + Int(job.payloadLength)))
        }
        return withUnsafeBytes(of: digest.value) { Array($0) }
    }

    // MARK: Reading the journal

    func read(_ request: ReadRequest) {
        guard effect() else { return }
        world.plan(.read(process: number, request: request), at: world.now + world.random.delay(about: 500_000))
    }

    func readAnswered(_ answer: ReadAnswer) {
        switch answer {
        case .payloads(let found): for found in found { sendLease(found) }
        case .outcomes(let found):
            for (lookup, isRecorded) in found { core.outcomeLookedUp(lookup, isRecorded: isRecorded, into: &out) }
        case .results(let found): for (lookup, history) in found { sendResult(lookup, history) }
        case .producer(let producer, let runs, let connection):
            core.producerLoaded(producer, runs: runs)
            guard let hello = waitingHellos.removeValue(forKey: connection), let peer = peers[connection] else {
                return
            }
            welcomeClient(peer, hello)
        case .keys(let uses, let tag): keysRead(uses, tag: tag)
        case .order(let findings): core.orderRead(findings, at: clock, into: &out)
        case .watch: break
        }
    }
}
