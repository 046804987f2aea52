import StatexProtocol

extension SchedulerCore {
    /// A client asks how jobs stand, and maybe waits for their end.
    package mutating func awaited(_ records: [AwaitRecord], client: UInt32, into out: inout Outbox) {
        for record in records {
            guard record.isRequest else {
                awaitJob(record, client, &out)
                continue
            }
            guard let slot = jobs.slot(of: record.id.rawValue), jobs[slot].index == 0 else {
                // Its first job is final, or it is none of ours: the journal knows how many jobs it has.
                out.resultLookups.append(Outbox.ResultLookup(client: client, record: record))
                continue
            }
            for offset in 0..<UInt64(jobs[slot].count) {
                let id = JobID(rawValue: record.id.rawValue + offset)
                awaitJob(AwaitRecord(id, isRequest: false, waits: record.waits, follows: record.follows), client, &out)
            }
        }
    }

    private mutating func awaitJob(_ record: AwaitRecord, _ client: UInt32, _ out: inout Outbox) {
        guard let slot = jobs.slot(of: record.id.rawValue) else {
            out.resultLookups.append(Outbox.ResultLookup(client: client, record: record))
            return
        }
        if record.waits, addWait(client, slot) {
            if record.follows { follow(slot, client: client, into: &out) }
            return
        }
        var result = resultRecord(slot)
        // Final but not yet durable: still open for everybody else.
        if jobs[slot].state.isFinal { result.state = .running }
        out.finals.append(Outbox.Final(client: client, record: result, result: -1, kind: jobs[slot].kind))
    }

    /// - Returns: false if the client waits for too many jobs already: then it hears how this one stands now.
    private mutating func addWait(_ client: UInt32, _ slot: Int32) -> Bool {
        if jobs[slot].waiter == client { return true }
        if jobs[slot].waiter == 0 || clients[jobs[slot].waiter] == nil {
            jobs[slot].waiter = client
            return true
        }
        guard waits.count(of: client) < settings.maxWaits else { return false }
        waits.add(client, job: jobs[slot].id)
        jobs[slot].flags.insert(.hasMoreWaits)
        return true
    }

    func resultRecord(_ slot: Int32) -> ResultRecord {
        let job = jobs[slot]
        var record = ResultRecord(id: JobID(rawValue: job.id), index: job.index, count: job.count, state: job.state)
        record.attempts = UInt16(job.failures) + UInt16(job.losses) + (job.token == 0 ? 0 : 1)
        record.losses = UInt16(job.losses)
        return record
    }

    /// A client orders jobs or requests to stop. The answer leaves when the order is durable.
    package mutating func cancelOrdered(_ records: [CancelRecord], client: UInt32, at now: Now, into out: inout Outbox)
    {
        let who = clients[client]?.name ?? ""
        for record in records {
            var ids: [UInt64] = []
            let count = record.isRequest ? UInt64(requestSize(record.id.rawValue)) : 1
            // From the end: who waits for others ends as cancelled before they do, not because of them.
            for offset in (0..<count).reversed() {
                let id = record.id.rawValue + offset
                guard let slot = jobs.slot(of: id), !jobs[slot].state.isFinal else { continue }
                ids.append(id)
                stop(slot, .cancelling, into: &out)
            }
            gathering.actions.append(
                CommitBatch.ActionRow(action: "cancel", who: who, ids: ids, reached: UInt32(ids.count)))
            gathering.cancelled.append(
                CommitBatch.Cancelled(
                    client: client,
                    record: CancelRecord(record.id, isRequest: record.isRequest, jobs: UInt32(ids.count))))
        }
    }

    /// How many jobs a request may have, by any open job of it.
    mutating func requestSize(_ first: UInt64) -> Int {
        for offset in 0..<UInt64(Limits.jobsInRequest) {
            guard let slot = jobs.slot(of: first + offset) else { continue }
            return UInt64(jobs[slot].index) == offset ? Int(jobs[slot].count) : 0
        }
        return 0
    }

    mutating func deadlinePassed(_ slot: Int32, at now: Now, into out: inout Outbox) {
        guard !jobs[slot].state.isFinal else { return }
        stop(slot, .expiring, into: &out)
    }

    /// Stops a job: at once if no worker can have it, else by telling its worker.
    mutating func stop(_ slot: Int32, _ why: JobRecord.Flags, into out: inout Outbox) {
        let final: JobState = why == .cancelling ? .cancelled : .expired
        let ending: Ending = why == .cancelling ? .cancelled : .expired
        switch jobs[slot].state {
        case .queued:
            unqueue(slot)
            endUnleased(slot, ending: ending, final: final)
        case .delayed, .blocked:
            endUnleased(slot, ending: ending, final: final)
        case .leased, .running:
            let token = jobs[slot].token
            if wasSent(token) {
                guard jobs[slot].flags.stopState == nil else { return }
                jobs[slot].flags.insert(why)
                revoke(slot, into: &out)
            } else {
                // Its lease is not durable yet and so has not left: it never will.
                startUndone(slot)
                let lease = endLease(slot)
                endUnleased(slot, ending: ending, final: final, token: token, lease: lease)
            }
        case .succeeded, .failed, .dead, .cancelled, .expired: break
        }
    }

    /// Tells a job's worker to stop it; its outcome then decides.
    func revoke(_ slot: Int32, into out: inout Outbox) {
        let worker = jobs[slot].worker
        let record = TokenRecord(JobID(rawValue: jobs[slot].id), token: jobs[slot].token, reason: .cancelled)
        out.revoked.append(
            Outbox.Token(
                worker: worker, session: workers[worker].session, tokensOf: incarnation, record: record))
    }
}
