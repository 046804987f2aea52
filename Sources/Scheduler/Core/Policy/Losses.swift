import StatexProtocol

// What a worker's end says of the jobs that it had. One that takes its worker down with it, time and again, is poison;
// those that stood beside it are not.
//
// Slots take leases in their order: what stood behind the slots cannot be told to have begun, and goes back as it came.
// What was in a lost worker, wherever it stood there, is suspect: it takes free slots alone and stands behind nobody, so
// that the next loss says whether it had begun. What the next loss would make dead is accused: it runs alone in its worker,
// so that only that one dies which it was.

/// How far a job is from being held for poison.
package enum Suspicion: Sendable {
    case none
    /// It was in a worker that was lost: it takes free slots alone.
    case suspect
    /// It is dead with one loss more: it runs alone in a worker.
    case accused

    init(losses: Int) { self = losses >= Limits.losses - 1 ? .accused : .suspect }
}

extension SchedulerCore {
    /// A worker is gone.
    ///
    /// - Parameter ending: of the leases that it may have had; what was never sent is returned.
    mutating func workerGone(_ index: Int32, ending: Ending, isGoodbye: Bool = false, at now: Now) {
        if ending == .lost {
            // From the end: the first of a batch goes after those that joined it.
            for slot in waiting(in: index).reversed() where wasSent(jobs[slot].token) {
                loseLease(slot, ending: .returned, mayHaveBegun: true, at: now)
            }
        }
        while workers[index].leases.head >= 0 {
            let slot = workers[index].leases.head
            loseLease(slot, ending: wasSent(jobs[slot].token) ? ending : .returned, at: now)
        }
        if cell == index { cell = -1 }
        remember(departing: index)
        tell(isGoodbye ? .workerLeft : .workerLost, index, at: now)
        names.forget(.worker, Self.incarnationName(workers[index].name, workers[index].incarnation))
        workers.remove(index)
        fleet += 1
    }

    /// Ends a lease that its worker will not report.
    ///
    /// - Parameter mayHaveBegun: of one that is returned; its start then stays counted in the limits.
    mutating func loseLease(_ slot: Int32, ending: Ending, mayHaveBegun: Bool = false, at now: Now) {
        let token = jobs[slot].token
        let incarnation = workers[jobs[slot].worker].incarnation
        if ending == .returned, !mayHaveBegun { startUndone(slot) }
        let lease = endLease(slot)
        var final = jobs[slot].flags.stopState
        if ending == .lost {
            counts.lost += 1
            let id = jobs[slot].id
            // Counted once a worker incarnation: one that comes and goes must not make a job poison.
            if lostWith[id]?.contains(incarnation) != true {
                lostWith[id, default: []].append(incarnation)
                jobs[slot].losses += 1
                if Int(jobs[slot].losses) >= Limits.losses, final == nil { final = .dead }
            }
        } else {
            counts.returned += 1
        }
        if ending == .lost || mayHaveBegun { suspect(slot) }
        write(
            CommitBatch.OutcomeRow(
                id: jobs[slot].id, token: token, started: 0, ended: 0, retry: -1, ending: ending, final: final,
                result: -1,
                slot: slot, lease: lease))
        if final == nil { makeReady(slot, at: now) }
    }

    /// The job was in a worker that was lost: it waits in another queue from now on.
    private mutating func suspect(_ slot: Int32) {
        let queue = Int(jobs[slot].queue)
        jobs[slot].queue = queueIndex(
            queues[queue].kind, queues[queue].labels, suspicion: Suspicion(losses: Int(jobs[slot].losses)))
    }

    func isSuspect(_ slot: Int32) -> Bool { queues[Int(jobs[slot].queue)].suspicion != .none }
    func isAccused(_ slot: Int32) -> Bool { suspicion(of: slot) == .accused }
    func suspicion(of slot: Int32) -> Suspicion { queues[Int(jobs[slot].queue)].suspicion }

    /// The next job of a queue waits for a free slot: where one would do, nothing may wait for it meanwhile, or workers
    /// that are kept full would never have any. One that is accused waits for a whole worker.
    mutating func keepSlots(for queue: Int32, at now: Now) {
        let kind = queues[Int(queue)].kind
        guard queues[Int(queue)].suspicion != .accused else { return keepCell(for: queue, at: now) }
        for worker in workers.indices
        where serves(worker, queue) && hasResources(worker, for: kind) && mayHold(worker, .suspect)
            && (workers[worker].quarantine.isEmpty || workers[worker].quarantine.mayTake(kind, at: now.monotonic))
        {
            workers[worker].keptInRound = dispatchRound
        }
    }

    func isKept(_ worker: Int32) -> Bool { workers[worker].keptInRound == dispatchRound }

    /// Whether a worker may have such a job beside what it holds, if it has room: who is accused is there alone.
    func mayHold(_ worker: Int32, _ suspicion: Suspicion) -> Bool {
        guard workers[worker].accused == 0 else { return false }
        return suspicion == .accused ? workers[worker].leases.count == 0 : worker != cell
    }

    /// The next job of a queue waits for a worker of its own, and none is empty: one takes nothing else from now on, that
    /// which such a job has already, or else that which is through with the others soonest. Never two: that others wait
    /// costs as much as it has slots.
    private mutating func keepCell(for queue: Int32, at now: Now) {
        guard cell < 0 else { return }
        var soonest = Int64.max
        for worker in workers.indices where mayBeCell(worker, for: queue, at: now) {
            let remaining = workers[worker].accused > 0 ? -1 : expectedRemaining(worker, at: now)
            if remaining < soonest { (cell, soonest) = (worker, remaining) }
        }
    }

    private func mayBeCell(_ worker: Int32, for queue: Int32, at now: Now) -> Bool {
        let kind = queues[Int(queue)].kind
        return isWorking(worker) && serves(worker, queue) && workers[worker].resources.suffice(for: needs(kind))
            && (workers[worker].quarantine.isEmpty || workers[worker].quarantine.mayTake(kind, at: now.monotonic))
    }

    /// Opens the cell to all if no accused job waits for it any more.
    mutating func reviewCell(at now: Now) {
        guard cell >= 0 else { return }
        for queue in queues.indices where queues[queue].suspicion == .accused && queues[queue].count > 0 {
            if mayBeCell(cell, for: Int32(queue), at: now), mayStart(queues[queue].kind, at: now),
                next(Int32(queue), at: now) != nil
            {
                return
            }
        }
        cell = -1
    }
}
