import StatexProtocol
import StatexSchedulerCore

/// Each job that waits has one reason, and the reason is true: it is asked of the core after a turn of the owner's
/// loop, and judged by what the owner heard and wrote. So none waits while a slot that could take it is free and
/// nothing binds it: of that no reason is true.
///
/// It looks when everything that the owner decided is in a commit: what it gathers for the next one nobody sees.
final class ExplainChecker: Checker {
    private unowned let world: World
    private unowned let reference: ReferenceChecker
    private var fleet: ReferenceFleet
    /// Rows of the owner's commit that is not durable yet.
    private var pending: [UInt64: CommitBatch.JobRow] = [:]
    private var pendingOptions: [UInt64: JobOptions] = [:]
    private var names: [UInt32: String] = [:]
    /// What the owner follows.
    private var policies = Policies()
    /// How often each reason was given.
    private var seen = [Int](repeating: 0, count: WaitingReason.allCases.count)
    /// What runs, or ran, somewhere.
    private var begun: Set<UInt64> = []
    private var hasJustDecided = false
    private var looksAgainAt = Int64.min
    /// The database refused some of what the owner's commit holds, so it is not what the owner decided.
    private var isRefusedSome = false
    /// The soonest time that a reason said it would be over.
    private var promised: (time: Int64, said: Int64, job: UInt64, reason: WaitingReason)?

    init(_ world: World, _ reference: ReferenceChecker) {
        self.world = world
        self.reference = reference
        fleet = ReferenceFleet(world.options.coreSettings)
    }

    // MARK: What the owner knows

    func serves(_ scheduler: SchedulerProcess) {
        guard scheduler.number == reference.owner else { return }
        policies = scheduler.core.settings.policies
        fleet.tookOver(at: scheduler.clock.monotonic)
        fleet.forgetOrders()
        pending = [:]
        pendingOptions = [:]
        promised = nil
        names = [:]
        for row in world.journal.names { names[row.number] = row.name }
        for commit in world.journal.commits { for row in commit.actions { fleet.ordered(row) } }
        meet(world.journal.names, at: scheduler.clock.monotonic)
    }

    func configured(_ scheduler: SchedulerProcess, _ policies: Policies, as cause: Int?) {
        guard scheduler.number == reference.owner else { return }
        self.policies = policies
        fleet.configured(at: scheduler.clock.monotonic)
        promised = nil
    }

    private func meet(_ rows: [CommitBatch.NameRow], at time: Int64) {
        for row in rows {
            switch row.family {
            case .kind: fleet.knows(kind: row.number, at: time)
            case .tenant: fleet.knows(tenant: row.number, at: time)
            case .worker, .label: break
            }
        }
    }

    func heard(_ worker: WorkerID, _ what: Contact, by scheduler: SchedulerProcess) {
        if scheduler.number == reference.owner { fleet.heard(worker, what, at: scheduler.clock.monotonic) }
    }

    func workerSaid(_ bytes: [UInt8], worker: WorkerProcess) {
        guard bytes.count > 3, bytes[3] == MessageType.hello.rawValue,
            let header = try? Header(reading: bytes.span.bytes),
            let hello = try? Hello(reading: bytes.span.bytes, header: header)
        else { return }
        fleet.saidHello(hello)
    }

    func began(_ lease: LeaseRecord, by worker: WorkerProcess) { begun.insert(lease.token) }

    func decided(_ commit: SimulatedJournal.Commit, by scheduler: SchedulerProcess) {
        guard scheduler.number == reference.owner else { return }
        hasJustDecided = true
        let refused = world.database.refusedJobs
        isRefusedSome =
            !refused.isEmpty
            && (commit.jobs.contains { refused.contains($0.id) }
                || commit.outcomes.contains { refused.contains($0.id) })
        pending = [:]
        pendingOptions = [:]
        for row in commit.jobs { pending[row.id] = row }
        for row in commit.options { pendingOptions[row.id] = row.options }
        for row in commit.names { names[row.number] = row.name }
        for row in commit.actions { fleet.ordered(row) }
        meet(commit.names, at: commit.decided.upperBound)
        for row in commit.leases {
            guard let job = self.row(of: row.id) else { continue }
            fleet.leased(row.token, kind: job.kind, tenant: job.tenant, decided: commit.decided)
        }
        // One that was refused may have been leased before, and was not started.
        for row in commit.outcomes where refused.contains(row.id) {
            guard let job = self.row(of: row.id) else { continue }
            fleet.leased(0, kind: job.kind, tenant: job.tenant, decided: commit.decided, isUndone: true)
        }
        for row in commit.outcomes {
            guard let job = self.row(of: row.id) else { continue }
            fleet.ended(row, kind: job.kind, tenant: job.tenant, worker: holder(of: row, in: commit))
        }
        // What came back in the same commit made room.
        for row in commit.leases {
            if let job = self.row(of: row.id) { judgeRates(job) }
        }
    }

    private func holder(of outcome: CommitBatch.OutcomeRow, in commit: SimulatedJournal.Commit) -> WorkerID? {
        let number =
            commit.leases.first { $0.token == outcome.token }?.worker
            ?? world.journal.histories[outcome.id]?.leases.last { $0.token == outcome.token }?.worker
        return number.flatMap { reference.latest.workerOfNumber[$0] }
    }

    private func row(of id: UInt64) -> CommitBatch.JobRow? { pending[id] ?? world.journal.histories[id]?.row }

    private func options(of id: UInt64) -> JobOptions? { pendingOptions[id] ?? world.journal.histories[id]?.options }

    // MARK: Rates

    /// No run of starts is longer than its time allows.
    private func judgeRates(_ job: CommitBatch.JobRow) {
        let kind = names[job.kind] ?? ""
        let tenant = names[job.tenant] ?? ""
        if let starts = fleet.startsOfKind[job.kind] { judgeRate(starts, policies.kind(kind).limit, kind) }
        if let starts = fleet.startsOfTenant[job.tenant] { judgeRate(starts, policies.tenant(tenant).limit, tenant) }
    }

    private func judgeRate(_ starts: ReferenceFleet.Starts, _ limit: Policies.Limit, _ name: String) {
        // Which limit a start was under is not known where they change.
        guard limit.startsPerSecond != nil, !world.options.changesPolicies else { return }
        let excess = starts.excess(limit)
        if excess == 0 { world.mark("a start within a rate") }
        if excess > 0 { world.violation("\(excess) jobs of \(name) more than its rate allows were started") }
    }

    // MARK: Judging

    func turned(_ scheduler: SchedulerProcess) {
        guard scheduler.number == reference.owner, scheduler.core.incarnation == world.journal.incarnation else {
            return
        }
        let now = scheduler.clock
        judgePromise(scheduler, at: now.monotonic)
        let hasDecided = hasJustDecided
        hasJustDecided = false
        guard hasDecided || scheduler.underway == nil && now.monotonic >= looksAgainAt,
            !isRefusedSome || scheduler.underway == nil
        else { return }
        looksAgainAt = now.monotonic + Self.rest
        fleet.tick(at: now.monotonic)
        let view = View(reference.latest, fleet, kindAndTenant: { [unowned self] in row(of: $0) })
        for id in view.open {
            guard let job = view.jobs[id], world.violations.isEmpty else { return }
            // What waits for others, or runs, does so until something is decided.
            if hasDecided || job.lease == nil && !view.isBlocked(job) { judge(id, job, view, scheduler, at: now) }
        }
    }

    /// How long it does not look while nothing is decided.
    private static let rest: Int64 = 50_000_000

    /// A loop that was let alone was awake when a reason said that it would be over.
    private func judgePromise(_ scheduler: SchedulerProcess, at time: Int64) {
        defer { promised = nil }
        guard let promised, scheduler.resumedAt < promised.said, time > promised.time + Self.slack else { return }
        world.violation(
            "job \(promised.job) was said to wait (\(promised.reason)) until \(promised.time), and the loop slept until \(time)"
        )
    }

    /// Times are written in microseconds, and a retry's in seconds of 4 bytes.
    private static let rounding: Int64 = 1_000_000
    /// A loop takes its time to wake.
    private static let slack: Int64 = 20_000_000

    private func judge(
        _ id: UInt64, _ job: ReferenceScheduler.Job, _ view: View, _ scheduler: SchedulerProcess, at now: Now
    ) {
        guard row(of: id) != nil, !isRefused(id, view) else { return }
        let down = scheduler.journalIsDown ? "down" : nil
        let said = scheduler.core.explain(JobID(rawValue: id), journalDown: down, at: now)
        seen[Int(said.reason.rawValue)] += 1
        let until = said.until > 0 ? now.monotonic + (said.until - now.wall) * 1_000 : nil
        guard let why = wrong(said, until, id, job, view, isDown: down != nil, at: now.monotonic) else {
            return note(said.reason, until, id, view, at: now.monotonic)
        }
        world.violation("job \(id) is said to wait because of \(said.reason) (\(said.detail)): \(why)")
    }

    /// The database refused its content, or that of one that it waits for.
    private func isRefused(_ id: UInt64, _ view: View) -> Bool {
        let refused = world.database.refusedJobs
        return !refused.isEmpty
            && (refused.contains(id) || view.jobs[id]?.after.contains { refused.contains($0.id) } == true)
    }

    private func note(_ reason: WaitingReason, _ until: Int64?, _ id: UInt64, _ view: View, at time: Int64) {
        switch reason {
        case .notDue, .retryBudget: promise(until, reason, id, at: time)
        // While every slot is busy that could take it, nobody need be awake when a limit is over.
        case .kindRate, .tenantRate, .circuitOpen:
            if (options(of: id)?.labels ?? []).isEmpty, world.options.amounts.isEmpty,
                view.fleet.workers.keys.contains(where: { view.freeSlots($0) > 0 })
            {
                promise(until, reason, id, at: time)
            }
        case .none, .afterJobs, .kindPaused, .tenantPaused, .noWorkerForKind, .noWorkerWithLabels, .kindLimit,
            .tenantLimit, .slotsBusy, .next, .committing, .inWorker, .journalBehind, .quarantined, .everythingPaused,
            .noWorkerWithResources, .resourcesBusy, .batchForming, .warmWorker, .apart:
            break
        }
    }

    private func promise(_ until: Int64?, _ reason: WaitingReason, _ id: UInt64, at time: Int64) {
        if let until, until < promised?.time ?? .max { promised = (until, time, id, reason) }
    }

    func atEnd() {
        for reason in WaitingReason.allCases where seen[Int(reason.rawValue)] > 0 {
            world.mark("waits because of \(reason)", times: seen[Int(reason.rawValue)])
        }
    }

    /// - Returns: why a reason is not true; nil: it is, as far as can be seen from outside.
    private func wrong(
        _ said: Explanation, _ until: Int64?, _ id: UInt64, _ job: ReferenceScheduler.Job, _ view: View, isDown: Bool,
        at time: Int64
    ) -> String? {
        if let lease = job.lease { return wrong(said, lease, id, view, isDown: isDown) }
        if view.isBlocked(job) { return said.reason == .afterJobs ? nil : "it waits for other jobs" }
        let isDueSure = !job.isDueUnsure
        if isDueSure, job.readyAt - Self.rounding > time {
            return said.reason == .notDue ? wrongTime(until, after: time) : "it is not due"
        }
        if said.reason == .notDue {
            if isDueSure, job.dueBy < time { return "it was due \((time - job.dueBy) / 1_000) µs before" }
            return wrongTime(until, after: time)
        }
        if said.reason == .retryBudget { return wrongBudget(job, id, view, at: time) ?? wrongTime(until, after: time) }
        return wrongInQueue(said, until, id, view, at: time)
    }

    private func wrongTime(_ until: Int64?, after time: Int64) -> String? {
        guard let until else { return "it says not until when" }
        return until > time - 2_000 ? nil : "it says until \((time - until) / 1_000) µs before"
    }

    private func wrong(
        _ said: Explanation, _ lease: ReferenceScheduler.Lease, _ id: UInt64, _ view: View, isDown: Bool
    ) -> String? {
        let isDurable = world.journal.histories[id]?.openLease?.token == lease.token
        guard isDurable else {
            let isTrue = said.reason == .committing || said.reason == .journalBehind && isDown
            return isTrue ? nil : "its lease is not durable"
        }
        let before = view.leasesBefore(lease)
        let slots = view.fleet.workers[lease.worker]?.slots ?? .max
        switch said.reason {
        case .none where said.state == .running: return begun.contains(lease.token) ? nil : "it never began"
        case .none: return before < slots ? nil : "\(before) leases of its worker are older, which has \(slots) slots"
        case .warmWorker:
            guard options(of: id)?.affinity != nil else { return "it names no key" }
            guard before >= slots else { return "\(before) leases of its worker are older, which has \(slots) slots" }
            let isElsewhere = view.fleet.workers.keys.contains { $0 != lease.worker && view.freeSlots($0) > 0 }
            return isElsewhere ? nil : "no other worker has a free slot"
        case .inWorker:
            return before >= slots ? nil : "\(before) leases of its worker are older, which has \(slots) slots"
        default: return "it is leased"
        }
    }

    /// A retry waits for the budget only if there were more retries than may gather.
    private func wrongBudget(_ job: ReferenceScheduler.Job, _ id: UInt64, _ view: View, at time: Int64) -> String? {
        guard job.failures > 0, let row = row(of: id) else { return "it never failed" }
        let budget = policies.kind(names[row.kind] ?? "").budget
        // Those that were lent before this owner came are counted too.
        let retries = view.open.count { view.jobs[$0]?.failures ?? 0 > 0 } + (view.fleet.retries[row.kind] ?? 0)
        return retries > budget.burst ? nil : "\(retries) retries, \(budget.burst) may gather"
    }

    private func wrongInQueue(
        _ said: Explanation, _ until: Int64?, _ id: UInt64, _ view: View, at time: Int64
    ) -> String? {
        guard let row = row(of: id) else { return nil }
        let kindName = names[row.kind] ?? ""
        let tenantName = names[row.tenant] ?? ""
        let kind = policies.kind(kindName)
        let tenant = policies.tenant(tenantName)
        let labels = options(of: id)?.labels ?? []
        let ofKind = view.fleet.workers.filter { $0.value.isWorking && $0.value.kinds.contains(kindName) }
        let able = ofKind.filter { worker in labels.allSatisfy { worker.value.labels.contains($0) } }
        let equipped = able.filter { worker in
            kind.needs.allSatisfy { need in
                worker.value.resources.contains { $0.name == need.name && $0.amount >= need.amount }
            }
        }
        let free = able.filter { view.freeSlots($0.key) > 0 }
        let roomy = free.filter { worker in
            kind.needs.allSatisfy { need in
                let total = worker.value.resources.first { $0.name == need.name }?.amount ?? 0
                let used = view.used(need.name, by: worker.key) { policies.kind(names[$0] ?? "").needs }
                return used + need.amount <= total
            }
        }
        switch said.reason {
        case .everythingPaused: return view.fleet.isPaused(nil, nil) ? nil : "nobody paused everything"
        case .kindPaused: return view.fleet.isPaused("kind", kindName) ? nil : "nobody paused its kind"
        case .tenantPaused: return view.fleet.isPaused("tenant", tenantName) ? nil : "nobody paused its tenant"
        case .noWorkerForKind: return ofKind.isEmpty ? nil : "\(ofKind.count) workers have its kind"
        case .noWorkerWithLabels: return able.isEmpty && !ofKind.isEmpty ? nil : "\(able.count) workers have its labels"
        case .circuitOpen:
            let failed = view.fleet.failures[row.kind] ?? 0
            if failed < kind.circuit.failures { return "\(failed) of its kind failed in a row" }
            return until == nil ? nil : wrongTime(until, after: time)
        case .kindLimit: return wrongLimit(kind.limit, view.leasedOfKind[row.kind] ?? 0)
        case .tenantLimit: return wrongLimit(tenant.limit, view.leasedOfTenant[row.tenant] ?? 0)
        case .kindRate: return wrongRate(view.fleet.startsOfKind[row.kind], kind.limit, until, at: time)
        case .tenantRate: return wrongRate(view.fleet.startsOfTenant[row.tenant], tenant.limit, until, at: time)
        case .quarantined:
            let sound = roomy.filter {
                $0.value.failures[row.kind] ?? 0 < kind.quarantine.failures && !view.holdsAccused($0.key)
            }
            return !roomy.isEmpty && sound.isEmpty ? nil : "a worker is free that does not fail its kind"
        case .slotsBusy: return free.isEmpty ? nil : "\(free.count) workers have free slots for it"
        case .noWorkerWithResources:
            return equipped.isEmpty && !able.isEmpty ? nil : "\(equipped.count) workers have what it needs"
        case .resourcesBusy:
            return roomy.isEmpty && !free.isEmpty ? nil : "\(roomy.count) workers have a slot and what it needs"
        case .apart:
            let open = roomy.filter { !view.holdsAccused($0.key) }
            return !roomy.isEmpty && open.isEmpty
                ? nil : "\(open.count) of \(roomy.count) workers with a free slot may hold it"
        case .next, .journalBehind: return "it was not dispatched"
        case .none: return "it waits for a slot"
        case .notDue, .afterJobs, .committing, .inWorker, .retryBudget, .batchForming, .warmWorker:
            return "it waits for a slot"
        }
    }

    private func wrongLimit(_ limit: Policies.Limit, _ running: Int) -> String? {
        guard let most = limit.running else { return "there is no such limit" }
        return running >= most ? nil : "\(running) run, \(most) may"
    }

    private func wrongRate(
        _ starts: ReferenceFleet.Starts?, _ limit: Policies.Limit, _ until: Int64?, at time: Int64
    ) -> String? {
        guard let starts, let until else { return "nothing is known of its rate" }
        // The owner started jobs that the database refused then.
        guard world.database.refusedJobs.isEmpty else { return nil }
        // A microsecond is what times are written in.
        if until > starts.latestNext(limit) + 2_000 {
            return "its rate lets it start \((until - starts.latestNext(limit)) / 1_000) µs sooner"
        }
        return wrongTime(until, after: time)
    }
}

/// What is open, and what each worker holds, at one moment.
private final class View {
    let jobs: [UInt64: ReferenceScheduler.Job]
    let fleet: ReferenceFleet
    private(set) var open: [UInt64] = []
    private(set) var leasedOfKind: [UInt32: Int] = [:]
    private(set) var leasedOfTenant: [UInt32: Int] = [:]
    private var leases: [WorkerID: [ReferenceScheduler.Lease]] = [:]
    /// Of the leases of each worker.
    private var kinds: [WorkerID: [UInt32]] = [:]

    init(_ reference: ReferenceScheduler, _ fleet: ReferenceFleet, kindAndTenant: (UInt64) -> CommitBatch.JobRow?) {
        jobs = reference.jobs
        self.fleet = fleet
        for (id, job) in jobs where job.final == nil {
            open.append(id)
            guard let lease = job.lease, let row = kindAndTenant(id) else { continue }
            leasedOfKind[row.kind, default: 0] += 1
            leasedOfTenant[row.tenant, default: 0] += 1
            leases[lease.worker, default: []].append(lease)
            kinds[lease.worker, default: []].append(row.kind)
        }
        open.sort()
    }

    func isBlocked(_ job: ReferenceScheduler.Job) -> Bool { job.after.contains { jobs[$0.id]?.final != .succeeded } }

    func freeSlots(_ worker: WorkerID) -> Int {
        guard let known = fleet.workers[worker], known.isConnected, !known.isResuming, !known.isDraining else {
            return 0
        }
        return min(known.credit, known.slots) - (leases[worker]?.count ?? 0)
    }

    /// One loss more may make it dead.
    func isAccused(_ id: UInt64) -> Bool { (jobs[id]?.lostWith.count ?? 0) >= Limits.losses - 1 }

    func holdsAccused(_ worker: WorkerID) -> Bool {
        open.contains { jobs[$0]?.lease?.worker == worker && isAccused($0) }
    }

    /// How much of a resource its leases need.
    func used(_ resource: String, by worker: WorkerID, needs: (UInt32) -> [ResourceAmount]) -> UInt32 {
        (kinds[worker] ?? []).reduce(0) { $0 + (needs($1).first { $0.name == resource }?.amount ?? 0) }
    }

    /// How many leases of its worker are older.
    func leasesBefore(_ lease: ReferenceScheduler.Lease) -> Int {
        (leases[lease.worker] ?? []).count { $0.token < lease.token }
    }
}

extension ReferenceFleet {
    func isPaused(_ what: String?, _ name: String?) -> Bool {
        guard let what, let name else { return paused.contains { $0.contains("everything") } }
        return paused.contains { $0.contains("\"\(what)\"") && $0.contains("\"\(name)\"") }
    }
}

extension ReferenceFleet.Worker {
    var isWorking: Bool { isConnected && !isDraining }
}
