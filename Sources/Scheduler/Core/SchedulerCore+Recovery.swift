import StatexProtocol

/// An open job as the journal's reader found it.
package struct RecoveredJob: Sendable {
    package var id: UInt64
    package var opts: UInt64
    package var kind: UInt32
    package var tenant: UInt32
    package var failures: UInt8 = 0
    /// The workers that it was lost with, by number. (An incarnation may have had several.)
    package var lostWith: [UInt32] = []
    /// The latest lease, if its attempt has no outcome: token, worker.
    package var token: UInt64 = 0
    package var worker: UInt32 = 0
    /// Microseconds since 1970; 0: at once.
    package var notBefore: Int64 = 0
    package var deadline: Int64?
    package var runLimit: UInt32 = 0
    package var payloadLength: UInt32 = 0
    package var labels: [String] = []
    package var isCancelled = false
    package var hasCheckpoint = false
    package var affinity: String?
    /// Of a retry by hand: the request of the dead letter; 0: it is none.
    package var retriedRequest: UInt64 = 0
    /// Of a request of several jobs: what became of those that are final, and the number of its first job's
    /// kind and tenant.
    package var siblings = Siblings()
    /// The jobs of its request that it waits for and that did not succeed yet, or will not.
    package var waitsFor: [JobDependency] = []

    package struct Siblings: Sendable, Equatable {
        package var kind: UInt32 = 0
        package var tenant: UInt32 = 0
        package var hasFailed = false
        package var hasCancelled = false

        package init() {}
    }

    package init(id: UInt64, opts: UInt64, kind: UInt32, tenant: UInt32) {
        self.id = id
        self.opts = opts
        self.kind = kind
        self.tenant = tenant
    }
}

extension SchedulerCore {
    /// Takes over what operators ordered and still holds, before names.
    package mutating func recovered(_ pauses: Pauses, drained: Set<UInt64>) {
        self.pauses = pauses
        self.drained = drained
    }

    /// Takes names over, before jobs.
    package mutating func recoveredName(_ family: NameFamily, _ name: String, number: UInt32, at now: Now) {
        names.restore(family, name, number: number)
        switch family {
        case .kind:
            _ = addKind(KindRecord(name: name, number: number), at: now)
        case .tenant:
            _ = addTenant(TenantRecord(name: name, number: number), at: now)
        case .worker, .label: break
        }
    }

    /// Takes open jobs over, in the order of their ids. An open lease lasts one full lease time from
    /// now: its worker incarnation may claim it, or deliver its outcome.
    ///
    /// - Parameter workerNames: the names of the workers that hold leases, by number.
    package mutating func recovered(_ open: [RecoveredJob], workerNames: [UInt32: String], at now: Now) {
        var kindByNumber: [UInt32: Int32] = [:]
        for (index, kind) in kinds.enumerated() { kindByNumber[kind.number] = Int32(index) }
        var tenantByNumber: [UInt32: Int32] = [:]
        for index in 0..<Int32(tenants.count) { tenantByNumber[tenants[index].number] = index }
        var last: (request: UInt64, tally: Int32)?
        for job in open {
            guard let kind = kindByNumber[job.kind], let tenant = tenantByNumber[job.tenant] else { continue }
            var tally = RequestTallies.single
            if JobOpts.count(job.opts) > 1 {
                let request = job.id - UInt64(JobOpts.index(job.opts))
                if let last, last.request == request {
                    tally = last.tally
                    tallies.found(tally)
                } else {
                    var standing = RequestStanding(
                        kind: kindByNumber[job.siblings.kind] ?? kind,
                        tenant: tenantByNumber[job.siblings.tenant] ?? tenant, open: 1)
                    standing.hasFailed = job.siblings.hasFailed
                    standing.hasCancelled = job.siblings.hasCancelled
                    tally = tallies.add(standing)
                    last = (request, tally)
                }
            }
            recover(job, kind: kind, tenant: tenant, tally: tally, workerNames: workerNames, at: now)
        }
        // Workers run what they hold in the order in which it was leased.
        for job in open.filter({ $0.token != 0 }).sorted(by: { $0.token < $1.token }) {
            guard let slot = jobs.slot(of: job.id), jobs[slot].state == .leased else { continue }
            workers[jobs[slot].worker].leases.append(slot, in: &jobs)
            if isAccused(slot) { workers[jobs[slot].worker].accused += 1 }
        }
        recoverDependencies(open, at: now)
        followSchedules(at: now)
    }

    /// Pages without an open job, whose closing an earlier owner did not live to record: so that they are
    /// not read again at each recovery.
    package mutating func recoveredFinishedPages(_ pages: [UInt64]) {
        for page in pages { closeIfEmpty(page: page) }
    }

    private mutating func recover(
        _ job: RecoveredJob, kind: Int32, tenant: Int32, tally: Int32, workerNames: [UInt32: String], at now: Now
    ) {
        var record = JobRecord()
        record.id = job.id
        record.kind = kind
        record.tenant = tenant
        record.index = JobOpts.index(job.opts)
        record.count = JobOpts.count(job.opts)
        record.tally = tally
        record.priority = min(JobOpts.priority(job.opts), UInt8(Limits.priorities - 1))
        record.attemptsAllowed = JobOpts.attempts(job.opts)
        record.encoding = JobOpts.encoding(job.opts)
        record.failures = job.failures
        let lost = Set(job.lostWith.compactMap { workerNames[$0].flatMap(Self.incarnation(inName:)) })
        record.losses = UInt8(min(lost.count, 255))
        record.runLimit = job.runLimit
        record.payloadLength = job.payloadLength
        record.queue = queueIndex(
            kind, job.labels.isEmpty ? .none : labelSets.set(of: job.labels),
            suspicion: lost.isEmpty ? .none : Suspicion(losses: lost.count), of: tenant)
        charge(kind, to: tenant)
        if job.retriedRequest != 0 {
            record.flags.insert(.isRetry)
            retries[job.id] = job.retriedRequest
        }
        let slot = open(record)
        if !lost.isEmpty { lostWith[job.id] = JobLosses(workers: lost.sorted()) }
        if job.isCancelled { jobs[slot].flags.insert(.cancelling) }
        if let affinity = job.affinity { setAffinity(affinity, of: slot) }
        if job.hasCheckpoint { jobs[slot].flags.insert(.hasCheckpoint) }
        if job.token != 0, let name = workerNames[job.worker],
            let holder = absentWorker(name, number: job.worker, at: now)
        {
            watch(job.deadline, of: slot, at: now)
            jobs[slot].state = .leased
            jobs[slot].token = job.token
            jobs[slot].worker = holder
            kinds[Int(kind)].leased += 1
            tenants[tenant].leased += 1
            jobs[slot].leasedAt = Ticks(now.monotonic)
            hadTurn(slot, at: now)
        } else if job.isCancelled {
            endUnleased(slot, ending: .cancelled, final: .cancelled)
        } else if !job.waitsFor.isEmpty {
            block(slot, runAt: nil, deadline: job.deadline, at: now)
        } else {
            watch(job.deadline, of: slot, at: now)
            schedule(slot, runAt: job.notBefore, at: now)
            if jobs[slot].state == .delayed, job.failures > 0 { hadTurn(slot, at: now) }
        }
    }

    /// A job was leased by a former owner: when it is ready again, it stands where its age says. (Those that are
    /// ready now come in that order.)
    private mutating func hadTurn(_ slot: Int32, at now: Now) {
        jobs[slot].setReady(at: now)
    }

    /// The record of a worker incarnation that holds leases from before and is not connected.
    private mutating func absentWorker(_ fullName: String, number: UInt32, at now: Now) -> Int32? {
        guard let incarnation = Self.incarnation(inName: fullName) else { return nil }
        if let index = workers.index(of: incarnation) { return index }
        names.restore(.worker, fullName, number: number)
        var record = WorkerRecord()
        record.name = fullName.lastIndex(of: "/").map { String(fullName[..<$0]) } ?? fullName
        record.incarnation = incarnation
        record.number = number
        record.deadline = now.monotonic + settings.leaseNanoseconds
        return workers.insert(record)
    }

    /// What `incarnationName` put behind the name.
    private static func incarnation(inName fullName: String) -> UInt64? {
        guard let slash = fullName.lastIndex(of: "/"),
            let incarnation = UInt64(fullName[fullName.index(after: slash)...], radix: 16), incarnation != 0
        else { return nil }
        return incarnation
    }
}
