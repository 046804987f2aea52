import StatexProtocol

// Clients ask how jobs stand, and maybe wait for their end. One message may ask for millions of jobs, so the answers
// are made in slices: a few thousand jobs at once, and no more while the client has not taken those before.

extension SchedulerCore {
    /// Jobs that are looked at in one go.
    private static var slice: Int { 4_096 }
    /// Jobs that the journal is asked for at once. Their results may have 64 KiB each, and whatever else is read
    /// waits behind them: 128 of a page of 4,096 chunks take 30 ms, of as many such pages half a second.
    private static var lookups: Int { 128 }

    /// A client asks how jobs stand, and maybe waits for their end. `answerQuestions` has the answers.
    /// - Returns: false if too many of its questions have no answer yet; then none of these was taken.
    package mutating func awaited(_ records: [AwaitRecord], client: UInt32) -> Bool {
        questions.add(records, of: client)
    }

    /// Whether there are questions to answer now.
    package var hasQuestions: Bool { !questions.isEmpty && lookupsUnderway < Self.lookups }

    /// Answers the next questions.
    ///
    /// - Parameter isFull: whether a client has not taken its last answers.
    package mutating func answerQuestions(unless isFull: (UInt32) -> Bool = { _ in false }, into out: inout Outbox) {
        var room = Self.slice
        for _ in 0..<questions.askers where room > 0 {
            guard hasQuestions, let client = questions.asker else { return }
            if !isFull(client) { answer(client, &room, into: &out) }
            questions.passTurn()
        }
    }

    private mutating func answer(_ client: UInt32, _ room: inout Int, into out: inout Outbox) {
        while room > 0, lookupsUnderway < Self.lookups, let record = questions.next(of: client) {
            room -= 1
            guard record.isRequest else {
                awaitJob(record, client, &out)
                continue
            }
            guard let slot = jobs.slot(of: record.id.rawValue), jobs[slot].index == 0 else {
                // Its first job is final, or it is none of ours: the journal knows how many jobs it has.
                lookUp(record, client, &out)
                continue
            }
            questions.add(jobsFrom: 0, to: Int(jobs[slot].count), like: record, of: client)
        }
    }

    private mutating func awaitJob(_ record: AwaitRecord, _ client: UInt32, _ out: inout Outbox) {
        guard let slot = jobs.slot(of: record.id.rawValue) else { return lookUp(record, client, &out) }
        if record.waits, addWait(client, slot) {
            if record.follows { follow(slot, client: client, into: &out) }
            return
        }
        var result = resultRecord(slot)
        // Final but not yet durable: still open for everybody else.
        if jobs[slot].state.isFinal { result.state = .running }
        out.finals.append(Outbox.Final(client: client, record: result, result: -1, kind: jobs[slot].kind))
    }

    private mutating func lookUp(_ record: AwaitRecord, _ client: UInt32, _ out: inout Outbox) {
        lookupsUnderway += 1
        out.resultLookups.append(Outbox.ResultLookup(client: client, record: record))
    }

    /// The journal answered about a job that memory does not know. A request's other jobs are asked for in turn.
    package mutating func lookedUp(_ lookup: Outbox.ResultLookup, _ found: ResultRecord) {
        lookupsUnderway -= 1
        guard lookup.record.isRequest, found.state != nil, found.index == 0, clients[lookup.client] != nil else {
            return
        }
        questions.add(jobsFrom: 1, to: Int(found.count), like: lookup.record, of: lookup.client)
    }

    /// - Returns: false if the client waits for too many jobs already: then it hears how this one stands now.
    private mutating func addWait(_ client: UInt32, _ slot: Int32) -> Bool {
        if jobs[slot].waiter == client { return true }
        if jobs[slot].waiter == 0 || clients[jobs[slot].waiter] == nil {
            jobs[slot].waiter = client
            return true
        }
        guard waits.add(client, job: jobs[slot].id, atMost: settings.maxWaits) else { return false }
        jobs[slot].flags.insert(.hasMoreWaits)
        return true
    }

    func resultRecord(_ slot: Int32) -> ResultRecord {
        let job = jobs[slot]
        var record = ResultRecord(id: JobID(rawValue: job.id), index: job.index, count: job.count, state: job.state)
        // The lease of a success is over before that is durable, and counts.
        let hasAttempt = job.token != 0 || job.state == .succeeded
        record.attempts = UInt16(job.failures) + UInt16(job.losses) + (hasAttempt ? 1 : 0)
        record.losses = UInt16(job.losses)
        return record
    }
}
