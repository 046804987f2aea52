import StatexProtocol

// Jobs are to stop: by a client, or because their time is up.

extension SchedulerCore {
    /// A client orders jobs or requests to stop. The answer leaves when the order is durable.
    package mutating func cancelOrdered(_ records: [CancelRecord], client: UInt32, at now: Now, into out: inout Outbox)
    {
        let who = clients[client]?.name ?? ""
        for record in records {
            var ids: [UInt64] = []
            var reached: UInt32 = 0
            let count = record.isRequest ? UInt64(requestSize(record.id.rawValue)) : 1
            // From the end: who waits for others ends as cancelled before they do, not because of them.
            for offset in (0..<count).reversed() {
                let id = record.id.rawValue + offset
                guard let slot = jobs.slot(of: id), !jobs[slot].state.isFinal else { continue }
                reached += 1
                // One that is being stopped was recorded: repeated orders must not fill a commit.
                if jobs[slot].flags.stopState == nil { ids.append(id) }
                stop(slot, .cancelling, into: &out)
            }
            gathering.actions.append(
                CommitBatch.ActionRow(action: "cancel", who: who, ids: ids, reached: reached))
            gathering.cancelled.append(
                CommitBatch.Cancelled(
                    client: client,
                    record: CancelRecord(record.id, isRequest: record.isRequest, jobs: reached)))
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
