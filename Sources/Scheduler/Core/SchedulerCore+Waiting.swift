import StatexProtocol

// Why does a job wait? Looks at what dispatch looks at, and never changes anything.

extension SchedulerCore {
    /// The one reason why each of these jobs waits, as things stand now.
    ///
    /// - Parameter journalDown: nothing can be made durable at the moment.
    package mutating func explain(_ ids: [JobID], journalDown: String?, at now: Now) -> [Explanation] {
        var delayed: [UInt64] = []
        for id in ids {
            if let slot = jobs.slot(of: id.rawValue), jobs[slot].state == .delayed { delayed.append(id.rawValue) }
        }
        let times = timers.readyTimes(of: delayed)
        return ids.map { explain($0, readyAt: times[$0.rawValue], journalDown: journalDown, at: now) }
    }

    package mutating func explain(_ id: JobID, journalDown: String?, at now: Now) -> Explanation {
        explain(id, readyAt: timers.readyTimes(of: [id.rawValue])[id.rawValue], journalDown: journalDown, at: now)
    }

    private mutating func explain(_ id: JobID, readyAt: Int64?, journalDown: String?, at now: Now) -> Explanation {
        guard let slot = jobs.slot(of: id.rawValue), !jobs[slot].state.isFinal else {
            return Explanation(id, state: nil, reason: .none)
        }
        var explanation = explain(slot, readyAt: readyAt, at: now)
        if explanation.reason == .afterJobs { explanation.detail = awaited(by: slot) }
        if let journalDown, explanation.reason == .next || explanation.reason == .committing {
            explanation.reason = .journalBehind
            explanation.detail = journalDown
        }
        return explanation
    }

    private func explain(_ slot: Int32, readyAt: Int64?, at now: Now) -> Explanation {
        let job = jobs[slot]
        func because(_ reason: WaitingReason, until: Int64? = nil, _ detail: String = "") -> Explanation {
            let wall = until.map { now.wall + ($0 - now.monotonic) / 1_000 } ?? 0
            return Explanation(JobID(rawValue: job.id), state: job.state, reason: reason, until: wall, detail: detail)
        }
        switch job.state {
        case .blocked: return because(.afterJobs)
        case .delayed where job.flags.contains(.heldRetry):
            let held = kinds[Int(job.kind)].heldRetries.count
            return because(
                .retryBudget, until: kinds[Int(job.kind)].budget.nextAt,
                waiting(held, "retry", "retries", "of kind \(kinds[Int(job.kind)].name)"))
        case .delayed: return because(.notDue, until: readyAt)
        case .leased:
            guard wasSent(job.token) else { return because(.committing) }
            let worker = workers[job.worker].name
            if let batch = formingBatch(of: slot, at: now) {
                return because(
                    .batchForming, until: batch.until, "\(batch.count) of at most \(batch.size) wait in \(worker)")
            }
            guard isBehindOthers(slot) else { return because(.none) }
            let until = now.monotonic + expectedRemaining(job.worker, at: now)
            if let key = warmKey(keeping: slot, at: now) {
                return because(.warmWorker, until: until, "\(worker) has \(key) warm, and is busy")
            }
            return because(.inWorker, until: until, "behind others in \(worker)")
        case .queued: break
        case .running, .succeeded, .failed, .dead, .cancelled, .expired: return because(.none)
        }
        let kind = kinds[Int(job.kind)]
        let tenant = tenants[job.tenant]
        if let who = pauses.everything { return because(.everythingPaused, "everything is paused by \(who)") }
        if let who = kind.pausedBy { return because(.kindPaused, "kind \(kind.name) is paused by \(who)") }
        if let who = tenant.pausedBy { return because(.tenantPaused, "tenant \(tenant.name) is paused by \(who)") }
        guard workers.indices.contains(where: { isWorking($0) && workers[$0].ownIndex(of: job.kind) != nil }) else {
            return because(.noWorkerForKind, "no worker has a handler for \(kind.name)")
        }
        guard workers.indices.contains(where: { isWorking($0) && serves($0, job.queue) }) else {
            let labels = labelSets[queues[Int(job.queue)].labels].joined(separator: ", ")
            return because(.noWorkerWithLabels, "no worker for \(kind.name) has all of: \(labels)")
        }
        let needs = needs(job.kind)
        guard
            needs.isEmpty
                || workers.indices.contains(where: {
                    isWorking($0) && serves($0, job.queue) && workers[$0].resources.suffice(for: needs)
                })
        else { return because(.noWorkerWithResources, "no worker for \(kind.name) has \(words(needs))") }
        switch kind.circuit.state(at: now.monotonic) {
        case .open(let until): return because(.circuitOpen, until: until, "every attempt of kind \(kind.name) failed")
        case .probing(let probe): return because(.circuitOpen, "job \(probe) tries kind \(kind.name)")
        case .closed, .due: break
        }
        switch kind.limit.verdict(running: kind.leased, at: now.monotonic) {
        case .full(let limit): return because(.kindLimit, "\(kind.leased) of at most \(limit) of kind \(kind.name) run")
        case .until(let time): return because(.kindRate, until: time, "kind \(kind.name) starts at its rate")
        case .open: break
        }
        switch tenant.limit.verdict(running: tenant.leased, at: now.monotonic) {
        case .full(let limit):
            return because(.tenantLimit, "\(tenant.leased) of at most \(limit) of tenant \(tenant.name) run")
        case .until(let time): return because(.tenantRate, until: time, "tenant \(tenant.name) starts at its rate")
        case .open: break
        }
        if batchTaker(slot, at: now) != nil { return because(.next) }
        let free = workers.indices.filter { workers[$0].freeSlots > 0 && serves($0, job.queue) }
        guard free.isEmpty else {
            guard free.contains(where: { hasResources($0, for: job.kind) }) else {
                return because(.resourcesBusy, "no worker with a free slot has \(words(needs)) left")
            }
            let roomy = free.filter { hasResources($0, for: job.kind) }
            let open = roomy.filter { mayHold($0, suspicion(of: slot), at: now) }
            guard !open.isEmpty else {
                guard !isAccused(slot) else {
                    return because(
                        .apart,
                        "one loss more may make it dead; each worker with a free slot has another such job, and no two "
                            + "share a worker")
                }
                let until = roomy.map { workers[$0].aloneUntil }.min()
                return because(
                    .apart, until: until,
                    "in each worker with a free slot a job that one loss more may make dead runs alone until then")
            }
            let isWanted = open.contains {
                workers[$0].quarantine.mayTake(job.kind, at: now.monotonic)
            }
            return isWanted
                ? because(.next)
                : because(
                    .quarantined, "kind \(kind.name) fails in \(free.map { workers[$0].name }.joined(separator: ", "))")
        }
        let queue = queues[Int(job.queue)]
        let alike = "of kind \(kind.name)" + (queue.labels == .none ? "" : " with the same labels")
        let wait = expectedWait(job.queue, at: now)
        let ahead = waiting(queue.count, "job", "jobs", alike)
        return because(.slotsBusy, until: now.monotonic + wait, "\(ahead), and the time counts no others")
    }

    private func waiting(_ count: Int, _ one: String, _ many: String, _ which: String) -> String {
        count == 1 ? "1 \(one) \(which) waits" : "\(count) \(many) \(which) wait"
    }

    private func words(_ needs: [ResourceAmount]) -> String {
        needs.map { "\($0.amount) \($0.name)" }.joined(separator: " and ")
    }

    func isWorking(_ worker: Int32) -> Bool { workers[worker].isConnected && !workers[worker].isDraining }

    /// When the last job that waits in this queue should start, if nothing else comes and its workers took nothing of
    /// other queues: an estimate. What those hold would have to be counted for each of them and each worker.
    private func expectedWait(_ queue: Int32, at now: Now) -> Int64 {
        var slots = 0
        var soonest = Int64.max
        for worker in workers.indices where isWorking(worker) && serves(worker, queue) {
            slots += workers[worker].slots
            soonest = min(soonest, expectedRemaining(worker, at: now))
        }
        guard slots > 0 else { return 0 }
        let run = kinds[Int(queues[Int(queue)].kind)].run.expected
        let ahead = Int64(queues[Int(queue)].count).multipliedReportingOverflow(by: run)
        // A century at most: it is shown as a date.
        return min(max(soonest, 0) + (ahead.overflow ? .max / 4 : ahead.partialValue) / Int64(slots), 3 << 60)
    }
}
