import StatexProtocol

// How much may be open: a submit beyond that is refused before anything of it is recorded.

extension SchedulerCore {
    /// A job is open from now on.
    mutating func open(_ record: JobRecord) -> Int32 {
        kinds[Int(record.kind)].open += 1
        backlog.add(bytes: record.payloadLength)
        tenants[record.tenant].backlog.add(bytes: record.payloadLength)
        return jobs.insert(record)
    }

    /// Why a request is not admitted, or nil. By tenants first: one that is at its bound hears that,
    /// whatever the rest is at.
    mutating func admissionRefusal(
        _ batch: borrowing SubmitBatch, _ range: Range<Int>, _ tenantOf: inout [Int32], at now: Now
    ) -> Backlog.Refusal? {
        var whole = Backlog()
        let first = batch.jobs[range.lowerBound].tenant
        var isOfOneTenant = true
        for index in range {
            whole.add(bytes: batch.jobs[index].payloadLength)
            if batch.jobs[index].tenant != first { isOfOneTenant = false }
        }
        let tenant = resolveTenant(batch, range.lowerBound, &tenantOf, at: now)
        if isOfOneTenant {
            if let refusal = admissionRefusal(whole, of: tenant) { return counted(refusal, ofTenant: true) }
        } else if let refusal = admissionRefusalOfTenants(batch, range, &tenantOf, at: now) {
            return counted(refusal, ofTenant: true)
        }
        return backlog.refusal(whole, policies.bounds, of: "").map { counted($0, ofTenant: false) }
    }

    private mutating func counted(_ refusal: Backlog.Refusal, ofTenant: Bool) -> Backlog.Refusal {
        counts.refused += 1
        switch (refusal.bound, ofTenant) {
        case (.jobs, false): refusals.openJobs += 1
        case (.bytes, false): refusals.openBytes += 1
        case (.jobs, true): refusals.tenantOpenJobs += 1
        case (.bytes, true): refusals.tenantOpenBytes += 1
        }
        return refusal
    }

    func admissionRefusal(_ request: Backlog, of tenant: Int32) -> Backlog.Refusal? {
        tenants[tenant].backlog.refusal(request, tenants[tenant].bounds, of: " of tenant \(tenants[tenant].name)")
    }

    private mutating func admissionRefusalOfTenants(
        _ batch: borrowing SubmitBatch, _ range: Range<Int>, _ tenantOf: inout [Int32], at now: Now
    ) -> Backlog.Refusal? {
        var parts: [UInt16: Backlog] = [:]
        for index in range {
            let job = batch.jobs[index]
            parts[job.tenant, default: Backlog()].add(bytes: job.payloadLength)
        }
        // In the order of the jobs: that of a dictionary changes from process to process.
        for index in range {
            guard let part = parts.removeValue(forKey: batch.jobs[index].tenant) else { continue }
            let tenant = resolveTenant(batch, index, &tenantOf, at: now)
            if let refusal = admissionRefusal(part, of: tenant) { return refusal }
        }
        return nil
    }

    /// Why the next commit cannot take so many bytes more, or nil.
    func gatheringRefusal(bytes: Int) -> String? {
        guard gathering.payloads.buffer.count + bytes > settings.maxBatchPayloadBytes else { return nil }
        return
            "\(gathering.payloads.buffer.count) bytes wait for the journal, the limit is \(settings.maxBatchPayloadBytes)"
    }
}
