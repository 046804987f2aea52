import StatexProtocol

// What running attempts say of themselves, handed on to the clients that follow their jobs. The journal has
// nothing of it, and a worker is asked only for jobs that somebody follows.

extension SchedulerCore {
    /// A client that waits for this job wants to hear how far it is.
    mutating func follow(_ slot: Int32, client: UInt32, into out: inout Outbox) {
        guard followers.add(client, job: jobs[slot].id, atMost: settings.maxWaits) else { return }
        jobs[slot].flags.insert(.followed)
        askToReport(slot, into: &out)
    }

    /// Tells the worker of a job that is followed. One whose lease has not left hears it with its lease.
    mutating func askToReport(_ slot: Int32, into out: inout Outbox) {
        guard jobs[slot].flags.contains(.followed), !jobs[slot].flags.contains(.unclaimed), jobs[slot].token != 0,
            wasSent(jobs[slot].token), workers[jobs[slot].worker].isConnected
        else { return }
        let record = TokenRecord(JobID(rawValue: jobs[slot].id), token: jobs[slot].token)
        out.follows.append(
            Outbox.Token(
                worker: jobs[slot].worker, session: workers[jobs[slot].worker].session, tokensOf: incarnation,
                record: record))
    }

    /// A worker reported how far attempts are. Only the live lease of a job speaks for it.
    ///
    /// - Parameter bytes: the message; texts and pieces are copied from it.
    package mutating func progressReported(
        _ records: [ProgressRecord], bytes: borrowing RawSpan, tokensOf: UInt64, worker: Int32, session: UInt32,
        at now: Now, into out: inout Outbox
    ) {
        guard let index = workers.index(ofSession: session, at: worker) else { return }
        heard(index, at: now)
        for record in records {
            guard let slot = liveLease(record.id, record.token, tokensOf: tokensOf, of: index) else {
                counts.staleReports += 1
                continue
            }
            // What reports has started.
            if jobs[slot].state == .leased { jobs[slot].state = .running }
            guard jobs[slot].flags.contains(.followed) else { continue }
            let start = out.progressBytes.count
            let length = Int(record.textLength) + Int(record.pieceLength)
            out.progressBytes.append(contentsOf: bytes.array(record.textStart..<record.textStart + length))
            var told = record
            told.attempt = jobs[slot].attempt
            told.index = jobs[slot].index
            for client in followers.clients(of: jobs[slot].id) {
                out.progress.append(
                    Outbox.Progress(client: client, record: told, bytes: start..<start + length))
            }
        }
    }

    /// The slot of the job whose live lease this is, held by this worker; nil: there is none.
    mutating func liveLease(_ id: JobID, _ token: UInt64, tokensOf: UInt64, of worker: Int32) -> Int32? {
        guard tokensOf == incarnation, let slot = jobs.slot(of: id.rawValue), jobs[slot].token == token,
            jobs[slot].worker == worker
        else { return nil }
        return slot
    }
}
