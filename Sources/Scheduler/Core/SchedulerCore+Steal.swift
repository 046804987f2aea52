import StatexProtocol

// Work stealing: a slot that is free while jobs wait unstarted in other workers gets some of those. And
// jobs that wait behind others that run much longer than was expected are called back into the queue.
//
// The scheduler asks a worker to give jobs back; the worker decides atomically, and only what it gave back
// is leased again, with a new token. What it has started it keeps, and says so.

extension SchedulerCore {
    /// A job moves so often at most: then it stays where it is.
    static var maxSteals: UInt8 { 3 }

    /// Notes which workers are stuck: those get nothing to wait there.
    mutating func lookAtWorkers(at now: Now) {
        let time = Ticks(now.monotonic)
        for worker in workers.indices {
            workers[worker].isOverrun = settings.stealing && isOverrun(worker, at: time)
        }
    }

    /// Whether each slot has a job that runs much longer than was expected. (Slots take leases in their
    /// order, so the first ones are those that run, and what joined them in a batch.)
    private func isOverrun(_ worker: Int32, at time: Ticks) -> Bool {
        var running = workers[worker].slots
        guard running > 0, workers[worker].held >= running else { return false }
        var slot = workers[worker].leases.head
        while slot >= 0, running > 0 {
            defer { slot = jobs[slot].next }
            if jobs[slot].flags.contains(.joinsBatch) { continue }
            running -= 1
            let (taken, wait) = expectedCall(slot)
            guard jobs[slot].leasedAt.nanoseconds(until: time) > 2 * taken - wait + settings.stealWorthNanoseconds
            else { return false }
        }
        return true
    }

    mutating func steal(at now: Now, into out: inout Outbox) {
        if workers.indices.contains(where: { isWorking($0) && !workers[$0].isOverrun }) {
            for worker in workers.indices where workers[worker].isOverrun && unstarted(worker) > 0 {
                ask(worker, for: nil, into: &out)
            }
        }
        guard workers.indices.contains(where: { isThief($0, at: now) }),
            workers.indices.contains(where: { unstarted($0) > 0 })
        else {
            return
        }
        let victims = victims(at: now)
        // Once a thief has looked at everything in vain: a fleet may have many that can help with none of it.
        var wanted: [Int32]?
        for thief in workers.indices where isThief(thief, at: now) {
            if let wanted, !wanted.contains(where: { serves(thief, $0) }) { continue }
            if let victim = victims.first(where: { mayRob($0.worker, thief) }) {
                ask(victim.worker, for: thief, into: &out)
            } else if wanted == nil {
                wanted = stealableQueues(of: victims)
            }
        }
    }

    /// It has a free slot, and no job for it is on its way.
    private func isThief(_ worker: Int32, at now: Now) -> Bool {
        workers[worker].freeSlots > workers[worker].awaitedSteals && mayHold(worker, .none, at: now)
    }

    /// Leases that wait in a worker behind its slots and were not asked back yet.
    private func unstarted(_ worker: Int32) -> Int {
        guard workers[worker].isConnected, !workers[worker].isResuming else { return 0 }
        return workers[worker].held - workers[worker].slots - workers[worker].askedBack
    }

    /// A worker whose waiting jobs are expected to wait longer than moving takes.
    private struct Victim {
        var worker: Int32
        var remaining: Int64
    }

    /// Those whose jobs wait longest first.
    private func victims(at now: Now) -> [Victim] {
        var victims: [Victim] = []
        for worker in workers.indices where unstarted(worker) > 0 {
            let remaining = expectedRemaining(worker, at: now)
            if remaining > settings.stealWorthNanoseconds {
                victims.append(Victim(worker: worker, remaining: remaining))
            }
        }
        victims.sort { ($1.remaining, $0.worker) < ($0.remaining, $1.worker) }
        return victims
    }

    private func mayRob(_ victim: Int32, _ thief: Int32) -> Bool {
        victim != thief && unstarted(victim) > 0 && lastStealable(of: victim, for: thief) >= 0
    }

    /// The queues of all jobs that may be taken from somebody.
    private func stealableQueues(of victims: [Victim]) -> [Int32] {
        var queues: [Int32] = []
        for victim in victims {
            var slot = workers[victim.worker].leases.tail
            for _ in 0..<max(0, workers[victim.worker].leases.count - workers[victim.worker].slots) {
                let queue = jobs[slot].queue
                if !queues.contains(queue), isStealable(slot, for: nil) { queues.append(queue) }
                slot = jobs[slot].previous
            }
        }
        return queues
    }

    /// Nanoseconds until a worker gets through what it holds. A job that ran longer than was expected is
    /// expected to take as long again: run times have long tails.
    func expectedRemaining(_ worker: Int32, at now: Now) -> Int64 {
        var sum = workers[worker].expected * 1_000
        let time = Ticks(now.monotonic)
        var slot = workers[worker].leases.head
        var running = workers[worker].slots
        while slot >= 0, running > 0 {
            defer { slot = jobs[slot].next }
            if jobs[slot].flags.contains(.joinsBatch) { continue }
            running -= 1
            let held = jobs[slot].leasedAt.nanoseconds(until: time)
            let (taken, wait) = expectedCall(slot)
            sum += held > taken ? held - taken : -max(held - wait, 0)
        }
        return max(sum, 0) / Int64(max(workers[worker].slots, 1))
    }

    private func isStealable(_ slot: Int32, for thief: Int32?) -> Bool {
        mayAskBack(slot) && jobs[slot].steals < Self.maxSteals && !jobs[slot].flags.contains(.joinsBatch)
            && batchmates(of: slot).allSatisfy { jobs[$0].steals < Self.maxSteals }
            && kinds[Int(jobs[slot].kind)].circuit.isClosed(but: jobs[slot].id)
            && (thief.map { mayHelp($0, slot) && !isKeptWarm(slot, from: $0) } ?? true)
    }

    private func mayAskBack(_ slot: Int32) -> Bool {
        jobs[slot].state == .leased && wasSent(jobs[slot].token) && jobs[slot].flags.stopState == nil
            && jobs[slot].flags.isDisjoint(with: [.stealing, .unclaimed])
    }

    private func mayHelp(_ thief: Int32, _ slot: Int32) -> Bool {
        serves(thief, jobs[slot].queue) && hasResources(thief, for: jobs[slot].kind)
            && workers[thief].quarantine.isClosed(for: jobs[slot].kind)
    }

    private func lastStealable(of victim: Int32, for thief: Int32) -> Int32 {
        var slot = workers[victim].leases.tail
        var waiting = workers[victim].held - workers[victim].slots
        while slot >= 0, waiting > 0 {
            if isStealable(slot, for: thief) { return slot }
            if !jobs[slot].flags.contains(.joinsBatch) { waiting -= 1 }
            slot = jobs[slot].previous
        }
        return -1
    }

    /// Asks for jobs that wait, from the end: what is first in the queue starts soonest where it is. For an
    /// idle worker half of them; for nobody all of them. What joined a batch goes with it.
    private mutating func ask(_ victim: Int32, for thief: Int32?, into out: inout Outbox) {
        var wanted = unstarted(victim)
        if let thief {
            wanted = min((wanted + 1) / 2, max(1, workers[thief].freeCredit - workers[thief].awaitedSteals))
        }
        var waiting = workers[victim].held - workers[victim].slots
        var slot = workers[victim].leases.tail
        while slot >= 0, wanted > 0, waiting > 0 {
            let isOwn = !jobs[slot].flags.contains(.joinsBatch)
            if isStealable(slot, for: thief) {
                ask(victim, for: thief, slot, into: &out)
                for mate in batchmates(of: slot) where mayAskBack(mate) { ask(victim, for: thief, mate, into: &out) }
                wanted -= 1
            }
            if isOwn { waiting -= 1 }
            slot = jobs[slot].previous
        }
    }

    private mutating func ask(_ victim: Int32, for thief: Int32?, _ slot: Int32, into out: inout Outbox) {
        if let thief { workers[thief].awaitedSteals += 1 }
        askBack(slot, of: victim, for: thief.map { workers[$0].incarnation }, into: &out)
        counts.stealsAsked += 1
    }

    /// In place of a thief's incarnation: the job is paused, and to take it back is no steal.
    static var pause: UInt64 { 0 }

    /// Asks a worker for a job that it may not have started.
    mutating func askBack(_ slot: Int32, of worker: Int32, for thief: UInt64?, into out: inout Outbox) {
        jobs[slot].flags.insert(.stealing)
        closeBatch(of: slot)
        if let thief { stolenFor[jobs[slot].id] = thief }
        workers[worker].askedBack += 1
        let record = TokenRecord(JobID(rawValue: jobs[slot].id), token: jobs[slot].token, reason: .stealing)
        out.revoked.append(
            Outbox.Token(worker: worker, session: workers[worker].session, tokensOf: incarnation, record: record))
    }

    /// The answer is here, whatever it is: the lease ended, or its worker keeps it.
    mutating func stealEnded(_ slot: Int32) {
        jobs[slot].flags.remove(.stealing)
        workers[jobs[slot].worker].askedBack -= 1
        guard let incarnation = stolenFor.removeValue(forKey: jobs[slot].id),
            let thief = workers.index(of: incarnation)
        else { return }
        workers[thief].awaitedSteals -= 1
    }

    /// Its worker had started the job already.
    package mutating func leasesKept(
        _ records: [TokenRecord], tokensOf: UInt64, worker: Int32, session: UInt32, at now: Now
    ) {
        guard let index = workers.index(ofSession: session, at: worker) else { return }
        heard(index, at: now)
        guard tokensOf == incarnation else { return }
        for record in records {
            guard let slot = jobs.slot(of: record.id.rawValue), jobs[slot].token == record.token,
                jobs[slot].worker == index
            else { continue }
            if jobs[slot].flags.contains(.stealing) { stealEnded(slot) }
            if jobs[slot].state == .leased { jobs[slot].state = .running }
        }
    }
}
