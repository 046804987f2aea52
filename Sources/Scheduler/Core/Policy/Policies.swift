import StatexProtocol

/// What an operator may set while the scheduler runs.
package struct Policies: Sendable, Equatable {
    package struct Kind: Sendable, Equatable {
        package var limit = Limit()
        /// What each of its jobs takes of its worker's resources while it is leased.
        package var needs: [ResourceAmount] = []
        /// For jobs that do not say how often they may fail.
        package var attempts = UInt8(Limits.defaultAttempts)
        package var retry = RetryPolicy()
        package var budget = RetryBudget.Settings()
        package var circuit = Circuit.Settings(
            failures: 20, jobs: 5, waitNanoseconds: 1_000_000_000, maximumNanoseconds: 5_000_000_000)
        /// The same for the kind in one worker.
        package var quarantine = Circuit.Settings(
            failures: 10, jobs: 3, waitNanoseconds: 10_000_000_000, maximumNanoseconds: 60_000_000_000)
        package init() {}
    }
    package struct Tenant: Sendable, Equatable {
        /// Its share beside others'; 1 is usual. At least 0.001.
        package var weight = 1.0
        package var limit = Limit()
        /// Of its open jobs: a submit beyond them is refused.
        package var bounds = Backlog.Bounds()
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
    /// Those that are not named.
    package var otherKinds = Kind()
    package var otherTenants = Tenant()
    /// Of all open jobs, each of which takes about 100 bytes of memory.
    package var bounds = Backlog.Bounds(jobs: 5_000_000)
    /// By name, each once.
    package var schedules: [Schedule] = []

    package init() {}

    package func kind(_ name: String) -> Kind { kinds[name] ?? otherKinds }
    package func tenant(_ name: String) -> Tenant { tenants[name] ?? otherTenants }
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
        bounds = policy.bounds
    }
}

extension SchedulerCore.KindRecord {
    mutating func follow(_ policy: Policies.Kind, at now: Now) {
        limit.change(to: StartLimit(policy.limit, at: now))
        circuit.change(to: policy.circuit)
        budget.change(to: policy.budget)
        self.policy = policy
    }
}

extension SchedulerCore {
    /// Takes new policies over; jobs that wait are sorted anew.
    package mutating func follow(_ policies: Policies, at now: Now) {
        self.policies = policies
        for kind in kinds.indices {
            kinds[kind].follow(policies.kind(kinds[kind].name), at: now)
            if isNamed(kind: kinds[kind].name) { vouch(for: Int32(kind)) }
        }
        for tenant in 0..<Int32(tenants.count) {
            tenants[tenant].follow(policies.tenant(tenants[tenant].name), at: now)
        }
        for worker in workers.indices { recountResources(of: worker) }
        relistAll()
        followSchedules(at: now)
    }

    /// The operator's configuration was read again: its change is followed, and recorded.
    package mutating func reconfigured(_ policies: Policies, by who: String, changes: String, at now: Now) {
        follow(policies, at: now)
        var row = CommitBatch.ActionRow(action: "configure", who: who, ids: [], reached: 0)
        row.note = changes
        gathering.actions.append(row)
    }

    /// After a change of which tenants are limited.
    mutating func relistAll() {
        for tenant in 0..<Int32(tenants.count) { _ = tenants.takeParked(tenant) }
        for queue in queues.indices { queues[queue].relist(tenants) }
    }
}
