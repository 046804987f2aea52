import StatexProtocol

/// A request of a submit that has a user key or a unique key: what the shell found out before the core sees it.
package struct KeyedRequest: Sendable {
    /// The request's first job in the message.
    package var job: Int
    /// SHA-256 over the request's content, for its user key.
    package var digest: [UInt8]
    /// What the journal knows of the user key.
    package var known: UserKeys.Use?
    /// What it knows of the unique key.
    package var knownUnique: UniqueKeys.Use?

    package init(job: Int, digest: [UInt8], known: UserKeys.Use?, knownUnique: UniqueKeys.Use? = nil) {
        self.job = job
        self.digest = digest
        self.known = known
        self.knownUnique = knownUnique
    }
}

extension SchedulerCore {
    /// A client submitted a message that was read and checked as a whole.
    ///
    /// - Parameters:
    ///   - bytes: the message; payloads are copied from it into the commit, nothing is kept.
    ///   - keyed: one entry for each request that has a user key or a unique key, in the message's order.
    ///   - busy: why nothing can be taken now (the journal is down), or nil.
    package mutating func submitted(
        _ batch: borrowing SubmitBatch, bytes: borrowing RawSpan, client: UInt32, keyed: [KeyedRequest] = [],
        busy: String? = nil, at now: Now, into out: inout Outbox
    ) {
        guard let producer = clients[client]?.producer else { return }
        if let reason = busy ?? gatheringRefusal(bytes: batch.payloadBytes) {
            counts.refused += UInt64(batch.requests)
            refusals.journal += UInt64(batch.requests)
            refuse(batch.firstSequence, UInt32(batch.requests), WireError(.busy, reason), retryAfter: 200, client, &out)
            return
        }
        var kindOf = [Int32](repeating: -1, count: batch.names.count)
        var tenantOf = kindOf
        var nextKeyed = 0
        var first = 0
        var sequence = batch.firstSequence
        var run: AcceptedRun?
        while first < batch.jobs.count {
            let size = Int(batch.jobs[first].count)
            var key: KeyedRequest?
            if nextKeyed < keyed.count, keyed[nextKeyed].job == first {
                key = keyed[nextKeyed]
                nextKeyed += 1
            }
            if let accepted = takeRequest(
                batch, bytes, first..<first + size, sequence, producer, client, key, &kindOf, &tenantOf, now, &out)
            {
                extend(&run, with: accepted, client)
            }
            first += size
            sequence += 1
        }
        flush(&run, client)
    }

    /// Takes one request, or answers why not.
    /// - Returns: its run of one if it is new.
    private mutating func takeRequest(
        _ batch: borrowing SubmitBatch, _ bytes: borrowing RawSpan, _ range: Range<Int>, _ sequence: UInt64,
        _ producer: Producer, _ client: UInt32, _ key: KeyedRequest?, _ kindOf: inout [Int32],
        _ tenantOf: inout [Int32],
        _ now: Now, _ out: inout Outbox
    ) -> AcceptedRun? {
        switch producers.look(producer, sequence) {
        case .new: break
        case .known(let firstID, let jobsEach, let knownBatch):
            answerRepeat(sequence, firstID, UInt16(jobsEach), knownBatch, client, &out)
            return nil
        case .forgotten:
            let error = WireError(
                .stale, "sequence \(sequence) is older than the last \(Limits.producerWindow) of its producer")
            refuse(sequence, 1, error, retryAfter: 0, client, &out)
            return nil
        }
        var options: [JobOptions?] = []
        do throws(WireError) {
            options = try readOptions(batch, bytes, range)
        } catch {
            refuse(sequence, 1, error, retryAfter: 0, client, &out)
            return nil
        }
        let tenantName = batch.names[Int(batch.jobs[range.lowerBound].tenant)]
        var userKey: UserKeys.Key?
        if let key, let text = options.first??.userKey {
            let name = UserKeys.Key(tenant: tenantName, key: text)
            if let use = userKeys.use(of: name) ?? key.known {
                answerKeyed(sequence, key.digest, use, producer, client, &out)
                return nil
            }
            userKey = name
        }
        var unique: UniqueKeys.Key?
        if let key, let rule = options.first??.unique {
            let kind = batch.names[Int(batch.jobs[range.lowerBound].kind)]
            let name = UniqueKeys.Key(tenant: tenantName, kind: kind, rule: rule)
            if let holder = holder(of: name, rule, known: key.knownUnique, at: now) {
                answerDuplicate(sequence, holder, client, &out)
                return nil
            }
            unique = name
        }
        do throws(WireError) {
            try resolveNames(batch, range, options, &kindOf, &tenantOf, at: now)
        } catch {
            refuse(sequence, 1, error, retryAfter: 0, client, &out)
            return nil
        }
        if let refusal = admissionRefusal(batch, range, &tenantOf, at: now) {
            let error = WireError(refusal.isForGood ? .tooLarge : .busy, refusal.message)
            refuse(sequence, 1, error, retryAfter: refusal.isForGood ? 0 : 500, client, &out)
            return nil
        }
        let firstID = allocateIDs(range.count, at: now)
        let isInGraph = addGraph(request: firstID, options)
        var tally = RequestTallies.single
        if range.count > 1 {
            tally = tallies.add(
                RequestStanding(
                    kind: kindOf[Int(batch.jobs[range.lowerBound].kind)],
                    tenant: resolveTenant(batch, range.lowerBound, &tenantOf, at: now), open: UInt16(range.count)))
        }
        for (offset, index) in range.enumerated() {
            let job = batch.jobs[index]
            let names = JobNames(
                kind: kindOf[Int(job.kind)], tenant: resolveTenant(batch, index, &tenantOf, at: now), tally: tally)
            let waiter = batch.notify ? client : 0
            // Most have no options, which are many bytes to hand on for nothing.
            if options.isEmpty {
                addJob(job, bytes, firstID + UInt64(offset), names, waiter, isInGraph: isInGraph, now)
            } else {
                addJob(
                    job, bytes, firstID + UInt64(offset), names, waiter, isInGraph: isInGraph,
                    options: options[offset], now)
            }
        }
        let size = UInt16(range.count)
        if let unique {
            let use = UniqueKeys.Use(request: firstID, jobs: size, at: now.wall, batch: nextBatch)
            uniqueKeys.record(unique, use, committed: committedBatch)
        }
        if let userKey, let key {
            let use = UserKeys.Use(digest: key.digest, request: firstID, jobs: size, batch: nextBatch)
            userKeys.record(userKey, use, committed: committedBatch)
            let tenant = tenants[tenantIndex(tenantName, at: now)].number
            gathering.keys.append(
                CommitBatch.KeyRow(tenant: tenant, key: userKey.key, digest: key.digest, request: firstID, jobs: size))
        }
        return AcceptedRun(
            sequence: sequence, firstID: JobID(rawValue: firstID), requests: 1, jobsEach: size, repeated: false)
    }

    /// Empty if no job of the request has options.
    private func readOptions(
        _ batch: borrowing SubmitBatch, _ bytes: borrowing RawSpan, _ range: Range<Int>
    ) throws(WireError) -> [JobOptions?] {
        var options: [JobOptions?] = []
        var dependencies = 0
        for index in range where batch.jobs[index].optionsLength > 0 {
            if options.isEmpty { options = [JobOptions?](repeating: nil, count: range.count) }
            let job = batch.jobs[index]
            options[index - range.lowerBound] = try JobOptions(
                reading: bytes, from: Int(job.optionsStart), length: Int(job.optionsLength), index: job.index)
            dependencies += options[index - range.lowerBound]?.after.count ?? 0
            guard dependencies <= Limits.dependenciesInRequest else {
                throw WireError(
                    .tooLarge,
                    "the jobs up to job \(job.index) have \(dependencies) dependencies together, the limit of a request is \(Limits.dependenciesInRequest)"
                )
            }
        }
        return options
    }

    /// What a new job's names and its request are here.
    struct JobNames {
        var kind: Int32
        var tenant: Int32
        var tally = RequestTallies.single
    }

    /// Adds a job without options.
    private mutating func addJob(
        _ job: SubmitJob, _ bytes: borrowing RawSpan, _ id: UInt64, _ names: JobNames, _ waiter: UInt32,
        isInGraph: Bool, _ now: Now
    ) {
        var record = addRow(job, bytes, id, names, hasOptions: false)
        record.queue = queueIndex(names.kind)
        record.waiter = waiter
        if isInGraph { record.flags.insert(.inGraph) }
        makeReady(open(record), at: now)
    }

    mutating func addJob(
        _ job: SubmitJob, _ bytes: borrowing RawSpan, _ id: UInt64, _ names: JobNames, _ waiter: UInt32,
        isInGraph: Bool, options: JobOptions?, _ now: Now
    ) {
        guard let options else { return addJob(job, bytes, id, names, waiter, isInGraph: isInGraph, now) }
        var record = addRow(job, bytes, id, names, hasOptions: true)
        record.queue = queueIndex(names.kind, options.labels.isEmpty ? .none : labelSets.set(of: options.labels))
        record.waiter = waiter
        record.runLimit = options.runLimitMilliseconds ?? 0
        if isInGraph { record.flags.insert(.inGraph) }
        // Its inputs are read from the journal when it is leased, and its payload with them.
        if options.after.contains(where: \.isInput) { record.payloadBatch = 0 }
        let slot = open(record)
        if let affinity = options.affinity { setAffinity(affinity, of: slot) }
        let numbers = options.labels.map { number(.label, $0) }
        gathering.options.append(CommitBatch.OptionsRow(id: id, options: options, labels: numbers))
        if options.after.isEmpty {
            watch(options.deadline, of: slot, at: now)
            schedule(slot, runAt: options.runAt, at: now)
        } else {
            block(slot, runAt: options.runAt, deadline: options.deadline, at: now)
        }
    }

    /// The row of a new job, and its payload, in the commit that gathers.
    private mutating func addRow(
        _ job: SubmitJob, _ bytes: borrowing RawSpan, _ id: UInt64, _ names: JobNames, hasOptions: Bool
    ) -> JobRecord {
        let kind = Int(names.kind)
        let attempts = job.attempts == 0 ? kinds[kind].policy.attempts : job.attempts
        let start = gathering.payloads.buffer.count
        let payload = Int(job.payloadStart)..<Int(job.payloadStart) + Int(job.payloadLength)
        gathering.payloads.buffer.append(bytes.extracting(payload))
        gathering.jobs.append(
            CommitBatch.JobRow(
                id: id,
                opts: JobOpts.pack(
                    index: job.index, count: job.count, priority: job.priority, attempts: attempts,
                    encoding: job.encoding, hasOptions: hasOptions),
                kind: kinds[kind].number, tenant: tenants[names.tenant].number, payloadStart: start,
                payloadLength: payload.count,
                subject: tellsEvents
                    ? CommitBatch.Subject(
                        kind: names.kind, tenant: names.tenant, index: job.index, count: job.count) : nil))
        counts.submitted += 1
        kinds[kind].counts.submitted += 1
        var record = JobRecord()
        record.id = id
        record.payloadBatch = nextBatch
        record.payloadStart = UInt32(start)
        record.payloadLength = job.payloadLength
        record.kind = names.kind
        record.tenant = names.tenant
        record.index = job.index
        record.count = job.count
        record.tally = names.tally
        record.attemptsAllowed = attempts
        record.priority = job.priority
        record.encoding = job.encoding
        return record
    }

    /// Sets the timer of a job's deadline, if it has one.
    mutating func watch(_ deadline: Int64?, of slot: Int32, at now: Now) {
        guard let deadline else { return }
        let due = now.monotonic + (deadline - now.wall) * 1_000
        wake(Timers.Entry(due: due, id: jobs[slot].id, slot: slot, purpose: .deadline))
    }

    /// Puts a job where its time says: delayed, or ready.
    mutating func schedule(_ slot: Int32, runAt: Int64?, at now: Now) {
        let id = jobs[slot].id
        if let runAt, runAt > now.wall {
            jobs[slot].state = .delayed
            wake(Timers.Entry(due: now.monotonic + (runAt - now.wall) * 1_000, id: id, slot: slot, purpose: .ready))
        } else {
            makeReady(slot, at: now)
        }
    }

    // MARK: Answers

    /// Joins an accepted request to the run before it, if it continues it.
    private mutating func extend(_ run: inout AcceptedRun?, with next: AcceptedRun, _ client: UInt32) {
        if let last = run, last.jobsEach == next.jobsEach, last.sequence + UInt64(last.requests) == next.sequence,
            last.firstID.rawValue + UInt64(last.requests) * UInt64(last.jobsEach) == next.firstID.rawValue
        {
            run?.requests += 1
        } else {
            flush(&run, client)
            run = next
        }
    }

    private mutating func flush(_ run: inout AcceptedRun?, _ client: UInt32) {
        guard let done = run, let producer = clients[client]?.producer else { return }
        gathering.accepted.append(CommitBatch.Accepted(client: client, run: done))
        note(done, of: producer)
        run = nil
    }

    /// Remembers a run of sequences, in memory and in the commit.
    private mutating func note(_ run: AcceptedRun, of producer: Producer) {
        producers.record(
            producer,
            Producers.Run(
                sequence: run.sequence, count: UInt64(run.requests), firstID: run.firstID.rawValue,
                jobsEach: UInt64(run.jobsEach), batch: nextBatch))
        gathering.submits.append(
            CommitBatch.SubmitRow(
                producer: producer, sequence: run.sequence, count: run.requests, firstID: run.firstID.rawValue,
                jobsEach: run.jobsEach))
    }

    private mutating func answerRepeat(
        _ sequence: UInt64, _ firstID: UInt64, _ jobsEach: UInt16, _ knownBatch: UInt64, _ client: UInt32,
        _ out: inout Outbox
    ) {
        counts.repeated += 1
        let run = AcceptedRun(
            sequence: sequence, firstID: JobID(rawValue: firstID), requests: 1, jobsEach: jobsEach, repeated: true)
        answer(run, of: knownBatch, client, &out)
    }

    /// A request that stands in the way of a new one; nothing of the new one is recorded.
    private mutating func answerDuplicate(
        _ sequence: UInt64, _ holder: UniqueKeys.Use, _ client: UInt32, _ out: inout Outbox
    ) {
        counts.duplicates += 1
        var run = AcceptedRun(
            sequence: sequence, firstID: JobID(rawValue: holder.request), requests: 1, jobsEach: holder.jobs,
            repeated: false)
        run.duplicate = true
        answer(run, of: holder.batch, client, &out)
    }

    private mutating func answer(_ run: AcceptedRun, of knownBatch: UInt64, _ client: UInt32, _ out: inout Outbox) {
        let answer = CommitBatch.Accepted(client: client, run: run)
        // Acknowledged only once its commit is durable: the next one is later than it.
        if knownBatch <= committedBatch { out.accepted.append(answer) } else { gathering.accepted.append(answer) }
    }

    private mutating func answerKeyed(
        _ sequence: UInt64, _ digest: [UInt8], _ use: UserKeys.Use, _ producer: Producer, _ client: UInt32,
        _ out: inout Outbox
    ) {
        guard use.digest == digest else {
            let error = WireError(.keyConflict, "the user key was used for request \(use.request) with another content")
            refuse(sequence, 1, error, retryAfter: 0, client, &out)
            return
        }
        answerRepeat(sequence, use.request, use.jobs, use.batch, client, &out)
    }

    private mutating func refuse(
        _ sequence: UInt64, _ requests: UInt32, _ error: WireError, retryAfter: UInt32, _ client: UInt32,
        _ out: inout Outbox
    ) {
        let run = RefusedRun(sequence: sequence, requests: requests, error: error, retryAfterMilliseconds: retryAfter)
        if let last = out.refused.last, last.client == client, last.run.isContinued(by: run) {
            out.refused[out.refused.count - 1].run.requests += requests
        } else {
            out.refused.append(Outbox.Refused(client: client, run: run))
        }
    }
}

extension RefusedRun {
    fileprivate func isContinued(by next: RefusedRun) -> Bool {
        sequence + UInt64(requests) == next.sequence && code == next.code && message == next.message
            && retryAfterMilliseconds == next.retryAfterMilliseconds
    }
}
