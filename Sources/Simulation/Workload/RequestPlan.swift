import StatexProtocol
import StatexSchedulerCore

/// One job that a client will submit.
struct JobPlan {
    var work: Work
    var kind = 0
    var tenant = 0
    var priority: UInt8 = 5
    var attempts: UInt8 = 3
    /// What a topic asks for beside the times below.
    var options = JobOptions()
    /// Microseconds after the submit; 0: none.
    var delay: Int64 = 0
    var deadline: Int64 = 0

    /// Times are written when it is submitted.
    func options(key: [UInt8]?, at wall: Int64) -> JobOptions {
        var options = options
        options.userKey = key
        if delay > 0 { options.runAt = wall + delay }
        if deadline > 0 { options.deadline = wall + deadline }
        return options
    }

    /// How long it may keep a slot in all, in nanoseconds: each attempt, and some that are lost.
    var mostNanoseconds: Int64 {
        let once = max(Int64(work.milliseconds), Int64(options.runLimitMilliseconds ?? 0))
        return (Int64(attempts) + 3) * once * 1_000_000
    }
}

/// One request that a client will submit.
struct RequestPlan {
    /// When it is submitted.
    var at: Int64
    var jobs: [JobPlan]
    var key: [UInt8]?
    /// Its client wants to hear how far its jobs are.
    var follows = false
    /// When it is cancelled; 0: never.
    var cancelAt: Int64 = 0

    func write(to writer: inout SubmitWriter, at wall: Int64) {
        for (index, job) in jobs.enumerated() {
            let options = job.options(key: index == 0 ? key : nil, at: wall)
            var bytes = ByteBuffer(capacity: 64)
            options.write(to: &bytes)
            let record = SubmitJob(
                kind: writer.number(of: SimulationOptions.kinds[job.kind]),
                tenant: writer.number(of: "tenant \(job.tenant)"), index: UInt16(index), count: UInt16(jobs.count),
                priority: job.priority, attempts: job.attempts)
            writer.append(record, options: bytes.bytes, payload: job.work.payload.span.bytes)
        }
    }
}
