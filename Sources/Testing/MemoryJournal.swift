import StatexProtocol
import StatexSchedulerCore

/// What the journal is to a scheduler, in dictionaries: it takes commits and answers look-ups. A job's rows
/// are kept for good: there is no retention.
struct MemoryJournal {
    private struct Job {
        let opts: UInt64
        let kind: UInt32
        let tenant: UInt32
        let payload: [UInt8]
        /// Jobs of its request whose results it takes.
        var inputs: [UInt16] = []
        var trace: TraceContext?
        var attempts: UInt16 = 0
        var losses: UInt16 = 0
        /// nil: open.
        var final: JobState?
        /// Microseconds since 1970.
        var ended: Int64 = 0
        var encoding = Encoding.bytes
        var body: [UInt8] = []
    }

    private var names: [UInt32: String] = [:]
    private var jobs: [UInt64: Job] = [:]
    /// How leases ended, by their tokens.
    private var outcomes: [UInt64: Ending] = [:]
    /// The latest of each job.
    private var checkpoints: [UInt64: [UInt8]] = [:]
    private var keys: [UserKeys.Key: UserKeys.Use] = [:]
    private var uniqueKeys: [UniqueKeys.Key: UniqueKeys.Use] = [:]

    mutating func append(_ batch: CommitBatch) {
        for row in batch.names { names[row.number] = row.name }
        for row in batch.jobs {
            let payload = batch.payloads.buffer.array(row.payloadStart..<row.payloadStart + row.payloadLength)
            jobs[row.id] = Job(opts: row.opts, kind: row.kind, tenant: row.tenant, payload: payload)
        }
        for row in batch.options {
            jobs[row.id]?.inputs = row.options.after.filter(\.isInput).map(\.index)
            jobs[row.id]?.trace = row.options.traceparent
            guard let rule = row.options.unique, let job = jobs[row.id] else { continue }
            let key = UniqueKeys.Key(tenant: names[job.tenant] ?? "", kind: names[job.kind] ?? "", rule: rule)
            uniqueKeys[key] = UniqueKeys.Use(
                request: row.id, jobs: JobOpts.count(job.opts), at: batch.head.at, batch: batch.head.batch)
        }
        for row in batch.keys {
            let key = UserKeys.Key(tenant: names[row.tenant] ?? "", key: row.key)
            keys[key] = UserKeys.Use(
                digest: row.digest, request: row.request, jobs: row.jobs, batch: batch.head.batch)
        }
        for row in batch.leases { jobs[row.id]?.attempts = row.attempt }
        for row in batch.checkpoints {
            checkpoints[row.job] = batch.resultBytes.array(row.start..<row.start + row.length)
        }
        for row in batch.outcomes { append(row, of: batch) }
    }

    private mutating func append(_ row: CommitBatch.OutcomeRow, of batch: CommitBatch) {
        outcomes[row.token] = row.ending
        if row.ending == .lost { jobs[row.id]?.losses += 1 }
        guard let final = row.final else { return }
        checkpoints[row.id] = nil
        jobs[row.id]?.final = final
        jobs[row.id]?.ended = batch.head.at - Int64(row.ended * 1_000_000)
        guard row.result >= 0 else { return }
        let result = batch.results[Int(row.result)]
        jobs[row.id]?.encoding = Encoding(rawValue: result.encoding) ?? .bytes
        jobs[row.id]?.body = batch.resultBytes.array(result.start..<result.start + result.length)
    }

    func payload(of id: UInt64) -> [UInt8] { jobs[id]?.payload ?? [] }

    func checkpoint(of id: UInt64) -> [UInt8]? { checkpoints[id] }

    func trace(of id: UInt64) -> TraceContext? { jobs[id]?.trace }

    func inputs(of id: UInt64) -> [LeaseInput] {
        guard let job = jobs[id] else { return [] }
        let request = id - UInt64(JobOpts.index(job.opts))
        return job.inputs.map { index in
            let from = jobs[request + UInt64(index)]
            return LeaseInput(index: index, encoding: from?.encoding ?? .bytes, body: from?.body ?? [])
        }
    }

    func ending(ofLease token: UInt64) -> Ending? { outcomes[token] }

    func use(of key: UserKeys.Key) -> UserKeys.Use? { keys[key] }

    func use(of key: UniqueKeys.Key) -> UniqueKeys.Use? { uniqueKeys[key] }

    /// How a job stands; its state is nil if it is not known.
    func result(of id: JobID) -> (record: ResultRecord, kind: String, body: [UInt8]) {
        guard let job = jobs[id.rawValue] else { return (ResultRecord(id: id, count: 0, state: nil), "", []) }
        var record = ResultRecord(
            id: id, index: JobOpts.index(job.opts), count: JobOpts.count(job.opts), state: job.final ?? .running)
        record.attempts = job.attempts
        record.losses = job.losses
        record.ended = job.ended
        record.encoding = job.encoding
        record.bodyLength = UInt32(job.body.count)
        return (record, names[job.kind] ?? "", job.body)
    }
}

extension ByteBuffer {
    /// A copy of a part of what was written.
    func array(_ range: Range<Int>) -> [UInt8] { bytes.array(range) }
}
