import StatexSchedulerCore

/// Kinds and tenants with limits, and weights; some seeds have them, and some get others while they run.
struct LimitTopic: Topic {
    var faults: [any SimulatedFault] { [ChangePolicies()] }

    func checkers(of world: World) -> [any Checker] { [LimitChecker(world)] }

    /// Bursts of the kind that has a rate, with some that run long: what was started waits behind them in a worker,
    /// and comes back when it is stolen or cancelled.
    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        guard options.isAboutRates else { return }
        for _ in 0..<random.below(20) { request.jobs.append(JobPlan(work: Work(.succeeds, milliseconds: 0))) }
        for index in request.jobs.indices {
            let isLong = random.happens(oneIn: 10)
            request.jobs[index].kind = 0
            request.jobs[index].work.milliseconds = UInt32(isLong ? random.within(300...3_000) : random.within(0...1))
        }
    }
}

extension Policies {
    /// Bounds of how many run at once and how many start a second, and weights.
    mutating func drawLimits(from random: inout SeededGenerator) {
        guard random.happens(oneIn: 3) else { return }
        for name in SimulationOptions.kinds where random.happens(oneIn: 2) {
            var kind = otherKinds
            kind.limit = Limit(from: &random)
            kinds[name] = kind
        }
        for number in 0..<3 where random.happens(oneIn: 2) {
            var tenant = otherTenants
            tenant.weight = Double(1 + random.below(4))
            if random.happens(oneIn: 2) { tenant.limit = Limit(from: &random) }
            tenants["tenant \(number)"] = tenant
        }
    }
}

extension Policies.Limit {
    fileprivate init(from random: inout SeededGenerator) {
        self.init()
        if random.happens(oneIn: 2) { running = 1 + random.below(3) }
        guard random.happens(oneIn: 2) else { return }
        startsPerSecond = Double(1 + random.below(20))
        burst = 1 + random.below(5)
    }
}

extension SimulationOptions {
    /// Some seeds are about a kind that may start so many a second, and nothing changes that.
    mutating func drawRates(seed: UInt64) {
        var random = SeededGenerator(seed: seed, part: 51)
        isAboutRates = random.happens(oneIn: 8) && !isAboutFairness && topics.contains { Topics.all[$0] is LimitTopic }
        guard isAboutRates else { return }
        faults.removeAll { Faults.all[$0] is ChangePolicies }
        var limit = Policies.Limit()
        limit.startsPerSecond = Double(5 + random.below(60))
        limit.burst = 1 + random.below(3)
        coreSettings.policies.kinds[Self.kinds[0], default: coreSettings.policies.otherKinds].limit = limit
    }

    var hasLimits: Bool {
        let policies = coreSettings.policies
        let limits = policies.kinds.values.map(\.limit) + policies.tenants.values.map(\.limit)
        return changesPolicies || limits.contains { $0 != Policies.Limit() }
    }
}

private struct ChangePolicies: SimulatedFault {
    let name = "change limits, weights and backoffs"

    func strike(_ world: World, as cause: Int) -> Bool {
        // What tenants get is compared by weights that stay.
        guard !world.options.isAboutFairness else { return false }
        var policies = world.options.coreSettings.policies
        policies.kinds = [:]
        policies.tenants = [:]
        policies.otherKinds.retry.baseNanoseconds = max(1, policies.otherKinds.retry.baseNanoseconds / 8)
        if world.dice.happens(oneIn: 2) {
            policies.otherKinds.retry = world.options.coreSettings.policies.otherKinds.retry
        }
        policies.drawLimits(from: &world.dice)
        for (name, kind) in world.options.coreSettings.policies.kinds where !kind.needs.isEmpty {
            policies.kinds[name, default: policies.otherKinds].needs = kind.needs
        }
        world.configure(policies, as: cause)
        return true
    }
}

extension SimulationOptions {
    /// Limits may come while it runs.
    var changesPolicies: Bool { faults.contains { Faults.all[$0] is ChangePolicies } }
}

extension World {
    /// What a scheduler that starts now reads.
    var coreSettings: CoreSettings {
        var settings = options.coreSettings
        settings.policies = policies
        return settings
    }

    fileprivate func configure(_ policies: Policies, as cause: Int?) {
        self.policies = policies
        for scheduler in schedulers { scheduler.configure(policies, as: cause) }
    }

    /// Faults are over: the configuration is what it was at first.
    func restorePolicies() {
        if policies != options.coreSettings.policies { configure(options.coreSettings.policies, as: nil) }
    }
}

/// Never more live leases of a kind or a tenant than may run at once, by what is durable; what starts keeps to the limit
/// that is in force then. A limit that was lowered lets nothing start before enough has ended, and one that was lifted is in force at once;
/// each change that is followed is recorded.
private final class LimitChecker: Checker {
    private struct Change {
        var policies: Policies
        var at: Int64
        var cause: Int?
    }

    private unowned let world: World
    /// What the owner followed, the latest last.
    private var followed: [Change] = []
    private var owner = 0
    private var unrecorded = 0

    init(_ world: World) { self.world = world }

    func serves(_ scheduler: SchedulerProcess) {
        owner = scheduler.number
        followed = [Change(policies: scheduler.core.settings.policies, at: .min, cause: nil)]
        unrecorded = 0
    }

    func configured(_ scheduler: SchedulerProcess, _ policies: Policies, as cause: Int?) {
        guard scheduler.number == owner else { return }
        followed.append(Change(policies: policies, at: scheduler.clock.monotonic, cause: cause))
        unrecorded += 1
    }

    func committed(_ commit: SimulatedJournal.Commit) {
        guard commit.owner == owner else { return }
        // Whatever was followed before this commit was decided stands in it, or in one before.
        unrecorded -= commit.actions.count { $0.action == "configure" }
        let late = followed.dropFirst().count { $0.at >= commit.decided.upperBound }
        if unrecorded > late { world.violation("a change of the configuration is followed and not recorded") }
        judge(commit)
    }

    private func judge(_ commit: SimulatedJournal.Commit) {
        // In force at any time at which this commit was decided.
        let first = followed.lastIndex { $0.at < commit.decided.lowerBound } ?? 0
        let inForce = followed[first...].filter { $0.at <= commit.decided.upperBound }
        guard !commit.leases.isEmpty, !inForce.isEmpty else { return }
        let started = Set(
            commit.leases.compactMap { world.journal.histories[$0.id]?.row }.flatMap { [$0.kind, $0.tenant] })
        var leased: [UInt32: Int] = [:]
        for id in world.journal.ids {
            guard let history = world.journal.histories[id], history.openLease != nil else { continue }
            leased[history.row.kind, default: 0] += 1
            leased[history.row.tenant, default: 0] += 1
        }
        for name in world.journal.names where started.contains(name.number) {
            let limits: [Int?]
            switch name.family {
            case .kind: limits = inForce.map { $0.policies.kind(name.name).limit.running }
            case .tenant: limits = inForce.map { $0.policies.tenant(name.name).limit.running }
            case .worker, .label: continue
            }
            guard let count = leased[name.number], limits.allSatisfy({ $0 != nil }),
                let most = limits.compactMap({ $0 }).max()
            else { continue }
            if count == most { world.mark("at a limit") }
            if count == most, inForce.count == 1, let cause = inForce[0].cause { world.hit(cause) }
            if count > most { world.violation("\(count) jobs of \(name.name) are leased, \(most) may be") }
        }
    }
}
