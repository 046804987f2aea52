import StatexProtocol

// Events for who subscribes: made only while the shell says that somebody does.

extension SchedulerCore {
    /// What happened to a worker, for those who listen now: the journal has nothing of it.
    package struct WorkerEvent: Sendable, Equatable {
        package var type: EventType
        package var incarnation: UInt64
        package var name: String
        package var slots: Int
        package var at: Int64
    }

    /// Makes the events of the commit under way, which is durable; the jobs that end with it are still in memory.
    mutating func tell(_ batch: CommitBatch) {
        guard tellsEvents else {
            // It may have had some.
            lastTold = batch.head.batch
            return
        }
        toldBefore = lastTold
        // The journal has refused their content with all that was asked of them.
        for row in batch.outcomes where row.slot == CommitBatch.OutcomeRow.refusedAtCommit {
            guard let slot = jobs.slot(of: row.id), retries.removeValue(forKey: row.id) != nil else { continue }
            jobs[slot].flags.remove(.isRetry)
        }
        var events = CommitEvents()
        swap(&events, &self.events)
        events.derive(
            jobs: batch.jobs, leases: batch.leases, outcomes: batch.outcomes, at: batch.head.at, from: &self)
        if !events.all.isEmpty { lastTold = batch.head.batch }
        swap(&events, &self.events)
    }

    /// For a row that is being made; nil: its event is to look the job up, if one is made.
    @inline(__always)
    func eventSubject(_ slot: Int32) -> CommitBatch.Subject? {
        guard tellsEvents, !jobs[slot].flags.contains(.isRetry) else { return nil }
        return CommitBatch.Subject(
            kind: jobs[slot].kind, tenant: jobs[slot].tenant, index: jobs[slot].index, count: jobs[slot].count)
    }

    mutating func tell(_ type: EventType, _ worker: Int32, at now: Now) {
        workerEventsMade += 1
        guard tellsEvents else { return }
        workerEvents.append(
            WorkerEvent(
                type: type, incarnation: workers[worker].incarnation, name: workers[worker].name,
                slots: workers[worker].slots, at: now.wall))
    }

    /// Events of workers since the last call, and the number of the first one.
    package mutating func takeWorkerEvents() -> (first: UInt64, events: [WorkerEvent]) {
        let events = workerEvents
        workerEvents.removeAll(keepingCapacity: true)
        return (workerEventsMade + 1 - UInt64(events.count), events)
    }

    package var hasWorkerEvents: Bool { !workerEvents.isEmpty }

    package func tenantName(_ tenant: Int32) -> String { tenants[tenant].name }

    /// Whether the worker of a lease is still known.
    package func isPresent(_ lease: CommitBatch.EndedLease) -> Bool {
        lease.workerIndex >= 0 && Int(lease.workerIndex) < workers.records.count
            && workers[lease.workerIndex].number == lease.worker
    }

    /// The worker incarnation of a lease, as the journal names it.
    package func workerName(_ lease: CommitBatch.EndedLease) -> String {
        if isPresent(lease) {
            return Self.incarnationName(workers[lease.workerIndex].name, workers[lease.workerIndex].incarnation)
        }
        return departed.first { $0.number == lease.worker }?.name ?? ""
    }

    /// A worker is forgotten, and rows that name it are not durable yet.
    mutating func remember(departing worker: Int32) {
        let name = Self.incarnationName(workers[worker].name, workers[worker].incarnation)
        departed.append((number: workers[worker].number, name: name, until: nextBatch))
    }

    mutating func forgetDeparted() {
        guard !departed.isEmpty else { return }
        departed.removeAll { $0.until < committedBatch }
    }
}

extension SchedulerCore: EventFacts {
    package mutating func eventJob(_ id: UInt64, at slot: Int32) -> EventJob? {
        // A slot is the job's until its final outcome is durable, which is now.
        guard let slot = slot >= 0 ? slot : jobs.slot(of: id) else { return nil }
        let job = jobs[slot]
        guard job.id == id else { return nil }
        let isRetry = job.flags.contains(.isRetry)
        return EventJob(
            kind: job.kind, tenant: job.tenant,
            request: isRetry ? retries[id] ?? id : id - UInt64(job.index), index: job.index, count: job.count,
            isRetryByHand: isRetry)
    }

    package mutating func standing(ofRequestOf id: UInt64, at slot: Int32) -> RequestStanding? {
        guard let slot = slot >= 0 ? slot : jobs.slot(of: id), jobs[slot].tally >= 0 else { return nil }
        return tallies[jobs[slot].tally]
    }

    package func lease(of row: CommitBatch.OutcomeRow) -> CommitBatch.EndedLease { row.lease }
}
