import StatexProtocol

// Names are kept for ever, here and in the journal. Those that submits bring are taken up to a bound in all, and up
// to one for each tenant, so that none uses up what the others need. Kinds that a worker serves or that the
// configuration names count for nobody and are always taken.

extension SchedulerCore {
    /// Finds the tenants, kinds and queues of a request's jobs, new ones as far as the bounds allow.
    mutating func resolveNames(
        _ batch: borrowing SubmitBatch, _ range: Range<Int>, _ options: [JobOptions?], _ kindOf: inout [Int32],
        _ tenantOf: inout [Int32], at now: Now
    ) throws(WireError) {
        for index in range {
            let (kind, tenant) = (Int(batch.jobs[index].kind), Int(batch.jobs[index].tenant))
            if tenantOf[tenant] < 0 {
                guard tenants.count < settings.maxTenants || tenants.index(of: batch.names[tenant]) != nil else {
                    throw tooMany("tenants", settings.maxTenants, "tenant \(batch.names[tenant])")
                }
                _ = resolveTenant(batch, index, &tenantOf, at: now)
            }
            if kindOf[kind] < 0 { kindOf[kind] = try kindIndex(batch.names[kind], of: tenantOf[tenant], at: now) }
        }
        for (index, options) in zip(range, options) {
            guard let labels = options?.labels, !labels.isEmpty else { continue }
            let job = batch.jobs[index]
            try checkQueue(kindOf[Int(job.kind)], labels, of: tenantOf[Int(job.tenant)])
        }
    }

    /// The kind of a tenant's new job.
    private mutating func kindIndex(_ name: String, of tenant: Int32, at now: Now) throws(WireError) -> Int32 {
        if let known = kindIndices[name] { return known }
        if !isNamed(kind: name) {
            guard kinds.count < settings.maxKinds else {
                throw tooMany("kinds", settings.maxKinds, "kind \(name)")
            }
            guard tenants[tenant].kindsBrought < settings.maxKindsOfTenant else {
                throw WireError(
                    .tooLarge,
                    "tenant \(tenants[tenant].name) brought \(settings.maxKindsOfTenant) kinds that no worker serves and no configuration names, as many as may be: kind \(name) is none of them"
                )
            }
        }
        let kind = kindIndex(name, at: now)
        charge(kind, to: tenant)
        return kind
    }

    private mutating func checkQueue(_ kind: Int32, _ labels: [String], of tenant: Int32) throws(WireError) {
        if let known = labelSets.known(labels), knownQueue(kind, known) != nil { return }
        let new = "one for labels \(labels.joined(separator: ", "))"
        guard queues.count < settings.maxQueues else { throw tooMany("queues", settings.maxQueues, new) }
        guard tenants[tenant].queuesBrought < settings.maxQueuesOfTenant else {
            throw WireError(
                .tooLarge,
                "tenant \(tenants[tenant].name) brought \(settings.maxQueuesOfTenant) queues for labels, as many as may be: \(new) is none of them"
            )
        }
        _ = queueIndex(kind, labelSets.set(of: labels), of: tenant)
    }

    /// The queue of a tenant's job, which counts for the tenant if it is new and for labels.
    mutating func queueIndex(
        _ kind: Int32, _ labels: LabelSet, suspicion: Suspicion = .none, of tenant: Int32
    ) -> Int32 {
        if let known = knownQueue(kind, labels, suspicion) { return known }
        if labels != .none { tenants[tenant].queuesBrought += 1 }
        return queueIndex(kind, labels, suspicion: suspicion)
    }

    /// The kind counts for the tenant that brought it, until somebody vouches for it.
    mutating func charge(_ kind: Int32, to tenant: Int32) {
        guard kinds[Int(kind)].broughtBy < 0, !isNamed(kind: kinds[Int(kind)].name) else { return }
        kinds[Int(kind)].broughtBy = tenant
        tenants[tenant].kindsBrought += 1
    }

    /// A worker serves the kind, or the configuration names it.
    mutating func vouch(for kind: Int32) {
        let tenant = kinds[Int(kind)].broughtBy
        guard tenant >= 0 else { return }
        kinds[Int(kind)].broughtBy = -1
        tenants[tenant].kindsBrought -= 1
    }

    /// Whether the operator's configuration names the kind.
    func isNamed(kind name: String) -> Bool {
        policies.kinds[name] != nil || policies.schedules.contains { $0.kind == name }
    }

    private func tooMany(_ names: String, _ limit: Int, _ new: String) -> WireError {
        WireError(.tooLarge, "there are \(limit) \(names), as many as may be: \(new) is none of them")
    }

    mutating func resolveTenant(
        _ batch: borrowing SubmitBatch, _ job: Int, _ tenantOf: inout [Int32], at now: Now
    ) -> Int32 {
        let name = Int(batch.jobs[job].tenant)
        if tenantOf[name] < 0 { tenantOf[name] = tenantIndex(batch.names[name], at: now) }
        return tenantOf[name]
    }
}
