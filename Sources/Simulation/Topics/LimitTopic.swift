import StatexSchedulerCore

/// Kinds and tenants with limits, and weights; some seeds have them.
struct LimitTopic: Topic {
    func checkers(of world: World) -> [any Checker] { [LimitChecker(world)] }
}

extension SimulationOptions {
    /// Bounds of how many run at once and how many start a second.
    static func policies(_ random: inout SeededGenerator) -> Policies {
        var policies = Policies()
        guard random.happens(oneIn: 3) else { return policies }
        for kind in kinds where random.happens(oneIn: 2) {
            policies.kinds[kind, default: .init()].limit = limit(&random)
        }
        for tenant in 0..<3 where random.happens(oneIn: 2) {
            var policy = Policies.Tenant()
            policy.weight = Double(1 + random.below(4))
            if random.happens(oneIn: 2) { policy.limit = limit(&random) }
            policies.tenants["tenant \(tenant)"] = policy
        }
        return policies
    }

    var hasLimits: Bool {
        let limits = policies.kinds.values.map(\.limit) + policies.tenants.values.map(\.limit)
        return limits.contains { $0 != Policies.Limit() }
    }

    private static func limit(_ random: inout SeededGenerator) -> Policies.Limit {
        var limit = Policies.Limit()
        if random.happens(oneIn: 2) { limit.running = 1 + random.below(3) }
        if random.happens(oneIn: 2) {
            limit.startsPerSecond = Double(1 + random.below(20))
            limit.burst = 1 + random.below(5)
        }
        return limit
    }
}

/// Never more live leases of a kind or a tenant than may run at once, by what is durable.
private final class LimitChecker: Checker {
    private unowned let world: World

    init(_ world: World) { self.world = world }

    func committed(_ commit: SimulatedJournal.Commit) {
        let policies = world.options.policies
        guard !commit.leases.isEmpty, !policies.kinds.isEmpty || !policies.tenants.isEmpty else { return }
        var leased: [UInt32: Int] = [:]
        for id in world.journal.ids {
            guard let history = world.journal.histories[id], history.openLease != nil else { continue }
            leased[history.row.kind, default: 0] += 1
            leased[history.row.tenant, default: 0] += 1
        }
        for name in world.journal.names {
            let limit: Int?
            switch name.family {
            case .kind: limit = policies.kinds[name.name]?.limit.running
            case .tenant: limit = policies.tenants[name.name]?.limit.running
            case .worker, .label: continue
            }
            guard let limit, let count = leased[name.number] else { continue }
            if count == limit { world.mark("at a limit") }
            if count > limit { world.violation("\(count) jobs of \(name.name) are leased, \(limit) may be") }
        }
    }
}
