/// What a job names to be run where it is warm: a model, by the kind whose handler loads it.
package struct AffinityKey: Hashable, Sendable {
    let kind: Int32
    let name: String
}

/// The keys that a worker has warm: those of the last jobs that it was given.
///
/// Few: a machine holds few models at once, and what a handler keeps is its own to decide. To be wrong costs one
/// load, as if nothing had been known.
package struct WarmKeys: Sendable {
    static let remembered = 4

    /// The latest last.
    private var keys: [AffinityKey] = []

    package init() {}

    package func contains(_ key: AffinityKey) -> Bool { keys.contains(key) }

    package mutating func used(_ key: AffinityKey) {
        guard keys.last != key else { return }
        keys.removeAll { $0 == key }
        if keys.count == Self.remembered { keys.removeFirst() }
        keys.append(key)
    }
}

extension WorkerRecord {
    /// How many jobs may wait in it for what it has warm: one a slot beyond its credit, which is for the slots alone
    /// where jobs run long enough to be worth waiting.
    var warmRoom: Int { isConnected && !isResuming && !isDraining && credit > 0 ? credit + slots - held : 0 }
}

extension SchedulerCore {
    /// A worker that has the job's key warm and takes it at once, or is expected to get to it within the bound:
    /// then it waits there, although another has a free slot. nil: the job names no key, or it would wait longer.
    mutating func warmTaker(_ choice: ReadyQueue.Choice, at now: Now) -> Int32? {
        let slot = choice.slot
        guard let key = affinity(slot) else { return nil }
        let queue = jobs[slot].queue
        // Jobs that wait in a worker would use a limit up, or be before more urgent ones that it has no room for.
        let mayWait =
            settings.affinityWaitNanoseconds > 0 && !kinds[Int(key.kind)].limit.isSet
            && choice.level <= mostUrgentSkipped && !isSuspect(slot)
        var best: Int32?
        var shortest = Int64.max
        for worker in workers.indices where workers[worker].warm.contains(key) && serves(worker, queue) {
            let isFree = workers[worker].freeSlots > 0
            guard mayHold(worker, suspicion(of: slot), at: now) else { continue }
            let wait = isFree ? 0 : expectedRemaining(worker, at: now)
            guard isFree || mayWait && wait <= settings.affinityWaitNanoseconds, wait < shortest,
                isFree || workers[worker].warmRoom > 0 && !isKept(worker), !workers[worker].isOverrun,
                hasResources(worker, for: key.kind),
                workers[worker].quarantine.mayTake(key.kind, at: now.monotonic)
            else { continue }
            best = worker
            shortest = wait
        }
        return best
    }

    /// The key that a job names; nil: none.
    func affinity(_ slot: Int32) -> AffinityKey? {
        jobs[slot].flags.contains(.hasAffinity) ? affinities[jobs[slot].id] : nil
    }

    mutating func setAffinity(_ name: String, of slot: Int32) {
        jobs[slot].flags.insert(.hasAffinity)
        affinities[jobs[slot].id] = AffinityKey(kind: jobs[slot].kind, name: name)
    }

    /// The key for which a leased job waits behind others, though another worker has a free slot; nil: none does.
    func warmKey(keeping slot: Int32, at now: Now) -> String? {
        guard let key = affinity(slot), workers[jobs[slot].worker].warm.contains(key) else { return nil }
        let isElsewhere = workers.indices.contains {
            $0 != jobs[slot].worker && workers[$0].freeSlots > 0 && mayHold($0, .none, at: now)
                && serves($0, jobs[slot].queue)
        }
        return isElsewhere ? key.name : nil
    }

    /// Whether a job waits where its key is warm, and a worker where it is not would take it from there too soon.
    func isKeptWarm(_ slot: Int32, from thief: Int32) -> Bool {
        guard let key = affinity(slot) else { return false }
        let holder = workers[jobs[slot].worker]
        let wait = holder.expected * 1_000 / Int64(max(holder.slots, 1))
        return holder.warm.contains(key) && !workers[thief].warm.contains(key)
            && wait <= settings.affinityWaitNanoseconds
    }
}
