import StatexProtocol

// Checkpoints: what an attempt would need to go on, recorded for the next one. The core knows that there is one;
// the bytes go to the journal, and come back from it with the next lease.

extension SchedulerCore {
    /// A worker handed checkpoints over. Only the live lease of a job may; one at a time a job, and none while
    /// the next commit is full. The worker then hands over a later one, or this one again.
    package mutating func checkpointsHandedOver(
        _ records: [CheckpointRecord], bytes: borrowing RawSpan, tokensOf: UInt64, worker: Int32, session: UInt32,
        at now: Now
    ) {
        guard let index = workers.index(ofSession: session, at: worker) else { return }
        heard(index, at: now)
        for record in records {
            guard let slot = liveLease(record.id, record.token, tokensOf: tokensOf, of: index) else {
                counts.staleReports += 1
                continue
            }
            guard !jobs[slot].flags.contains(.checkpointing),
                gathering.resultBytes.count <= settings.maxBatchResultBytes
            else { continue }
            jobs[slot].flags.formUnion([.checkpointing, .hasCheckpoint])
            let start = gathering.resultBytes.count
            gathering.resultBytes.append(bytes.extracting(record.start..<record.start + Int(record.length)))
            gathering.checkpoints.append(
                CommitBatch.CheckpointRow(
                    job: record.id.rawValue, token: record.token, start: start, length: Int(record.length),
                    slot: slot, worker: index, session: session))
        }
    }

    /// Checkpoints are durable: their workers may hand over the next ones.
    mutating func checkpointsCommitted(_ rows: [CommitBatch.CheckpointRow], into out: inout Outbox) {
        for row in rows {
            if jobs[row.slot].id == row.job { jobs[row.slot].flags.remove(.checkpointing) }
            out.checkpointed.append(
                Outbox.Token(
                    worker: row.worker, session: row.session, tokensOf: incarnation,
                    record: TokenRecord(JobID(rawValue: row.job), token: row.token)))
        }
    }
}
