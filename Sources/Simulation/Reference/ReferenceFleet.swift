import StatexProtocol
import StatexSchedulerCore

/// What an owner knows of its workers, by what it heard and by the rows that it wrote: who is there, how much each
/// takes, what failed in whom, and when jobs of a kind or a tenant were started.
///
/// It knows no policy of the core; it answers whether what the core says can be.
struct ReferenceFleet {
    struct Worker {
        var slots: Int
        var credit = 0
        /// It came, and its first CREDIT did not yet.
        var isResuming = true
        var isConnected = true
        var isDraining = false
        /// Its leases end then, if it is not heard before.
        var deadline: Int64
        var labels: [String] = []
        var resources: [ResourceAmount] = []
        var kinds: Set<String> = []
        /// Failures in a row, by kind.
        var failures: [UInt32: Int] = [:]
    }

    /// When jobs of one kind or one tenant were started.
    struct Starts {
        struct Start {
            var token: UInt64
            var decided: ClosedRange<Int64>
            /// It came back unstarted: it counts for nothing any more.
            var isUndone = false
        }
        /// Nobody knows what was started before: the bucket is empty then.
        var since: Int64
        var all: [Start] = []
    }

    private(set) var workers: [WorkerID: Worker] = [:]
    private(set) var startsOfKind: [UInt32: Starts] = [:]
    private(set) var startsOfTenant: [UInt32: Starts] = [:]
    /// Failures in a row of a kind, wherever.
    private(set) var failures: [UInt32: Int] = [:]
    /// How many attempts of a kind failed and are tried again.
    private(set) var retries: [UInt32: Int] = [:]
    private let leaseTime: Int64
    private let grace: Int64
    private(set) var servesSince: Int64 = 0
    /// What every worker says of itself in its HELLO.
    private var said: [WorkerID: Hello] = [:]
    private(set) var paused: Set<String> = []
    private var drained: Set<WorkerID> = []

    init(_ settings: CoreSettings) {
        leaseTime = settings.leaseNanoseconds
        grace = settings.graceNanoseconds
    }

    // MARK: What it hears

    mutating func tookOver(at time: Int64) {
        workers = [:]
        startsOfKind = [:]
        startsOfTenant = [:]
        failures = [:]
        retries = [:]
        servesSince = time
    }

    /// Rates may be others from now on; a bucket that is new is empty at the worst, and never fuller than a burst.
    mutating func configured(at time: Int64) {
        startsOfKind = startsOfKind.mapValues { _ in Starts(since: time) }
        startsOfTenant = startsOfTenant.mapValues { _ in Starts(since: time) }
    }

    mutating func saidHello(_ hello: Hello) { said[hello.incarnation] = hello }

    mutating func heard(_ worker: WorkerID, _ what: Contact, at time: Int64) {
        switch what {
        case .joined(let slots):
            var record = Worker(slots: slots, deadline: time + leaseTime)
            record.failures = workers[worker]?.failures ?? [:]
            record.isDraining = drained.contains(worker)
            record.labels = said[worker]?.labels ?? []
            record.resources = said[worker]?.resources ?? []
            record.kinds = Set((said[worker]?.kinds ?? []).filter { $0.unavailable.isEmpty }.map(\.name))
            workers[worker] = record
        case .spoke: workers[worker]?.deadline = time + leaseTime
        case .offers(let credit, let isCredit):
            guard let known = workers[worker], isCredit || !known.isResuming else { return }
            workers[worker]?.credit = credit
            workers[worker]?.isResuming = false
        case .holds: break
        case .disconnected:
            guard let known = workers[worker] else { return }
            workers[worker]?.isConnected = false
            workers[worker]?.deadline = min(known.deadline, time + grace)
        case .left: workers[worker] = nil
        }
    }

    /// Gives up who was silent for too long.
    mutating func tick(at time: Int64) { workers = workers.filter { $0.value.deadline > time } }

    // MARK: What was decided

    /// An operator's order, in the words of its row.
    mutating func ordered(_ row: CommitBatch.ActionRow) {
        switch row.action {
        case "pause": if let filter = row.filter { paused.insert(filter) }
        case "resume": if let filter = row.filter { paused.remove(filter) }
        case "drain":
            drained.formUnion(row.ids)
            for worker in row.ids { workers[worker]?.isDraining = true }
        default: break
        }
    }

    mutating func forgetOrders() {
        paused = []
        drained = []
    }

    mutating func leased(
        _ token: UInt64, kind: UInt32, tenant: UInt32, decided: ClosedRange<Int64>, isUndone: Bool = false
    ) {
        let start = Starts.Start(token: token, decided: decided, isUndone: isUndone)
        startsOfKind[kind, default: Starts(since: servesSince)].all.append(start)
        startsOfTenant[tenant, default: Starts(since: servesSince)].all.append(start)
    }

    mutating func ended(_ row: CommitBatch.OutcomeRow, kind: UInt32, tenant: UInt32, worker: WorkerID?) {
        switch row.ending {
        case .succeeded:
            failures[kind] = 0
            if let worker { workers[worker]?.failures[kind] = 0 }
        case .failed:
            failures[kind, default: 0] += 1
            if let worker { workers[worker]?.failures[kind, default: 0] += 1 }
            if row.final == nil { retries[kind, default: 0] += 1 }
        case .returned, .cancelled, .expired:
            guard row.token != 0, row.started <= row.ended else { return }
            startsOfKind[kind]?.undo(row.token)
            startsOfTenant[tenant]?.undo(row.token)
        case .lost: break
        }
    }

    mutating func knows(kind: UInt32, at time: Int64) {
        if startsOfKind[kind] == nil { startsOfKind[kind] = Starts(since: time) }
    }

    mutating func knows(tenant: UInt32, at time: Int64) {
        if startsOfTenant[tenant] == nil { startsOfTenant[tenant] = Starts(since: time) }
    }
}

extension ReferenceFleet.Starts {
    mutating func undo(_ token: UInt64) {
        guard let index = all.lastIndex(where: { $0.token == token }) else { return }
        all[index].isUndone = true
    }

    /// The soonest time of the next start, if everything counts that may: no run of starts, nor one that begins
    /// with the empty bucket, may be longer than its time allows.
    func latestNext(_ limit: Policies.Limit) -> Int64 {
        guard let perSecond = limit.startsPerSecond else { return .min }
        let interval = Int64(1_000_000_000 / perSecond)
        let burst = Int64(limit.burst)
        var next = since + Int64(all.count + 1) * interval
        for (index, start) in all.enumerated() {
            next = max(next, start.decided.upperBound + (Int64(all.count - index) - burst + 1) * interval)
        }
        return next
    }

    /// By how many jobs the last start was too soon: the longest run of starts behind it is compared with its time.
    func excess(_ limit: Policies.Limit) -> Int64 {
        guard let perSecond = limit.startsPerSecond, let last = all.last(where: { !$0.isUndone }) else { return 0 }
        let interval = Int64(1_000_000_000 / perSecond)
        var count: Int64 = 0
        var excess: Int64 = 0
        for start in all.reversed() where !start.isUndone {
            count += 1
            let allowed = Int64(limit.burst) + (last.decided.upperBound - start.decided.lowerBound) / interval
            excess = max(excess, count - allowed)
        }
        return excess
    }
}
