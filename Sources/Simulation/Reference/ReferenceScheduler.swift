import StatexProtocol
import StatexSchedulerCore

/// A naive scheduler: one job at a time, no batches, no queues, no prefetch. It decides nothing; it says of each
/// thing that was decided whether it may be, from what its owner knew then.
///
/// It is written from the contract and not from the core: where the two differ, one of them is wrong. Times
/// are those of the deciding process' own clock.
struct ReferenceScheduler {
    struct Job {
        var attempts: Int
        var failures = 0
        /// Worker incarnations that it was lost with.
        var lostWith: Set<WorkerID> = []
        var lease: Lease?
        var final: JobState?
        var isCancelled = false
        /// The jobs that it waits for, and whether it fails with them.
        var after: [(id: UInt64, fails: Bool)] = []
        /// It may start then; on the wall for who takes over, and by the clock of who decided it.
        var readyAtWall: Int64 = 0
        var readyAt: Int64 = 0
        /// It is due by then for sure.
        var dueBy: Int64 = 0
        /// It may be due later than that.
        var isDueUnsure = false
        var deadlineAtWall: Int64?
        var deadlineAt: Int64?
    }

    struct Lease {
        var token: UInt64
        var worker: WorkerID
        /// When it was decided; before everything, if by an owner before.
        var since = Int64.min
    }

    struct Worker {
        var lastHeard: Int64
        var disconnectedAt: Int64?
        /// It said goodbye.
        var leftAt: Int64?
        /// Its last HELLO: what it does not claim after that may be given back.
        var joinedAt: Int64
        /// What it said since that it holds.
        var held: Set<UInt64> = []
        /// The last HELLO before which it had been silent so long that it may have been given up.
        var givenUpAt = Int64.min
    }

    /// When things were decided, and the wall's time at the end of that.
    struct Moment {
        var decided: ClosedRange<Int64>
        var wall: Int64
        /// The wall's clock was stepped in between: what is due by it cannot be told.
        var isWallUnsure: Bool
        /// How many jobs were lost with each worker, by its number.
        var lost: [UInt32: Int] = [:]
    }

    let leaseTime: Int64
    let grace: Int64
    /// The longest backoffs that any configuration has.
    let retry: RetryPolicy
    private(set) var jobs: [UInt64: Job] = [:]
    private var workers: [WorkerID: Worker] = [:]
    private(set) var workerOfNumber: [UInt32: WorkerID] = [:]
    private var servesSince: Int64 = 0
    /// Leases that left a scheduler, by their tokens.
    private var left: Set<UInt64> = []
    /// What workers said of how their attempts ended.
    private var reported: [UInt64: Ending] = [:]

    /// A retry's time is written as seconds in 4 bytes.
    private static let rounding: Int64 = 1_000_000

    init(_ settings: CoreSettings) {
        leaseTime = settings.leaseNanoseconds
        grace = settings.graceNanoseconds
        retry = settings.policies.otherKinds.retry
    }

    // MARK: What is known

    /// A new owner: it knows no worker, and reads times from the wall.
    mutating func tookOver(at now: Now) {
        workers = [:]
        servesSince = now.monotonic
        jobs = jobs.mapValues { job in
            var job = job
            job.lease?.since = .min
            job.readyAt = now.monotonic + (job.readyAtWall - now.wall) * 1_000
            job.dueBy = job.readyAt + Self.rounding
            job.isDueUnsure = false
            job.deadlineAt = job.deadlineAtWall.map { now.monotonic + ($0 - now.wall) * 1_000 }
            job.forgetDueIfBlocked()
            return job
        }
    }

    mutating func heard(_ worker: WorkerID, _ what: Contact, at time: Int64) {
        switch what {
        case .joined:
            let wasGivenUp = notLost(worker, from: time, to: time) == nil
            let givenUpAt = wasGivenUp ? time : workers[worker]?.givenUpAt ?? .min
            workers[worker] = Worker(lastHeard: time, joinedAt: time, givenUpAt: givenUpAt)
        case .offers: break
        case .spoke: workers[worker]?.lastHeard = time
        case .holds(let tokens): workers[worker]?.held.formUnion(tokens)
        case .disconnected: workers[worker]?.disconnectedAt = time
        case .left: workers[worker]?.leftAt = time
        }
    }

    mutating func left(_ token: UInt64) { left.insert(token) }

    mutating func reported(_ token: UInt64, _ ending: Ending) { reported[token] = ending }

    mutating func named(_ number: UInt32, _ worker: WorkerID) { workerOfNumber[number] = worker }

    /// The jobs that wait for nothing but a slot, since then.
    func ready(before time: Int64) -> [UInt64] {
        jobs.filter { _, job in
            job.final == nil && job.lease == nil && !job.isCancelled && job.readyAt <= time && !job.isDueUnsure
                && waitsFor(job) == nil
        }.map(\.key)
    }

    // MARK: What was decided

    mutating func submitted(
        _ id: UInt64, index: UInt16, attempts: Int, _ options: JobOptions?, at moment: Moment
    ) {
        var job = Job(attempts: attempts)
        func due(_ wall: Int64) -> Int64 { moment.decided.lowerBound + (wall - moment.wall) * 1_000 }
        if let runAt = options?.runAt {
            job.readyAtWall = runAt
            job.readyAt = moment.isWallUnsure ? 0 : due(runAt)
            job.dueBy = due(runAt) + moment.length + Self.rounding
            job.isDueUnsure = moment.isWallUnsure
        }
        if let deadline = options?.deadline {
            job.deadlineAtWall = deadline
            if !moment.isWallUnsure { job.deadlineAt = due(deadline) + moment.length }
        }
        let request = id - UInt64(index)
        job.after = options?.after.map { (request + UInt64($0.index), $0.failsDependant) } ?? []
        job.forgetDueIfBlocked()
        jobs[id] = job
    }

    func parents(of id: UInt64) -> [UInt64] { jobs[id]?.after.map(\.id) ?? [] }

    /// A job that this one waits for still.
    func waitsFor(_ job: Job) -> UInt64? {
        job.after.first { jobs[$0.id]?.final != .succeeded }?.id
    }

    /// What becomes of a job because of those that it waited for: the first that did not succeed says it.
    private func endsWith(_ job: Job, as final: JobState) -> Bool {
        job.after.contains { parent in
            guard let end = jobs[parent.id]?.final, end != .succeeded else { return false }
            return final == (parent.fails ? .failed : .cancelled)
        }
    }

    mutating func cancelled(_ id: UInt64) { jobs[id]?.isCancelled = true }

    /// - Returns: why it may not be.
    mutating func leased(_ row: CommitBatch.LeaseRow, at moment: Moment) -> String? {
        guard let job = jobs[row.id], let worker = workerOfNumber[row.worker] else {
            return "there is no such job or worker"
        }
        if job.final != nil { return "it is final" }
        if job.lease != nil { return "it is leased already" }
        if job.isCancelled { return "it is cancelled" }
        if let parent = waitsFor(job) { return "it waits for job \(parent)" }
        if moment.decided.upperBound < job.readyAt - Self.rounding {
            return "it is due \((job.readyAt - moment.decided.upperBound) / 1_000) µs later"
        }
        if let deadline = job.deadlineAt, moment.decided.lowerBound > deadline + Self.rounding {
            return "its deadline passed \((moment.decided.lowerBound - deadline) / 1_000) µs before"
        }
        let attempt = job.failures + job.lostWith.count + 1
        if Int(row.attempt) != attempt { return "it is attempt \(attempt), not \(row.attempt)" }
        guard let known = workers[worker] else { return "its worker never said HELLO to this owner" }
        if let left = known.leftAt, left < moment.decided.lowerBound { return "its worker said goodbye" }
        jobs[row.id]?.lease = Lease(token: row.token, worker: worker, since: moment.decided.lowerBound)
        // It was due; whatever the clock on the wall says later.
        jobs[row.id]?.readyAt = 0
        jobs[row.id]?.isDueUnsure = false
        jobs[row.id]?.readyAtWall = 0
        return nil
    }

    /// - Returns: why it may not be.
    mutating func ended(_ row: CommitBatch.OutcomeRow, at moment: Moment) -> String? {
        guard let job = jobs[row.id] else { return "there is no such job" }
        if job.final != nil { return "it is final already" }
        let why = row.token == 0 ? unleasedEnd(row, job, moment) : leasedEnd(row, job, moment)
        if let why { return why }
        jobs[row.id]?.lease = nil
        jobs[row.id]?.final = row.final
        return nil
    }

    private func unleasedEnd(_ row: CommitBatch.OutcomeRow, _ job: Job, _ moment: Moment) -> String? {
        if job.lease != nil { return "its lease is open" }
        if let final = row.final, endsWith(job, as: final) { return nil }
        switch row.final {
        case .cancelled: return job.isCancelled ? nil : "nobody cancelled it"
        case .expired: return expiry(job, moment)
        case nil, .blocked, .delayed, .queued, .leased, .running, .succeeded, .failed, .dead:
            return "it ended as \(String(describing: row.final)) without a lease"
        }
    }

    private mutating func leasedEnd(_ row: CommitBatch.OutcomeRow, _ job: Job, _ moment: Moment) -> String? {
        guard let lease = job.lease, lease.token == row.token else { return "token \(row.token) is stale" }
        let said = reported[row.token]
        switch row.ending {
        case .succeeded:
            if said != .succeeded { return "its worker did not report that it succeeded" }
            return row.final == .succeeded ? nil : "it succeeded and is not final"
        case .failed:
            if said != .failed { return "its worker did not report that it failed" }
            return failed(row, job, moment)
        case .lost:
            if let why = notLost(lease.worker, from: moment.decided.lowerBound, to: moment.decided.upperBound) {
                return why
            }
            jobs[row.id]?.lostWith.insert(lease.worker)
            let losses = job.lostWith.union([lease.worker]).count
            let most = moment.lost[row.lease.worker] == 1 ? Limits.losses : Limits.lossesBesideOthers
            return judge(
                row.final, job, moment, else: losses >= most && losses > job.lostWith.count ? .dead : nil)
        case .returned, .cancelled, .expired:
            let isBack = said == .returned || said == .cancelled
            if !isBack, !mayBeReclaimed(lease, row, moment) { return "its worker did not give it back" }
            return judge(row.final, job, moment, else: nil)
        }
    }

    private mutating func failed(_ row: CommitBatch.OutcomeRow, _ job: Job, _ moment: Moment) -> String? {
        let failures = job.failures + 1
        jobs[row.id]?.failures = failures
        guard row.final == nil else {
            // Failed for good is the handler's to say.
            if row.final == .failed { return nil }
            return judge(row.final, job, moment, else: failures >= job.attempts ? .dead : nil)
        }
        if failures >= job.attempts { return "it failed \(failures) times and may \(job.attempts)" }
        let most = min(retry.maximumNanoseconds, retry.baseNanoseconds << Int64(failures - 1))
        let delay = Int64(Double(row.retry) * 1e9)
        if delay < 0 || delay > most + most / 1_000 + Self.rounding { return "it is tried again after \(delay) ns" }
        isTriedAgain(row.id, after: delay, moment)
        return nil
    }

    private mutating func isTriedAgain(_ id: UInt64, after delay: Int64, _ moment: Moment) {
        jobs[id]?.readyAt = moment.decided.lowerBound + delay - delay / 1_000_000
        jobs[id]?.dueBy = moment.decided.upperBound + delay + delay / 1_000_000 + Self.rounding
        jobs[id]?.readyAtWall = moment.wall + delay / 1_000
    }

    /// What a job that was to stop may end as, else what the attempt makes of it.
    private func judge(_ final: JobState?, _ job: Job, _ moment: Moment, else expected: JobState?) -> String? {
        switch final {
        case .cancelled: return job.isCancelled ? nil : "nobody cancelled it"
        case .expired: return expiry(job, moment)
        case expected: return job.isCancelled ? "it was cancelled and goes on" : nil
        default: return "it is \(final.map(\.name) ?? "open"), not \(expected.map(\.name) ?? "open")"
        }
    }

    private func expiry(_ job: Job, _ moment: Moment) -> String? {
        guard job.deadlineAtWall != nil else { return "it has no deadline" }
        guard let deadline = job.deadlineAt else { return nil }
        let isDue = moment.decided.upperBound >= deadline - moment.length - Self.rounding
        return isDue ? nil : "its deadline is \((deadline - moment.decided.upperBound) / 1_000) µs later"
    }

    /// - Returns: why its worker may not be given up in that time.
    private func notLost(_ worker: WorkerID, from start: Int64, to end: Int64) -> String? {
        guard let known = workers[worker] else {
            return end - servesSince >= leaseTime ? nil : "its worker had no full lease time to return in"
        }
        if known.leftAt != nil { return nil }
        if known.givenUpAt >= start { return nil }
        if end - known.lastHeard >= leaseTime { return nil }
        if let closed = known.disconnectedAt, end - closed >= grace { return nil }
        return "its worker spoke \((end - known.lastHeard) / 1_000) µs before"
    }

    /// A lease that did not leave, or did not reach its worker.
    private func mayBeReclaimed(_ lease: Lease, _ row: CommitBatch.OutcomeRow, _ moment: Moment) -> Bool {
        if !left.contains(lease.token) { return true }
        if let worker = workers[lease.worker], worker.joinedAt >= lease.since, !worker.held.contains(lease.token) {
            return true
        }
        if row.final == .cancelled || row.final == .expired { return true }
        return notLost(lease.worker, from: moment.decided.lowerBound, to: moment.decided.upperBound) == nil
    }
}

extension ReferenceScheduler {
    /// What was judged before, or is not to be judged: only what follows from it counts.
    mutating func replayed(_ row: CommitBatch.LeaseRow) {
        guard let worker = workerOfNumber[row.worker] else { return }
        jobs[row.id]?.lease = Lease(token: row.token, worker: worker)
        jobs[row.id]?.readyAtWall = 0
    }

    /// The decisions that this one saw are durable.
    mutating func adopt(_ decided: ReferenceScheduler) {
        jobs = decided.jobs
        workerOfNumber = decided.workerOfNumber
    }

    mutating func replayed(_ row: CommitBatch.OutcomeRow, at moment: Moment) {
        if row.ending == .failed { jobs[row.id]?.failures += 1 }
        if row.ending == .lost, let lease = jobs[row.id]?.lease { jobs[row.id]?.lostWith.insert(lease.worker) }
        if row.retry >= 0 { isTriedAgain(row.id, after: Int64(Double(row.retry) * 1e9), moment) }
        jobs[row.id]?.lease = nil
        jobs[row.id]?.final = row.final
    }
}

extension ReferenceScheduler.Job {
    /// Whoever waits for others looks at the wall again when they have ended.
    fileprivate mutating func forgetDueIfBlocked() {
        guard !after.isEmpty, failures == 0, readyAtWall > 0 else { return }
        readyAt = 0
        isDueUnsure = true
    }
}

extension ReferenceScheduler.Moment {
    var length: Int64 { decided.upperBound - decided.lowerBound }
}
