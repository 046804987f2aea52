import StatexProtocol

extension SchedulerCore {
    /// Leases ready jobs to workers with free credit: first to free slots, then to prefetch.
    ///
    /// The leases leave when their commit is durable. Called once after each batch of events.
    package mutating func dispatch(at now: Now) {
        guard !workers.indices.isEmpty else { return }
        for kind in kinds.indices where kinds[kind].ready.count > 0 {
            // One at a time to free slots, so that few jobs spread over many workers …
            while leaseRound(Int32(kind), limit: { $0.freeSlots > 0 ? 1 : 0 }) {}
            // … and what is left in equal shares, so that the runs stay long.
            guard kinds[kind].ready.count > 0 else { continue }
            let takers = workers.indices.count {
                workers[$0].freeCredit > 0 && workers[$0].ownIndex(of: Int32(kind)) != nil
            }
            guard takers > 0 else { continue }
            let share = max(1, kinds[kind].ready.count / takers)
            while leaseRound(Int32(kind), limit: { min($0.freeCredit, share) }) {}
        }
        dispatchStart = (dispatchStart + 1) % Int32(workers.indices.count)
    }

    /// One round over the workers.
    /// - Returns: whether another round may lease more.
    private mutating func leaseRound(_ kind: Int32, limit: (borrowing WorkerRecord) -> Int) -> Bool {
        var leasedAny = false
        let count = Int32(workers.indices.count)
        for step in 0..<count {
            let index = (dispatchStart + step) % count
            let room = limit(workers[index])
            guard room > 0, workers[index].ownIndex(of: kind) != nil else { continue }
            for _ in 0..<room {
                guard let slot = kinds[Int(kind)].ready.popFirst(in: &jobs) else { return false }
                lease(slot, to: index)
                leasedAny = true
            }
        }
        return leasedAny
    }

    private mutating func lease(_ slot: Int32, to worker: Int32) {
        let token = nextToken
        nextToken += 1
        jobs[slot].state = .leased
        jobs[slot].token = token
        jobs[slot].worker = worker
        workers[worker].leases.append(slot, in: &jobs)
        kinds[Int(jobs[slot].kind)].leased += 1
        counts.leased += 1
        gathering.leases.append(
            CommitBatch.LeaseRow(
                id: jobs[slot].id, token: token, worker: workers[worker].number, attempt: jobs[slot].attempt,
                slot: slot,
                workerIndex: worker))
    }

    /// Takes a job from its worker: the lease is over.
    mutating func endLease(_ slot: Int32) {
        let worker = jobs[slot].worker
        precondition(worker >= 0 && jobs[slot].token != 0, "a lease ends that is none")
        workers[worker].leases.remove(slot, in: &jobs)
        kinds[Int(jobs[slot].kind)].leased -= 1
        jobs[slot].worker = -1
        jobs[slot].token = 0
        jobs[slot].flags.remove(.unclaimed)
    }

    /// Whether the lease's commit is durable, so that its worker may have it.
    func wasSent(_ token: UInt64) -> Bool { token < durableToken }
}
