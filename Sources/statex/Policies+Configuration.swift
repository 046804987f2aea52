import StatexConfiguration
import StatexProtocol
import StatexSchedulerCore
import StatexWebhooks

// The operator's words, as the core takes them.

extension Policies {
    init(_ configuration: Configuration) {
        self.init()
        kinds = configuration.kinds.mapValues { Kind(limit: Limit($0.limit), needs: $0.needs, $0.retry) }
        if kinds[WebhookDelivery.kind] == nil {
            kinds[WebhookDelivery.kind] = Kind(limit: Limit(), needs: [], configuration.retry.ofWebhooks())
        }
        otherKinds = Kind(limit: Limit(), needs: [], configuration.retry)
        tenants = configuration.tenants.mapValues(Tenant.init)
        if let others = tenants.removeValue(forKey: Configuration.otherTenants) { otherTenants = others }
        schedules = configuration.schedules.sorted { $0.key < $1.key }.map { Schedule($0.key, $0.value) }
        bounds = .init(jobs: configuration.maximumOpenJobs, bytes: configuration.maximumOpenBytes)
    }
}

extension Policies.Limit {
    init(_ limit: LimitConfiguration) {
        self.init()
        running = limit.running
        startsPerSecond = limit.perSecond
        burst = limit.burst
    }
}

extension Policies.Kind {
    init(limit: Policies.Limit, needs: [ResourceAmount], _ retry: RetryConfiguration) {
        self.init()
        self.limit = limit
        self.needs = needs
        attempts = UInt8(clamping: retry.attempts)
        self.retry.baseNanoseconds = retry.backoff.nanoseconds
        self.retry.maximumNanoseconds = retry.backoffMaximum.nanoseconds
        budget.share = retry.budget
        budget.perSecond = retry.budgetPerSecond
        circuit.take(retry.circuit)
        quarantine.take(retry.quarantine)
    }
}

extension Schedule {
    fileprivate init(_ name: String, _ schedule: ScheduleConfiguration) {
        self.init(name: name, cron: schedule.cron, zone: schedule.zone, kind: schedule.kind)
        tenant = schedule.tenant
        payload = Array(schedule.payload.utf8)
        priority = UInt8(clamping: schedule.priority)
        attempts = UInt8(clamping: schedule.attempts ?? 0)
        runLimitMilliseconds = schedule.runLimit.map { UInt32(clamping: $0.nanoseconds / 1_000_000) }
        expiresAfterSeconds = schedule.expiry?.components.seconds
        labels = schedule.labels
        tags = schedule.tags
        missed =
            switch schedule.missed {
            case .latest: .latest
            case .all: .all
            case .none: .none
            }
        overlap =
            switch schedule.overlap {
            case .allow: .allow
            case .skip: .skip
            }
    }
}

extension Circuit.Settings {
    fileprivate mutating func take(_ circuit: CircuitConfiguration) {
        failures = circuit.failures
        waitNanoseconds = circuit.wait.nanoseconds
        maximumNanoseconds = circuit.maximum.nanoseconds
    }
}

extension Policies.Tenant {
    init(_ tenant: TenantConfiguration) {
        self.init()
        weight = tenant.weight
        limit = Policies.Limit(tenant.limit)
        bounds = .init(jobs: tenant.maximumOpenJobs, bytes: tenant.maximumOpenBytes)
    }
}

extension Duration {
    /// The configuration bounds every time by weeks, so it does not overflow.
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
