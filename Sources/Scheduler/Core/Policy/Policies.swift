/// What an operator may set while the scheduler runs: limits of kinds, weights and limits of tenants.
package struct Policies: Sendable, Equatable {
    package struct Kind: Sendable, Equatable {
        package var limit = Limit()
        package init() {}
    }
    package struct Tenant: Sendable, Equatable {
        /// Its share beside others'; 1 is usual. At least 0.001.
        package var weight = 1.0
        package var limit = Limit()
        package init() {}
    }
    /// Bounds of a `StartLimit`; nil: none.
    package struct Limit: Sendable, Equatable {
        package var running: Int?
        package var startsPerSecond: Double?
        package var burst = 1
        package init() {}
    }

    package var kinds: [String: Kind] = [:]
    package var tenants: [String: Tenant] = [:]

    package init() {}
}

extension StartLimit {
    init(_ limit: Policies.Limit, at now: Now) {
        self.init(
            running: limit.running, perSecond: limit.startsPerSecond, burst: limit.burst, at: now.monotonic)
    }
}

extension TenantRecord {
    mutating func follow(_ policy: Policies.Tenant, at now: Now) {
        weight = max(1, Int64(min(policy.weight, 1_000_000) * 1_000))
        limit.change(to: StartLimit(policy.limit, at: now))
    }
}

extension SchedulerCore {
    /// Takes new policies over; jobs that wait are sorted anew.
    package mutating func follow(_ policies: Policies, at now: Now) {
        self.policies = policies
        for kind in kinds.indices {
            kinds[kind].limit.change(to: StartLimit(policies.kinds[kinds[kind].name]?.limit ?? .init(), at: now))
        }
        for tenant in 0..<Int32(tenants.count) {
            tenants[tenant].follow(policies.tenants[tenants[tenant].name] ?? .init(), at: now)
        }
        relistAll()
    }

    /// After a change of which tenants are limited.
    mutating func relistAll() {
        for tenant in 0..<Int32(tenants.count) { _ = tenants.takeParked(tenant) }
        for queue in queues.indices { queues[queue].relist(tenants) }
    }
}
