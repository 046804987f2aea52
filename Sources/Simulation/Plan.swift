import StatexProtocol
import StatexSchedulerCore

/// One job that a client will submit.
struct JobPlan {
    var work: Work
    var kind: Int
    var priority: UInt8
    var attempts: UInt8
    /// Microseconds after the submit; 0: none.
    var delay: Int64
    var deadline: Int64
    /// 0: none.
    var runLimitMilliseconds: UInt32

    /// It needs no option, but a user key may stand in its place.
    func options(key: [UInt8]?, at wall: Int64) -> JobOptions {
        var options = JobOptions()
        options.userKey = key
        if delay > 0 { options.runAt = wall + delay }
        if deadline > 0 { options.deadline = wall + deadline }
        if runLimitMilliseconds > 0 { options.runLimitMilliseconds = runLimitMilliseconds }
        return options
    }
}

/// One request that a client will submit.
struct RequestPlan {
    var at: Int64
    var jobs: [JobPlan]
    var key: [UInt8]?
    /// When it is cancelled; 0: never.
    var cancelAt: Int64

    func write(to writer: inout SubmitWriter, at wall: Int64) {
        for (index, job) in jobs.enumerated() {
            let options = job.options(key: index == 0 ? key : nil, at: wall)
            var bytes = ByteBuffer(capacity: 64)
            options.write(to: &bytes)
            let record = SubmitJob(
                kind: writer.number(of: World.kinds[job.kind]), tenant: writer.number(of: "tenant"),
                index: UInt16(index), count: UInt16(jobs.count), priority: job.priority, attempts: job.attempts)
            writer.append(record, options: bytes.bytes, payload: job.work.payload.span.bytes)
        }
    }
}

/// What a seed decides before the run: sizes, speeds, which faults there are and how often.
struct SimulationOptions {
    var workers: Int
    var slots: Int
    var clients: Int
    var requests: Int
    var faultsUntil: Int64
    var faultsEvery: Int64
    /// Which faults of the list this run has: each seed tries a part, so that every mix comes up.
    var faults: UInt64
    var leaseNanoseconds: Int64
    var graceNanoseconds: Int64
    var retryNanoseconds: Int64
    var maxOpenJobs: Int
    var cachedCommits: Int
    /// Where in its page the first id stands.
    var firstOffset: UInt64
    /// Microseconds from the start to the next full hour.
    var untilHour: Int64

    init(drawnFrom random: inout SeededGenerator) {
        workers = 1 + random.below(3)
        slots = 1 + random.below(3)
        clients = 1 + random.below(2)
        requests = 2 + random.below(9)
        faultsUntil = random.within(5_000_000_000...20_000_000_000)
        faultsEvery = random.within(300_000_000...3_000_000_000)
        faults = random.next() & random.next()
        leaseNanoseconds = random.within(4_000_000_000...10_000_000_000)
        graceNanoseconds = random.within(500_000_000...2_000_000_000)
        retryNanoseconds = random.within(50_000_000...1_000_000_000)
        // A message is admitted as a whole: the largest must fit.
        maxOpenJobs = random.happens(oneIn: 4) ? 40 : 1_000
        cachedCommits = random.below(4)
        firstOffset = 4_096 - UInt64(random.below(24))
        untilHour = random.happens(oneIn: 2) ? random.within(1_000_000...20_000_000) : 1_800_000_000
    }

    /// The requests of all clients.
    func plans(from random: inout SeededGenerator) -> [[RequestPlan]] {
        // Bursts, so that there is something to hit.
        let bursts = (0..<3).map { _ in random.within(0...faultsUntil) }
        return (0..<clients).map { _ in
            (0..<requests).map { _ in
                let time = random.happens(oneIn: 3) ? random.within(0...faultsUntil) : bursts[random.below(3)]
                return plan(at: time, &random)
            }.sorted { $0.at < $1.at }
        }
    }

    private func plan(at: Int64, _ random: inout SeededGenerator) -> RequestPlan {
        let size = random.happens(oneIn: 4) ? 2 + random.below(12) : 1
        var key: [UInt8]?
        if random.happens(oneIn: 4) { key = [UInt8(random.below(4))] }
        // The same key means the same content, mostly.
        var jobs = key.map { keyed($0[0], conflicts: random.happens(oneIn: 8)) } ?? []
        if key == nil { jobs = (0..<size).map { _ in job(&random) } }
        let cancelAt = random.happens(oneIn: 5) ? at + random.within(0...4_000_000_000) : 0
        return RequestPlan(at: at, jobs: jobs, key: key, cancelAt: cancelAt)
    }

    private func keyed(_ key: UInt8, conflicts: Bool) -> [JobPlan] {
        let work = Work(.succeeds, milliseconds: UInt32(key) + (conflicts ? 100 : 1))
        return [
            JobPlan(
                work: work, kind: 0, priority: 5, attempts: 3, delay: 0, deadline: 0, runLimitMilliseconds: 0)
        ]
    }

    private func job(_ random: inout SeededGenerator) -> JobPlan {
        let behaviour: Work.Behaviour =
            switch random.below(20) {
            case 0: .fails
            case 1: .failsForGood
            case 2...4: .failsOnce
            case 5: random.happens(oneIn: 3) ? .kills : .succeeds
            case 6: .hangs
            case 7: .ignoresStops
            default: .succeeds
            }
        let milliseconds = random.happens(oneIn: 4) ? random.within(100...4_000) : random.within(0...100)
        let isBounded = behaviour == .hangs || random.happens(oneIn: 6)
        return JobPlan(
            work: Work(behaviour, milliseconds: UInt32(milliseconds)), kind: random.below(World.kinds.count),
            priority: UInt8(random.below(Limits.priorities)), attempts: UInt8(1 + random.below(3)),
            delay: random.happens(oneIn: 6) ? random.within(100_000...5_000_000) : 0,
            deadline: random.happens(oneIn: 6) ? random.within(100_000...10_000_000) : 0,
            runLimitMilliseconds: isBounded ? UInt32(random.within(200...2_000)) : 0)
    }
}
