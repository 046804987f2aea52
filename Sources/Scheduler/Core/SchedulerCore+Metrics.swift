import StatexMetrics
import StatexProtocol

// What is counted for Prometheus: the histograms where the core knows the times, and the view that the shell
// takes once a second.

extension SchedulerCore {
    /// A job's final outcome is durable, and the job is about to be forgotten.
    mutating func measureEnd(of job: JobRecord, _ final: JobState, at now: Now) {
        let kind = Int(job.kind)
        kinds[kind].open -= 1
        kinds[kind].ending -= 1
        switch final {
        case .succeeded, .failed, .dead:
            // One that never was ready ended for another reason than an attempt of its own.
            if job.flags.contains(.wasReady) { kinds[kind].counts.endToEnd.add(job.age(at: now)) }
        case .cancelled, .expired, .blocked, .delayed, .queued, .leased, .running: break
        }
    }

    /// The core's part of what a scrape shows. It looks at kinds, lanes, tenants and workers, never at jobs, but for
    /// the first of each lane.
    package func metrics(at now: Now) -> SchedulerSnapshot {
        var snapshot = SchedulerSnapshot(takenAt: now.monotonic, epoch: epoch)
        for kind in kinds.indices { snapshot.add(metrics(ofKind: kind, at: now)) }
        snapshot.setTenants(
            (0..<Int32(tenants.count)).map {
                let tenant = tenants[$0]
                return SchedulerSnapshot.Tenant(
                    name: tenant.name, openJobs: tenant.backlog.jobs, openBytes: tenant.backlog.bytes,
                    leased: tenant.leased)
            })
        snapshot.openJobs = backlog.jobs
        snapshot.openBytes = backlog.bytes
        snapshot.mostOpenJobs = policies.bounds.jobs
        snapshot.mostOpenBytes = policies.bounds.bytes
        snapshot.clients = clients.count
        for index in workers.indices where workers.isPresent(index) { add(workers[index], to: &snapshot.workers) }
        snapshot.journal.waitingJobs = gatheredJobs
        snapshot.refusals = refusals
        snapshot.counts.repeated = counts.repeated
        snapshot.counts.duplicates = counts.duplicates
        snapshot.counts.stealsAsked = counts.stealsAsked
        snapshot.counts.stolen = counts.stolen
        snapshot.counts.stale = counts.stale
        snapshot.counts.putOff = counts.putOff
        return snapshot
    }

    func metrics(ofKind index: Int, at now: Now) -> SchedulerSnapshot.Kind {
        let kind = kinds[index]
        var oldest: Int64 = 0
        for queue in kind.queues { oldest = max(oldest, queues[Int(queue)].longestWait(in: jobs, at: now)) }
        return SchedulerSnapshot.Kind(
            name: kind.name, counts: kind.counts, open: openJobs(of: kind),
            backlogSeconds: Double(kind.queued) * Double(kind.run.expected) / 1_000_000_000,
            oldestSeconds: Double(oldest) / 1_000_000_000, heldRetries: kind.heldRetries.count,
            isPaused: kind.pausedBy != nil || pauses.everything != nil,
            isCircuitOpen: kind.circuit.state(at: now.monotonic) != .closed)
    }

    /// What is neither blocked, queued nor leased, and has not ended, waits for a time.
    func openJobs(of kind: KindRecord) -> SchedulerSnapshot.OpenJobs {
        SchedulerSnapshot.OpenJobs(
            blocked: kind.blocked, delayed: kind.open - kind.ending - kind.blocked - kind.queued - kind.leased,
            queued: kind.queued, leased: kind.leased)
    }

    private func add(_ worker: WorkerRecord, to sum: inout SchedulerSnapshot.Workers) {
        sum.leases += worker.leases.count
        guard worker.isConnected else { return sum.away += 1 }
        guard !worker.isDraining else { return sum.draining += 1 }
        sum.serving += 1
        sum.slots += worker.slots
        sum.credit += worker.credit
    }
}
