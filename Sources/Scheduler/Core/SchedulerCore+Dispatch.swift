import StatexProtocol

extension SchedulerCore {
    /// Jobs of one queue in a row before another has a look in.
    private static var turn: Int { 16 }

    /// Leases ready jobs: first to free slots, then to prefetch; and what is ready nowhere is stolen for
    /// slots that are still free.
    ///
    /// The leases leave when their commit is durable. Called once after each batch of events.
    package mutating func dispatch(at now: Now, into out: inout Outbox) {
        // Also while nobody could take them: they wait for something else then.
        _ = releaseRetries(at: now)
        guard !workers.indices.isEmpty else { return }
        tellDrains(into: &out)
        if !tripped.isEmpty { recallTripped(at: now, into: &out) }
        guard pauses.everything == nil else { return }
        if tenants.areFar {
            tenants.rebase()
            relistAll()
        }
        lookAtWorkers(at: now)
        repeat {
            deal(toFreeSlots: true, at: now)
            deal(toFreeSlots: false, at: now)
            // First attempts that were leased make room in the budget for retries.
        } while releaseRetries(at: now)
        waitForRates(at: now)
        if settings.stealing { steal(at: now, into: &out) }
        dispatchStart = (dispatchStart + 1) % Int32(workers.indices.count)
    }

    /// Deals jobs out, one to a worker in turn, until no queue and worker with room are left that fit.
    private mutating func deal(toFreeSlots: Bool, at now: Now) {
        dispatchRound += 1
        mostUrgentSkipped = .max
        gatherQueues(at: now)
        if toFreeSlots, roundHasSuspects { dealToEmptyWorkers(at: now) }
        while let (queue, first) = nextQueue(at: now) {
            let before = queued
            dealTurn(of: queue, first, toFreeSlots, at: now)
            if queued < before { turns &+= 1 }
        }
    }

    /// Where nothing else is, what is accused goes before all others, one to a worker.
    private mutating func dealToEmptyWorkers(at now: Now) {
        for queue in inRound where queues[Int(queue)].suspicion == .accused {
            while mayStart(queues[Int(queue)].kind, at: now), let choice = next(queue, at: now),
                let worker = emptyTaker(choice.slot, at: now)
            {
                queues[Int(queue)].take(choice, in: &jobs)
                lease(choice.slot, to: worker, at: now)
            }
        }
    }

    /// The queues that this round looks at. In a round they only become fewer: limits only fill up.
    private mutating func gatherQueues(at now: Now) {
        inRound.removeAll(keepingCapacity: true)
        roundHasSuspects = false
        for queue in queues.indices where queues[queue].count > 0 && queues[queue].unservedBy != fleet {
            guard workers.indices.contains(where: { serves($0, Int32(queue)) }) else {
                queues[queue].unservedBy = fleet
                continue
            }
            inRound.append(Int32(queue))
            if queues[queue].suspicion != .none { roundHasSuspects = true }
        }
    }

    /// The queue whose next job goes first: by priority, then by its tenant's pass, then by age.
    private mutating func nextQueue(at now: Now) -> (queue: Int32, ReadyQueue.Choice)? {
        var best: (queue: Int32, choice: ReadyQueue.Choice)?
        var kept = 0
        for queue in inRound {
            guard queues[Int(queue)].skippedInRound != dispatchRound, mayStart(queues[Int(queue)].kind, at: now),
                let choice = next(queue, at: now)
            else { continue }
            inRound[kept] = queue
            kept += 1
            if let before = best,
                (before.choice.level, before.choice.pass, jobs[before.choice.slot].id)
                    <= (choice.level, choice.pass, jobs[choice.slot].id)
            {
                continue
            }
            best = (queue, choice)
        }
        inRound.removeLast(inRound.count - kept)
        guard let best, settings.ageing.isTurn(turns) else { return best }
        return agedQueue(behind: best, at: now) ?? best
    }

    /// Of the queues whose next job is of a lower priority than the best one, that whose has waited longest, and for
    /// long enough: a kind of high priority must not starve another as it would not starve its own.
    private mutating func agedQueue(
        behind best: (queue: Int32, choice: ReadyQueue.Choice), at now: Now
    ) -> (queue: Int32, ReadyQueue.Choice)? {
        var aged: (queue: Int32, choice: ReadyQueue.Choice)?
        var longest = settings.ageing.afterNanoseconds
        for queue in inRound {
            guard var choice = next(queue, at: now), choice.level > best.choice.level else { continue }
            let waited = jobs[choice.slot].age(at: now)
            guard waited >= longest else { continue }
            longest = waited
            choice.level = 0
            aged = (queue, choice)
        }
        return aged
    }

    mutating func next(_ queue: Int32, at now: Now) -> ReadyQueue.Choice? {
        queues[Int(queue)].next(ageing: settings.ageing, at: now, queue: queue, tenants: &tenants, jobs: jobs)
    }

    /// Whether the kind's own limits let a job be leased. One that then waits in a worker uses the limit up as
    /// one that runs does; it waits there only while no slot is free, or busy workers would never get to it.
    mutating func mayStart(_ kind: Int32, at now: Now) -> Bool {
        guard kinds[Int(kind)].pausedBy == nil, kinds[Int(kind)].circuit.mayStart(at: now.monotonic) else {
            return false
        }
        guard kinds[Int(kind)].limit.isSet else { return true }
        switch kinds[Int(kind)].limit.verdict(running: kinds[Int(kind)].leased, at: now.monotonic) {
        case .open: return true
        case .full: return false
        case .until(let time):
            if kinds[Int(kind)].wakesAt != time {
                kinds[Int(kind)].wakesAt = time
                wake(Timers.Entry(due: time, id: UInt64(kind), slot: kind, purpose: .kind))
            }
            return false
        }
    }

    /// The next worker in turn that has room for a job of this queue.
    private mutating func nextTaker(_ queue: Int, _ toFreeSlots: Bool, at now: Now) -> Int32? {
        if queues[queue].takers.round != dispatchRound { gatherTakers(queue, toFreeSlots, at: now) }
        while let worker = queues[queue].takers.next {
            // In a round room only shrinks: who has none is out of it.
            guard room(worker, queue, toFreeSlots, at: now) > 0, hasResources(worker, for: queues[queue].kind),
                workers[worker].quarantine.mayTake(queues[queue].kind, at: now.monotonic)
            else {
                queues[queue].takers.drop()
                continue
            }
            queues[queue].takers.advance()
            return worker
        }
        return nil
    }

    private mutating func gatherTakers(_ queue: Int, _ toFreeSlots: Bool, at now: Now) {
        queues[queue].takers.begin(round: dispatchRound)
        let count = Int32(workers.indices.count)
        for step in 0..<count {
            let worker = (dispatchStart + step) % count
            if room(worker, queue, toFreeSlots, at: now) > 0, serves(worker, Int32(queue)) {
                queues[queue].takers.add(worker)
            }
        }
    }

    private func room(_ worker: Int32, _ queue: Int, _ toFreeSlots: Bool, at now: Now) -> Int {
        guard mayHold(worker, queues[queue].suspicion, at: now) else { return 0 }
        if toFreeSlots { return workers[worker].freeSlots }
        guard !workers[worker].isOverrun, !isKept(worker) else { return 0 }
        guard !workers[worker].forming.isEmpty else { return workers[worker].freeCredit }
        return max(
            workers[worker].freeCredit, workers[worker].batchRoom(of: queues[queue].kind, at: now.monotonic))
    }

    func hasResources(_ worker: Int32, for kind: Int32) -> Bool {
        kinds[Int(kind)].policy.needs.isEmpty || workers[worker].resources.haveRoom(for: needs(kind))
    }

    func serves(_ worker: Int32, _ queue: Int32) -> Bool {
        guard workers[worker].ownIndex(of: queues[Int(queue)].kind) != nil else { return false }
        let labels = queues[Int(queue)].labels
        return labels == .none || workers[worker].has(labelSets[labels])
    }

    /// Deals jobs of one queue round the workers that have room. A turn is short when others wait too; alone,
    /// the queue goes on until it or the room is used up.
    private mutating func dealTurn(
        of queue: Int32, _ first: ReadyQueue.Choice, _ toFreeSlots: Bool, at now: Now
    ) {
        if !toFreeSlots, queues[Int(queue)].suspicion != .none {
            keepSlots(for: queue, at: now)
            queues[Int(queue)].skippedInRound = dispatchRound
            return
        }
        let kind = queues[Int(queue)].kind
        let isAlone = queues[Int(queue)].count == queued
        var left = isAlone ? Int.max : toFreeSlots || roundHasSuspects ? 1 : Self.turn
        let isKindLimited = kinds[Int(kind)].limit.isSet || !kinds[Int(kind)].circuit.isClosed
        var choice = first
        while left > 0 {
            guard
                let worker = batchTaker(choice.slot, at: now) ?? warmTaker(choice, at: now)
                    ?? nextTaker(Int(queue), toFreeSlots, at: now)
            else {
                if queues[Int(queue)].suspicion != .none { keepSlots(for: queue, at: now) }
                queues[Int(queue)].skippedInRound = dispatchRound
                mostUrgentSkipped = min(mostUrgentSkipped, choice.level)
                return
            }
            queues[Int(queue)].take(choice, in: &jobs)
            lease(choice.slot, to: worker, at: now)
            left -= 1
            guard !isKindLimited || mayStart(kind, at: now), let following = next(queue, at: now) else { return }
            choice = following
        }
    }

    private mutating func lease(_ slot: Int32, to worker: Int32, at now: Now) {
        let token = nextToken
        nextToken += 1
        let kind = Int(jobs[slot].kind)
        let expected = kinds[kind].run.expected
        jobs[slot].state = .leased
        jobs[slot].token = token
        jobs[slot].worker = worker
        jobs[slot].leasedAt = Ticks(now.monotonic)
        jobs[slot].expected = UInt32(clamping: expected / 1_000)
        if let key = affinity(slot) { workers[worker].warm.used(key) }
        let isEmpty = workers[worker].leases.count == 0
        workers[worker].leases.append(slot, in: &jobs)
        if isAccused(slot) { holdAccused(slot, in: worker, isEmpty: isEmpty, at: now) }
        workers[worker].owesTurn = false
        formBatch(slot, in: worker, at: now)
        workers[worker].expected += Int64(jobs[slot].expected)
        queued -= 1
        kinds[kind].queued -= 1
        kinds[kind].leased += 1
        if !kinds[kind].policy.needs.isEmpty, !jobs[slot].flags.contains(.joinsBatch) {
            workers[worker].resources.take(kinds[kind].policy.needs)
        }
        kinds[kind].limit.started(at: now.monotonic)
        if jobs[slot].failures == 0, !jobs[slot].flags.contains(.hasPaidBudget) {
            jobs[slot].flags.insert(.hasPaidBudget)
            kinds[kind].budget.firstAttempt()
            kinds[kind].counts.queueWait.add(jobs[slot].age(at: now))
        }
        kinds[kind].circuit.started(jobs[slot].id)
        if !workers[worker].quarantine.isEmpty {
            workers[worker].quarantine.started(jobs[slot].id, of: jobs[slot].kind)
        }
        tenants.leased(jobs[slot].tenant, expected: expected, at: now)
        counts.leased += 1
        kinds[kind].counts.leased += 1
        gathering.leases.append(
            CommitBatch.LeaseRow(
                id: jobs[slot].id, token: token, worker: workers[worker].number, attempt: jobs[slot].attempt,
                slot: slot, workerIndex: worker, subject: eventSubject(slot)))
    }

    /// Takes a job from its worker: the lease is over.
    mutating func endLease(_ slot: Int32) -> CommitBatch.EndedLease {
        let worker = jobs[slot].worker
        let ended = CommitBatch.EndedLease(
            worker: workers[worker].number, workerIndex: worker, attempt: jobs[slot].attempt)
        precondition(worker >= 0 && jobs[slot].token != 0, "a lease ends that is none")
        if jobs[slot].flags.contains(.stealing) { stealEnded(slot) }
        workers[worker].leases.remove(slot, in: &jobs)
        if isAccused(slot) { workers[worker].accused -= 1 }
        workers[worker].expected -= Int64(jobs[slot].expected)
        let kind = jobs[slot].kind
        kinds[Int(kind)].leased -= 1
        if !kinds[Int(kind)].policy.needs.isEmpty, !jobs[slot].flags.contains(.joinsBatch) {
            workers[worker].resources.giveBack(needs(kind))
        }
        leaveBatch(slot)
        kinds[Int(kind)].circuit.ended(jobs[slot].id)
        if !workers[worker].quarantine.isEmpty { workers[worker].quarantine.ended(jobs[slot].id, of: kind) }
        let tenant = jobs[slot].tenant
        tenants[tenant].leased -= 1
        if tenants[tenant].pausedBy == nil { unpark(tenant) }
        jobs[slot].worker = -1
        jobs[slot].token = 0
        jobs[slot].flags.remove(.unclaimed)
        return ended
    }

    /// Learns from how long an attempt ran, and settles what its tenant was charged for it.
    mutating func account(_ slot: Int32, _ record: OutcomeRecord) {
        let ran = Int64(record.ranMicroseconds) * 1_000
        switch record.ending {
        case .succeeded, .failed:
            kinds[Int(jobs[slot].kind)].run.ran(nanoseconds: ran)
            kinds[Int(jobs[slot].kind)].counts.run.add(ran)
        case .returned, .cancelled, .expired, .lost: if ran == 0 { return startUndone(slot) }
        }
        tenants[jobs[slot].tenant].settle(overcharged: Int64(jobs[slot].expected) * 1_000 - ran)
    }

    /// A lease ended before its job started: neither its run time nor its start was used.
    mutating func startUndone(_ slot: Int32) {
        // A start that this owner did not count cannot be taken back.
        if jobs[slot].token >= firstToken {
            kinds[Int(jobs[slot].kind)].limit.undone(startedAt: jobs[slot].leasedAt)
            tenants[jobs[slot].tenant].limit.undone(startedAt: jobs[slot].leasedAt)
        }
        tenants[jobs[slot].tenant].settle(overcharged: Int64(jobs[slot].expected) * 1_000)
    }

    /// Whether the lease's commit is durable, so that its worker may have it.
    func wasSent(_ token: UInt64) -> Bool { token < durableToken }
}
