// Some handlers run several jobs of one key in one call. Their worker forms the batches: it waits until one is full, or
// its first job has waited for long enough. The scheduler follows that with what it leases: jobs that join a batch in
// time take no slot of their own, so credit for the slots fills every batch.

import StatexProtocol

/// How many jobs of a kind a worker runs together, and how long the first of them waits for others.
package struct BatchRule: Sendable, Equatable {
    package var size: Int
    package var waitNanoseconds: Int64
}

/// A batch that a worker is expected to be forming. Its own time begins when the first job arrives there, a hop and
/// a commit later than here, so what joins in time here is nearly always in time there. What comes too late (a slow
/// commit, a content that is read back) runs in another call, beside what the slots have.
package struct FormingBatch: Sendable {
    let key: AffinityKey
    /// The counter of the first job's token.
    var firstToken: UInt64
    let size: Int
    let until: Int64
    var count = 1

    func isOpen(at time: Int64) -> Bool { count < size && time <= until }
}

extension WorkerRecord {
    func batchRule(of kind: Int32) -> BatchRule? { kinds.first { $0.kind == kind }?.batch }

    /// Whether it may get jobs for the batches that it forms, whatever its credit.
    var fillsBatches: Bool {
        isConnected && !isResuming && !isDraining && credit > 0 && leases.count < Limits.credit
    }

    func batch(of key: AffinityKey, at time: Int64) -> FormingBatch? {
        forming.first { $0.key == key && $0.isOpen(at: time) }
    }

    /// How many jobs of a kind it may get beyond its credit while a batch of that kind forms: so many that a job of
    /// another key does not keep those behind it from the batch that they would fill.
    func batchRoom(of kind: Int32, at time: Int64) -> Int {
        guard fillsBatches, let rule = batchRule(of: kind),
            forming.contains(where: { $0.key.kind == kind && $0.isOpen(at: time) })
        else { return 0 }
        return slots * rule.size - leases.count
    }
}

extension SchedulerCore {
    /// What a job must have in common with others to run with them. nil: it runs alone, because nobody batches its
    /// kind, or because it was begun before, or was in a worker that was lost.
    private func batchKey(_ slot: Int32) -> AffinityKey? {
        guard kinds[Int(jobs[slot].kind)].hasBatches, jobs[slot].attempt == 1, !isSuspect(slot) else { return nil }
        return affinity(slot) ?? AffinityKey(kind: jobs[slot].kind, name: "")
    }

    /// A worker that forms a batch which the job fits into.
    func batchTaker(_ slot: Int32, at now: Now) -> Int32? {
        guard let key = batchKey(slot) else { return nil }
        return workers.indices.first { worker in
            workers[worker].fillsBatches && mayHold(worker, .none, at: now)
                && workers[worker].batch(of: key, at: now.monotonic) != nil
                && serves(worker, jobs[slot].queue)
                && workers[worker].quarantine.mayTake(key.kind, at: now.monotonic)
        }
    }

    /// A job that was just leased joins the batch of its key, or begins one.
    mutating func formBatch(_ slot: Int32, in worker: Int32, at now: Now) {
        guard let key = batchKey(slot), let rule = workers[worker].batchRule(of: key.kind) else { return }
        workers[worker].forming.removeAll { !$0.isOpen(at: now.monotonic) }
        guard let place = workers[worker].forming.firstIndex(where: { $0.key == key }) else {
            workers[worker].forming.append(
                FormingBatch(
                    key: key, firstToken: jobs[slot].token, size: rule.size,
                    until: now.monotonic + rule.waitNanoseconds))
            return
        }
        workers[worker].forming[place].count += 1
        workers[worker].batchmates += 1
        jobs[slot].flags.insert(.joinsBatch)
        if workers[worker].forming[place].count == rule.size { workers[worker].forming.remove(at: place) }
    }

    /// The lease of a job is over. If its batch still forms, there is room for another; if it began one, the next of
    /// it stands for the batch.
    mutating func leaveBatch(_ slot: Int32) {
        guard let key = batchKey(slot) else { return }
        let (worker, token) = (jobs[slot].worker, jobs[slot].token)
        let place = workers[worker].forming.firstIndex { $0.key == key && $0.firstToken <= token }
        if let place { workers[worker].forming[place].count -= 1 }
        guard !jobs[slot].flags.contains(.joinsBatch) else {
            jobs[slot].flags.remove(.joinsBatch)
            workers[worker].batchmates -= 1
            return
        }
        var next = workers[worker].leases.head
        while next >= 0, jobs[next].token < token || batchKey(next) != key { next = jobs[next].next }
        guard next >= 0, jobs[next].flags.contains(.joinsBatch) else {
            workers[worker].forming.removeAll { $0.firstToken == token }
            return
        }
        jobs[next].flags.remove(.joinsBatch)
        workers[worker].batchmates -= 1
        workers[worker].resources.take(needs(key.kind))
        if let place { workers[worker].forming[place].firstToken = jobs[next].token }
    }

    /// A job is asked back from the batch that it may be in: it must not go there again.
    mutating func closeBatch(of slot: Int32) {
        guard let key = batchKey(slot) else { return }
        workers[jobs[slot].worker].forming.removeAll { $0.key == key }
    }

    /// The leased jobs that joined the batch which this one began.
    func batchmates(of slot: Int32) -> [Int32] {
        guard let key = batchKey(slot) else { return [] }
        var mates: [Int32] = []
        var other = jobs[slot].next
        while other >= 0 {
            if batchKey(other) == key {
                guard jobs[other].flags.contains(.joinsBatch) else { break }
                mates.append(other)
            }
            other = jobs[other].next
        }
        return mates
    }

    /// The batch that a leased job waits in.
    func formingBatch(of slot: Int32, at now: Now) -> FormingBatch? {
        guard let key = batchKey(slot), let batch = workers[jobs[slot].worker].batch(of: key, at: now.monotonic),
            jobs[slot].token >= batch.firstToken
        else { return nil }
        return batch
    }

    /// How long a slot is expected to be taken at most by a leased job and those that run with it, in nanoseconds, and
    /// how much of that it waits for others.
    func expectedCall(_ slot: Int32) -> (taken: Int64, wait: Int64) {
        let share = Int64(jobs[slot].expected) * 1_000
        guard batchKey(slot) != nil, let rule = workers[jobs[slot].worker].batchRule(of: jobs[slot].kind) else {
            return (share, 0)
        }
        return (share * Int64(rule.size) + rule.waitNanoseconds, rule.waitNanoseconds)
    }

    /// Whether a leased job stands behind its worker's slots.
    func isBehindOthers(_ wanted: Int32) -> Bool {
        var isBehind = false
        lookAtLeases(of: jobs[wanted].worker) { slot, isRunning in
            if slot == wanted { isBehind = !isRunning }
            return slot != wanted
        }
        return isBehind
    }

    /// The leases that stand behind their worker's slots, in their order.
    func waiting(in worker: Int32) -> [Int32] {
        var waiting: [Int32] = []
        lookAtLeases(of: worker) { slot, isRunning in
            if !isRunning { waiting.append(slot) }
            return true
        }
        return waiting
    }

    /// Shows the leases of a worker in their order until `look` says false, and whether each has a slot. Slots take
    /// leases in their order, and with one that begins a batch those that joined it.
    private func lookAtLeases(of worker: Int32, _ look: (_ slot: Int32, _ isRunning: Bool) -> Bool) {
        // How many slots there are is not known of a worker of before a restart that has not come back.
        guard workers[worker].slots > 0 else { return }
        var before = 0
        var running: Set<AffinityKey> = []
        var slot = workers[worker].leases.head
        while slot >= 0 {
            let isRunning: Bool
            if jobs[slot].flags.contains(.joinsBatch) {
                isRunning = batchKey(slot).map { running.contains($0) } ?? false
            } else {
                isRunning = before < workers[worker].slots
                before += 1
                if let key = batchKey(slot) {
                    if isRunning { running.insert(key) } else { running.remove(key) }
                }
            }
            guard look(slot, isRunning) else { return }
            slot = jobs[slot].next
        }
    }
}
