import StatexProtocol

// How much may be open: a submit beyond that is refused before anything of it is recorded.

extension SchedulerCore {
    /// Counts a request as open, or says why it is not admitted; then nothing is counted.
    ///
    /// By tenants first: one that is at its bound hears that, whatever the rest is at.
    mutating func admit(
        _ batch: borrowing SubmitBatch, _ range: Range<Int>, _ tenantOf: inout [Int32], at now: Now
    ) -> (message: String, isForGood: Bool)? {
        for index in range {
            let bytes = batch.jobs[index].payloadLength
            let tenant = resolveTenant(batch, index, &tenantOf, at: now)
            tenants[tenant].backlog.add(bytes: bytes)
            backlog.add(bytes: bytes)
        }
        var refusal: (message: String, isForGood: Bool)?
        var last: Int32 = -1
        for index in range {
            let tenant = resolveTenant(batch, index, &tenantOf, at: now)
            // Nearly always the one of the job before.
            guard tenant != last else { continue }
            last = tenant
            guard !tenants[tenant].backlog.isWithin(tenants[tenant].bounds) else { continue }
            let request = adds(batch, range) { $0.tenant == batch.jobs[index].tenant }
            refusal = tenants[tenant].backlog.refusal(
                request, tenants[tenant].bounds, of: " of tenant \(tenants[tenant].name)")
            break
        }
        if refusal == nil, !backlog.isWithin(policies.bounds) {
            refusal = backlog.refusal(adds(batch, range) { _ in true }, policies.bounds, of: "")
        }
        guard let refusal else { return nil }
        for index in range {
            let bytes = batch.jobs[index].payloadLength
            tenants[resolveTenant(batch, index, &tenantOf, at: now)].backlog.remove(bytes: bytes)
            backlog.remove(bytes: bytes)
        }
        counts.refused += 1
        return refusal
    }

    package enum Admission {
        case admitted
        /// Not now.
        case later
        /// Not by these bounds.
        case never
    }

    /// The same for the job of a schedule.
    mutating func admit(_ schedule: Schedule, _ tenant: Int32) -> Admission {
        let request = Backlog(jobs: 1, bytes: schedule.payload.count)
        guard request.isWithin(tenants[tenant].bounds), request.isWithin(policies.bounds) else { return .never }
        let bytes = UInt32(schedule.payload.count)
        tenants[tenant].backlog.add(bytes: bytes)
        backlog.add(bytes: bytes)
        if tenants[tenant].backlog.isWithin(tenants[tenant].bounds), backlog.isWithin(policies.bounds) {
            return .admitted
        }
        tenants[tenant].backlog.remove(bytes: bytes)
        backlog.remove(bytes: bytes)
        return .later
    }

    private func adds(
        _ batch: borrowing SubmitBatch, _ range: Range<Int>, _ isCounted: (SubmitJob) -> Bool
    ) -> Backlog {
        var request = Backlog()
        for index in range where isCounted(batch.jobs[index]) { request.add(bytes: batch.jobs[index].payloadLength) }
        return request
    }
}
