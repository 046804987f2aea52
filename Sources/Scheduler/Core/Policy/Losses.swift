// What a worker's end says of the jobs that it had. One that takes its worker down with it, time and again, is poison;
// those that stood beside it are not.
//
// Slots take leases in their order: what stood behind the slots cannot be told to have begun, and goes back as it came.
// What was in a lost worker, wherever it stood there, is suspect: it takes free slots alone and stands behind nobody, so
// that the next loss says whether it had begun. What another loss may make dead is accused: never two of these are in one
// worker, and one that is empty takes them before all others, and nothing else for a while. For only what is lost with
// nothing beside it is found out; what was lost beside others is dead much later, so that nothing kills workers for ever.
// A worker that one of them left alive takes the next beside others: who waits does so for one of them, not for all.

import StatexProtocol

/// How far a job is from being held for poison.
package enum Suspicion: Sendable {
    case none
    /// It was in a worker that was lost: it takes free slots alone.
    case suspect
    /// It is dead with one loss more that is of it alone.
    case accused

    init(losses: Int) { self = losses >= Limits.losses - 1 ? .accused : .suspect }
}

/// The losses of one job.
struct JobLosses {
    /// Counted once a worker incarnation: one that comes and goes must not make a job poison.
    var workers: [UInt64]
    /// How long it had its lease at most when it was lost, in nanoseconds; of losses before this owner it is not known.
    var longest: Int64 = 0
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
        let isAlone = sentLeases(of: index) == 1
        while workers[index].leases.head >= 0 {
            let slot = workers[index].leases.head
            loseLease(slot, ending: wasSent(jobs[slot].token) ? ending : .returned, isAlone: isAlone, at: now)
        }
        remember(departing: index)
        tell(isGoodbye ? .workerLeft : .workerLost, index, at: now)
        names.forget(.worker, Self.incarnationName(workers[index].name, workers[index].incarnation))
        workers.remove(index)
        fleet += 1
    }

    /// Ends a lease that its worker will not report.
    ///
    /// - Parameters:
    ///   - mayHaveBegun: of one that is returned; its start then stays counted in the limits.
    ///   - isAlone: of one that is lost: nothing else had begun in its worker.
    mutating func loseLease(
        _ slot: Int32, ending: Ending, mayHaveBegun: Bool = false, isAlone: Bool = false, at now: Now
    ) {
        let token = jobs[slot].token
        let incarnation = workers[jobs[slot].worker].incarnation
        if ending == .returned, !mayHaveBegun { startUndone(slot) }
        let lease = endLease(slot)
        var final = jobs[slot].flags.stopState
        if ending == .lost {
            counts.lost += 1
            if count(lossOf: slot, with: incarnation, at: now), final == nil {
                let most = isAlone ? Limits.losses : Limits.lossesBesideOthers
                if Int(jobs[slot].losses) >= most { final = .dead }
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

    private func sentLeases(of worker: Int32) -> Int {
        var count = 0
        var slot = workers[worker].leases.head
        while slot >= 0 {
            if wasSent(jobs[slot].token) { count += 1 }
            slot = jobs[slot].next
        }
        return count
    }

    /// - Returns: false: it was lost with this worker incarnation before.
    private mutating func count(lossOf slot: Int32, with incarnation: UInt64, at now: Now) -> Bool {
        let held = jobs[slot].leasedAt.nanoseconds(until: Ticks(now.monotonic))
        var losses = lostWith[jobs[slot].id] ?? JobLosses(workers: [])
        losses.longest = max(losses.longest, held)
        let isNew = !losses.workers.contains(incarnation)
        if isNew {
            losses.workers.append(incarnation)
            jobs[slot].losses += 1
        }
        lostWith[jobs[slot].id] = losses
        return isNew
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
    /// that are kept full would never have any.
    mutating func keepSlots(for queue: Int32, at now: Now) {
        let (kind, suspicion) = (queues[Int(queue)].kind, queues[Int(queue)].suspicion)
        for worker in workers.indices
        where serves(worker, queue) && hasResources(worker, for: kind) && mayHold(worker, suspicion, at: now)
            && workers[worker].quarantine.mayTake(kind, at: now.monotonic)
        {
            workers[worker].keptInRound = dispatchRound
        }
    }

    func isKept(_ worker: Int32) -> Bool { workers[worker].keptInRound == dispatchRound }

    /// Whether a worker may have such a job beside what it holds, if it has room.
    func mayHold(_ worker: Int32, _ suspicion: Suspicion, at now: Now) -> Bool {
        guard workers[worker].accused > 0 else { return true }
        return suspicion != .accused && workers[worker].aloneUntil <= now.monotonic
    }

    /// An empty worker for a job that is accused, and one that is warm for it first. Where it is the turn of others, it
    /// goes in its order with them.
    func emptyTaker(_ slot: Int32, at now: Now) -> Int32? {
        let (kind, queue, key) = (jobs[slot].kind, jobs[slot].queue, affinity(slot))
        var taker: Int32?
        for worker in workers.indices
        where workers[worker].leases.count == 0 && workers[worker].freeSlots > 0 && !workers[worker].owesTurn
            && serves(worker, queue) && hasResources(worker, for: kind)
            && workers[worker].quarantine.mayTake(kind, at: now.monotonic)
        {
            if let key, workers[worker].warm.contains(key) { return worker }
            taker = taker ?? worker
        }
        return taker
    }

    /// A job that is accused is leased. In a worker of its own it stays alone for long enough to show what it is: what
    /// kills mostly does so when it did before. Others need not wait for all that it has to do.
    mutating func holdAccused(_ slot: Int32, in worker: Int32, isEmpty: Bool, at now: Now) {
        workers[worker].accused += 1
        guard isEmpty, !workers[worker].owesTurn else { return workers[worker].aloneUntil = 0 }
        let bounds = Limits.aloneMilliseconds
        let alone = (lostWith[jobs[slot].id]?.longest ?? 0) / 500_000
        workers[worker].aloneUntil =
            now.monotonic + min(max(alone, bounds.lowerBound), bounds.upperBound) * 1_000_000
        wake(
            Timers.Entry(due: workers[worker].aloneUntil, id: UInt64(worker), slot: worker, purpose: .worker))
    }
}
