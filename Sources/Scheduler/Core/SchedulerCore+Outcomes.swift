import StatexProtocol

extension SchedulerCore {
    /// A worker reported outcomes.
    ///
    /// - Parameters:
    ///   - tokensOf: the journal incarnation that the tokens belong to.
    ///   - bytes: the message; results are copied from it into the commit.
    package mutating func outcomesReported(
        _ records: [OutcomeRecord], bytes: borrowing RawSpan, tokensOf: UInt64, worker: Int32, session: UInt32,
        at now: Now,
        into out: inout Outbox
    ) {
        guard let index = workers.index(ofSession: session, at: worker) else { return }
        heard(index, at: now)
        guard gathering.resultBytes.count <= settings.maxBatchResultBytes else {
            // Not taken and not lost: the worker keeps them until they are durable.
            workers[index].owesOutcomes = true
            counts.putOff += UInt64(records.count)
            keepClaimed(records, tokensOf: tokensOf, by: index)
            return
        }
        for record in records {
            guard tokensOf == incarnation, let slot = jobs.slot(of: record.id.rawValue),
                jobs[slot].token == record.token,
                jobs[slot].worker == index
            else {
                outcomeOfNoLease(record, tokensOf: tokensOf, worker: index, session: session, into: &out)
                continue
            }
            end(slot, record, bytes, worker: index, session: session, at: now)
        }
    }

    /// Who has an outcome of a lease has the lease: the end of its worker's return must not take it away.
    private mutating func keepClaimed(_ records: [OutcomeRecord], tokensOf: UInt64, by worker: Int32) {
        guard tokensOf == incarnation else { return }
        for record in records {
            guard let slot = jobs.slot(of: record.id.rawValue), jobs[slot].token == record.token,
                jobs[slot].worker == worker
            else { continue }
            jobs[slot].flags.remove(.unclaimed)
        }
    }

    /// The lease is not live: the outcome was recorded before, or it is stale.
    private mutating func outcomeOfNoLease(
        _ record: OutcomeRecord, tokensOf: UInt64, worker: Int32, session: UInt32, into out: inout Outbox
    ) {
        guard tokensOf == incarnation else {
            counts.stale += 1
            out.stale.append(
                Outbox.Token(
                    worker: worker, session: session, tokensOf: tokensOf,
                    record: TokenRecord(record.id, token: record.token, reason: .notHeld)))
            return
        }
        let lookup = Outbox.OutcomeLookup(
            worker: worker, session: session, id: record.id.rawValue, token: record.token, ending: record.ending)
        // It may have been reported before and not be durable yet: the journal would not know it.
        if underway == nil, !gathering.hasRows {
            out.outcomeLookups.append(lookup)
        } else {
            gathering.outcomeLookups.append(lookup)
        }
    }

    /// The journal answered whether an outcome of no live lease is recorded.
    package mutating func outcomeLookedUp(_ lookup: Outbox.OutcomeLookup, isRecorded: Bool, into out: inout Outbox) {
        if isRecorded {
            out.durable.append(
                CommitBatch.Durable(worker: lookup.worker, session: lookup.session, id: lookup.id, token: lookup.token))
        } else {
            counts.stale += 1
            let record = TokenRecord(JobID(rawValue: lookup.id), token: lookup.token, reason: .notHeld)
            out.stale.append(
                Outbox.Token(
                    worker: lookup.worker, session: lookup.session, tokensOf: incarnation, record: record))
        }
    }

    /// What a lease hands over cannot be read, whoever asks how often: the attempt fails for good, and its worker never
    /// hears of it.
    package mutating func leaseRefused(_ lease: Outbox.Lease, _ reason: String, at now: Now) {
        guard let content = leaseContent(lease) else { return }
        let text = ErrorText("refused", reason.cut(toBytes: Limits.errorMessageBytes))
        var bytes = ByteBuffer()
        text.write(to: &bytes)
        var record = OutcomeRecord(id: content.record.id, token: lease.token, ending: .failed)
        record.retryable = false
        record.bodyLength = UInt32(clamping: text.length)
        end(lease.slot, record, bytes.bytes, worker: lease.worker, session: content.session, at: now)
    }

    /// Ends a live lease as its worker says.
    private mutating func end(
        _ slot: Int32, _ record: OutcomeRecord, _ bytes: borrowing RawSpan, worker: Int32, session: UInt32, at now: Now
    ) {
        gathering.durable.append(
            CommitBatch.Durable(worker: worker, session: session, id: record.id.rawValue, token: record.token))
        var row = CommitBatch.OutcomeRow(
            id: record.id.rawValue, token: record.token,
            started: Float(UInt64(record.agoMicroseconds) + record.ranMicroseconds) / 1_000_000,
            ended: Float(record.agoMicroseconds) / 1_000_000, retry: -1, ending: record.ending, final: nil, result: -1,
            slot: slot)
        account(slot, record)
        // Before the lease ends: that would end a probe without a verdict.
        switch record.ending {
        case .succeeded: attemptSucceeded(slot, on: worker)
        case .failed where record.retryable: attemptFailed(slot, on: worker, at: now)
        case .failed, .cancelled, .returned, .lost, .expired: break
        }
        if isAccused(slot) { workers[worker].owesTurn = true }
        let wasStealing = jobs[slot].flags.contains(.stealing) && stolenFor[jobs[slot].id] != Self.pause
        row.lease = endLease(slot)
        let wanted = jobs[slot].flags
        switch record.ending {
        case .succeeded:
            workers[worker].succeeded += 1
            row.final = .succeeded
        case .failed:
            workers[worker].failed += 1
            jobs[slot].failures += 1
            row.final = wanted.stopState ?? finalAfterFailure(slot, retryable: record.retryable)
        case .cancelled, .returned, .lost, .expired:
            // A worker that stopped it on purpose: whether that ends the job is the scheduler's to say.
            row.final = wanted.stopState
            if row.final == nil {
                row.ending = .returned
                counts.returned += 1
                if wasStealing {
                    jobs[slot].steals += 1
                    counts.stolen += 1
                }
            }
        }
        if record.bodyLength > 0, row.ending == .succeeded || row.ending == .failed {
            row.result = keepResult(record, bytes)
        }
        if row.final == nil { tryAgain(slot, &row, asked: record.retryAfterMilliseconds, at: now) }
        write(row)
        if row.final == .succeeded, wanted.contains(.inGraph) { releaseDependants(of: slot, at: now) }
    }

    private func finalAfterFailure(_ slot: Int32, retryable: Bool) -> JobState? {
        guard retryable else { return .failed }
        return jobs[slot].failures >= jobs[slot].attemptsAllowed ? .dead : nil
    }

    /// Delays a failed job, queues a returned one.
    private mutating func tryAgain(_ slot: Int32, _ row: inout CommitBatch.OutcomeRow, asked: UInt32, at now: Now) {
        guard row.ending == .failed else { return makeReady(slot, at: now) }
        let delay = kinds[Int(jobs[slot].kind)].policy.retry.delay(
            afterFailures: Int(jobs[slot].failures), asked: asked, using: &generator)
        row.retry = Float(delay) / 1_000_000_000
        jobs[slot].state = .delayed
        wake(Timers.Entry(due: now.monotonic + delay, id: jobs[slot].id, slot: slot, purpose: .ready))
        counts.retried += 1
        kinds[Int(jobs[slot].kind)].counts.retried += 1
    }

    private mutating func keepResult(_ record: OutcomeRecord, _ bytes: borrowing RawSpan) -> Int32 {
        let start = gathering.resultBytes.count
        gathering.resultBytes.append(bytes.extracting(record.bodyStart..<record.bodyStart + Int(record.bodyLength)))
        gathering.results.append(
            CommitBatch.ResultRow(
                job: record.id.rawValue, token: record.token, ending: record.ending, encoding: record.encoding,
                start: start,
                length: Int(record.bodyLength)))
        return Int32(gathering.results.count - 1)
    }

    /// Writes an outcome row; a final one ends the job once it is durable, and those that wait for it.
    mutating func write(_ row: CommitBatch.OutcomeRow) {
        record(row)
        if let final = row.final, final != .succeeded, jobs[row.slot].flags.contains(.inGraph) {
            endDependants(of: row.slot)
        }
    }

    mutating func record(_ row: CommitBatch.OutcomeRow) {
        var row = row
        row.subject = eventSubject(row.slot)
        let kind = Int(jobs[row.slot].kind)
        if row.token != 0 { kinds[kind].counts.attempts.count(row.ending) }
        if let final = row.final {
            if jobs[row.slot].state == .blocked {
                blocked -= 1
                kinds[kind].blocked -= 1
            }
            jobs[row.slot].state = final
            kinds[kind].ending += 1
            kinds[kind].counts.ended.count(final)
            switch final {
            case .succeeded: counts.succeeded += 1
            case .failed: counts.failed += 1
            case .dead: counts.dead += 1
            case .cancelled: counts.cancelled += 1
            case .expired: counts.expired += 1
            case .blocked, .delayed, .queued, .leased, .running: preconditionFailure("an open state is not final")
            }
        }
        gathering.outcomes.append(row)
    }

    /// Ends a job that no worker runs.
    mutating func endUnleased(
        _ slot: Int32, ending: Ending, final: JobState, token: UInt64 = 0, lease: CommitBatch.EndedLease = .none
    ) {
        if jobs[slot].flags.contains(.heldRetry) { unholdRetry(slot) }
        write(
            CommitBatch.OutcomeRow(
                id: jobs[slot].id, token: token, started: 0, ended: 0, retry: -1, ending: ending, final: final,
                result: -1,
                slot: slot, lease: lease))
    }
}

extension JobRecord.Flags {
    /// The final state of a job that is to stop, or nil if nothing asked for that.
    var stopState: JobState? {
        if contains(.cancelling) { return .cancelled }
        if contains(.expiring) { return .expired }
        return nil
    }
}
