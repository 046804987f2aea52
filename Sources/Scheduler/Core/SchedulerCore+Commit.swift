import StatexProtocol

extension SchedulerCore {
    /// How much waits for the journal: the shell takes no more submits in while it is a lot.
    package var gatheredJobs: Int { gathering.jobs.count }
    package var isCommitUnderway: Bool { underway != nil }

    /// The next commit, if there is something to write and none is under way.
    package mutating func takeBatch(at now: Now) -> CommitBatch? {
        guard underway == nil, gathering.hasRows else { return nil }
        let head = ChainHead(
            batch: nextBatch, incarnation: incarnation, epoch: epoch, nextID: rawID(idCounter), nextToken: nextToken,
            nextName: names.next)
        gathering.head = CommitBatch.Head(head, shard: settings.shard, at: now.wall)
        nextBatch += 1
        let batch = gathering
        underway = batch
        gathering = spare ?? CommitBatch()
        spare = nil
        return batch
    }

    /// The commit under way is durable: now acknowledgements, leases and results may leave.
    ///
    /// The results' bodies stand in the returned batch until the next call.
    package mutating func journalCommitted(at now: Now, into out: inout Outbox) -> CommitBatch? {
        guard let batch = underway else { return nil }
        underway = nil
        committedBatch = batch.head.batch
        durableToken = batch.head.nextToken
        provedFormer(batch.formerJournals)
        out.accepted.append(contentsOf: batch.accepted)
        out.durable.append(contentsOf: batch.durable)
        out.cancelled.append(contentsOf: batch.cancelled)
        out.outcomeLookups.append(contentsOf: batch.outcomeLookups)
        out.ordered.append(contentsOf: batch.ordered)
        if !batch.ordered.isEmpty {
            desk.done()
            serveDesk(into: &out)
        }
        checkpointsCommitted(batch.checkpoints, into: &out)
        // Before jobs that ended are forgotten.
        tell(batch)
        forgetDeparted()
        for row in batch.outcomes {
            guard let final = row.final else { continue }
            let slot = row.slot == CommitBatch.OutcomeRow.refusedAtCommit ? withdraw(row.id, final) : row.slot
            if let slot { finish(row, slot, final, of: batch, at: now, into: &out) }
        }
        for row in batch.leases where jobs[row.slot].token == row.token && jobs[row.slot].id == row.id {
            out.leases.append(Outbox.Lease(worker: row.workerIndex, slot: row.slot, token: row.token))
        }
        for index in workers.indices where workers[index].owesOutcomes {
            workers[index].owesOutcomes = false
            if workers[index].isConnected { out.offerAgain.append(index) }
        }
        return batch
    }

    /// The shell is done with a committed batch; its storage serves the next.
    package mutating func recycle(_ batch: CommitBatch) {
        batch.reset()
        spare = batch
    }

    /// Takes a job that the journal refused out of wherever it waits; its lease never left.
    private mutating func withdraw(_ id: UInt64, _ final: JobState) -> Int32? {
        guard let slot = jobs.slot(of: id) else { return nil }
        if !jobs[slot].state.isFinal { kinds[Int(jobs[slot].kind)].ending += 1 }
        // What happened to it meanwhile would be written by the next commit, after its end.
        gathering.outcomes.removeAll { $0.id == id }
        gathering.leases.removeAll { $0.id == id }
        switch jobs[slot].state {
        case .queued: unqueue(slot)
        case .leased, .running:
            startUndone(slot)
            _ = endLease(slot)
        case .blocked:
            blocked -= 1
            kinds[Int(jobs[slot].kind)].blocked -= 1
        case .delayed, .succeeded, .failed, .dead, .cancelled, .expired: break
        }
        jobs[slot].state = final
        counts.failed += 1
        kinds[Int(jobs[slot].kind)].counts.ended.count(final)
        return slot
    }

    /// A job's final outcome is durable: tell who waits, and forget it.
    private mutating func finish(
        _ row: CommitBatch.OutcomeRow, _ slot: Int32, _ final: JobState, of batch: CommitBatch, at now: Now,
        into out: inout Outbox
    ) {
        let job = jobs[slot]
        measureEnd(of: job, final, at: now)
        if job.waiter != 0 || job.flags.contains(.hasMoreWaits) {
            var record = resultRecord(slot)
            record.state = final
            // The attempt that ended it counts, if one did: also one that ran and was stopped.
            let wasStopped = row.ending == .cancelled || row.ending == .expired || row.ending == .returned
            let counts = final == .succeeded || (wasStopped && row.started > row.ended)
            record.attempts = UInt16(job.failures) + UInt16(job.losses) + (counts ? 1 : 0)
            record.ended = batch.head.at - Int64(row.ended * 1_000_000)
            if row.result >= 0 {
                record.bodyLength = UInt32(batch.results[Int(row.result)].length)
                record.encoding = Encoding(rawValue: batch.results[Int(row.result)].encoding) ?? .bytes
            }
            if job.waiter != 0 {
                out.finals.append(Outbox.Final(client: job.waiter, record: record, result: row.result, kind: job.kind))
            }
            if job.flags.contains(.hasMoreWaits) {
                for client in waits.take(job: job.id) {
                    out.finals.append(Outbox.Final(client: client, record: record, result: row.result, kind: job.kind))
                }
            }
        }
        if job.flags.contains(.hasAffinity) { affinities[job.id] = nil }
        if job.flags.contains(.followed) { _ = followers.take(job: job.id) }
        if job.losses > 0 { lostWith[job.id] = nil }
        if job.tally >= 0 { tallies.ended(job.tally, as: final) }
        if job.flags.contains(.isRetry) { retries[job.id] = nil }
        if job.flags.contains(.inGraph) {
            // The journal may have refused the job or its result: then those that wait do not know yet.
            jobs[slot].state = final
            if final != .succeeded { endDependants(of: slot) }
            leaveGraph(job)
        }
        backlog.remove(bytes: job.payloadLength)
        tenants[job.tenant].backlog.remove(bytes: job.payloadLength)
        if let page = jobs.remove(slot) { closeIfEmpty(page: page) }
    }
}
