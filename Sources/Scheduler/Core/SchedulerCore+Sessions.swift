import StatexProtocol

extension SchedulerCore {
    // MARK: Clients

    /// Whether the producer's earlier submits are in memory; else the shell reads them first.
    package func knowsProducer(_ producer: Producer) -> Bool { producers.isLoaded(producer) }

    package mutating func producerLoaded(_ producer: Producer, runs: [Producers.Run]) {
        producers.load(producer, runs: runs, committed: committedBatch)
    }

    /// - Returns: the last sequence that is known of its producer.
    package mutating func clientJoined(_ client: UInt32, producer: Producer, name: String) -> UInt64 {
        clients[client] = ClientRecord(producer: producer, name: name)
        producers.sessionBegan(producer)
        return producers.lastSequence(producer)
    }

    package mutating func clientLeft(_ client: UInt32) {
        guard let record = clients.removeValue(forKey: client) else { return }
        producers.sessionEnded(record.producer, committed: committedBatch)
        waits.remove(client: client)
        questions.remove(client: client)
        followers.remove(client: client)
    }

    // MARK: Workers

    static func incarnationName(_ name: String, _ incarnation: UInt64) -> String {
        name + "/" + String(incarnation, radix: 16)
    }

    /// A worker said HELLO: a new incarnation, or one that comes back.
    /// - Returns: its index, and the session that it had, which is superseded.
    package mutating func workerJoined(_ hello: Hello, session: UInt32, at now: Now) -> (
        index: Int32, superseded: UInt32
    ) {
        var served: [(kind: Int32, own: UInt16, batch: BatchRule?)] = []
        for (own, kind) in hello.kinds.enumerated() where kind.unavailable.isEmpty {
            let index = kindIndex(kind.name, at: now)
            vouch(for: index)
            var batch: BatchRule?
            if kind.batchSize > 1 {
                batch = BatchRule(
                    size: Int(kind.batchSize), waitNanoseconds: Int64(kind.batchWaitMilliseconds) * 1_000_000)
                kinds[Int(index)].hasBatches = true
            }
            served.append((index, UInt16(own), batch))
        }
        var superseded: UInt32 = 0
        var isNew = false
        let index: Int32
        if let known = workers.index(of: hello.incarnation) {
            index = known
            superseded = workers[index].session
            // What it does not claim until it offers credit never reached it.
            var slot = workers[index].leases.head
            while slot >= 0 {
                jobs[slot].flags.insert(.unclaimed)
                // What was asked of the session before may never have arrived.
                if jobs[slot].flags.contains(.stealing) { stealEnded(slot) }
                slot = jobs[slot].next
            }
        } else {
            var record = WorkerRecord()
            record.name = hello.name
            record.incarnation = hello.incarnation
            record.number = number(.worker, Self.incarnationName(hello.name, hello.incarnation))
            index = workers.insert(record)
            isNew = true
        }
        fleet += 1
        workers[index].session = session
        workers[index].slots = Int(hello.slots)
        workers[index].credit = 0
        workers[index].kinds = served
        workers[index].forming = []
        workers[index].isResuming = true
        workers[index].isDraining = drained.contains(hello.incarnation)
        workers[index].isToldToDrain = false
        workers[index].details = hello.details
        workers[index].labels = hello.labels
        workers[index].offered = hello.resources
        recountResources(of: index)
        workers[index].unavailable = hello.kinds.filter { !$0.unavailable.isEmpty }
        workers[index].joined = now.wall
        heard(index, at: now)
        if isNew { tell(.workerJoined, index, at: now) }
        return (index, superseded)
    }

    /// The worker still holds these leases.
    package mutating func leasesClaimed(
        _ claims: [TokenRecord], tokensOf: UInt64, worker: Int32, session: UInt32, at now: Now, into out: inout Outbox
    ) {
        guard let index = workers.index(ofSession: session, at: worker) else { return }
        heard(index, at: now)
        for claim in claims {
            guard tokensOf == incarnation, let slot = jobs.slot(of: claim.id.rawValue), jobs[slot].token == claim.token,
                jobs[slot].worker == index
            else {
                counts.stale += 1
                let record = TokenRecord(claim.id, token: claim.token, reason: .notHeld)
                out.revoked.append(
                    Outbox.Token(worker: index, session: session, tokensOf: tokensOf, record: record))
                continue
            }
            jobs[slot].flags.remove(.unclaimed)
            if jobs[slot].flags.stopState != nil { revoke(slot, into: &out) }
            recallIfPaused(slot, of: index, at: now, into: &out)
            askToReport(slot, into: &out)
        }
    }

    /// The worker is ready to hold so many jobs. The first offer of a session says that all claims
    /// and outcomes of before have been sent.
    package mutating func creditOffered(_ credit: Int, worker: Int32, session: UInt32, at now: Now) {
        guard let index = workers.index(ofSession: session, at: worker) else { return }
        heard(index, at: now)
        workers[index].credit = credit
        guard workers[index].isResuming else { return }
        workers[index].isResuming = false
        var slot = workers[index].leases.head
        while slot >= 0 {
            let next = jobs[slot].next
            if jobs[slot].flags.contains(.unclaimed) { loseLease(slot, ending: .returned, at: now) }
            slot = next
        }
    }

    /// Outcomes carry credit too; a worker that resumes ends that with a CREDIT of its own.
    package mutating func creditUpdated(_ credit: Int, worker: Int32, session: UInt32) {
        guard let index = workers.index(ofSession: session, at: worker), !workers[index].isResuming else { return }
        workers[index].credit = credit
    }

    /// Whether the session still speaks for this worker. Its leases may have run out, and it with them:
    /// then it must say HELLO again, or it would wait for ever on a connection that works.
    package func isWorkerSession(_ session: UInt32, of worker: Int32) -> Bool {
        workers.index(ofSession: session, at: worker) != nil
    }

    /// Any message of the worker's present session is a sign of life.
    package mutating func workerHeard(_ worker: Int32, session: UInt32, at now: Now) {
        guard let index = workers.index(ofSession: session, at: worker) else { return }
        heard(index, at: now)
    }

    @inline(__always)
    mutating func heard(_ index: Int32, at now: Now) {
        workers[index].deadline = now.monotonic + settings.leaseNanoseconds
    }

    /// Its connection is closed: the same incarnation has a grace to return.
    package mutating func workerDisconnected(_ worker: Int32, session: UInt32, at now: Now) {
        guard let index = workers.index(ofSession: session, at: worker) else { return }
        workers[index].session = 0
        workers[index].credit = 0
        workers[index].deadline = min(workers[index].deadline, now.monotonic + settings.graceNanoseconds)
    }

    /// It said goodbye: what it still held is over at once.
    package mutating func workerLeft(_ worker: Int32, session: UInt32, at now: Now, into out: inout Outbox) {
        guard let index = workers.index(ofSession: session, at: worker) else { return }
        // One that drained wants nothing and has reported all it had: leases that crossed its goodbye on the
        // way never began.
        workerGone(index, ending: workers[index].credit == 0 ? .returned : .lost, isGoodbye: true, at: now)
    }
}
