import StatexProtocol
import StatexSchedulerCore

/// A worker that is lost takes at most as many jobs with it as it has slots: what stood behind those did not begin.
/// And what was lost with a worker finds a free slot from then on; what another loss may make dead, a worker that has no
/// other such job, and if it is empty nothing else for a while: so poison is found out, and alone.
final class LossChecker: Checker {
    private unowned let world: World
    private unowned let reference: ReferenceChecker
    /// Workers that this owner was told the slots of.
    private var joined: Set<WorkerID> = []
    private var suspects: Set<UInt64> = []
    /// Jobs that one loss more may make dead, by the worker that they had for themselves, and until when at least.
    private var alone: [WorkerID: (job: UInt64, until: Int64)] = [:]
    /// Workers that one of these left alive, and that had no lease since: the next of them need not be alone there.
    private var owing: Set<WorkerID> = []
    /// When the last commit was decided: what the next one holds came after it.
    private var decidedAt: Int64 = 0

    init(_ world: World, _ reference: ReferenceChecker) {
        self.world = world
        self.reference = reference
    }

    func serves(_ scheduler: SchedulerProcess) {
        guard scheduler.number == reference.owner else { return }
        joined = []
        alone = [:]
        owing = []
        decidedAt = world.now
        suspects = Set(reference.durable.jobs.filter { !$0.value.lostWith.isEmpty }.keys)
    }

    func heard(_ worker: WorkerID, _ what: Contact, by scheduler: SchedulerProcess) {
        guard case .joined = what, scheduler.number == reference.owner else { return }
        joined.insert(worker)
    }

    func decided(_ commit: SimulatedJournal.Commit, by scheduler: SchedulerProcess) {
        guard scheduler.number == reference.owner else { return }
        var held: [WorkerID: Set<UInt64>] = [:]
        for (id, job) in reference.durable.jobs {
            if let lease = job.lease, job.final == nil { held[lease.worker, default: []].insert(id) }
        }
        // What ended in this commit may have been there when others were leased.
        let wereBusy = Set(held.keys)
        var lost: [WorkerID: Int] = [:]
        var losses: [UInt64: Set<WorkerID>] = [:]
        func isAccused(_ id: UInt64) -> Bool {
            (losses[id] ?? reference.durable.jobs[id]?.lostWith ?? []).count >= Limits.losses - 1
        }
        for row in commit.outcomes where row.token != 0 {
            guard let worker = worker(row.lease.worker, commit) else { continue }
            held[worker]?.remove(row.id)
            if isAccused(row.id) { owing.insert(worker) }
            guard row.ending == .lost else { continue }
            lost[worker, default: 0] += 1
            suspects.insert(row.id)
            losses[row.id, default: reference.durable.jobs[row.id]?.lostWith ?? []].insert(worker)
        }
        for (worker, count) in lost where count > world.options.slots && joined.contains(worker) {
            world.violation("\(count) jobs are lost with one worker, which has \(world.options.slots) slots")
        }
        let ended = Set(commit.outcomes.map(\.token))
        for row in commit.leases.sorted(by: { $0.token < $1.token }) {
            guard let worker = worker(row.worker, commit) else { continue }
            let before = held[worker]?.count ?? 0
            if suspects.contains(row.id), joined.contains(worker), before >= world.options.slots {
                world.violation("job \(row.id) was in a lost worker, and is to wait in another behind \(before) leases")
            }
            if isAccused(row.id), let other = held[worker]?.first(where: { $0 != row.id && isAccused($0) }),
                joined.contains(worker)
            {
                world.violation("one loss more may make jobs \(row.id) and \(other) dead, and they share a worker")
            }
            if let one = alone[worker], held[worker]?.contains(one.job) ?? false, one.job != row.id,
                world.now < one.until
            {
                world.violation("one loss more may make job \(one.job) dead, and \(row.id) joins it too soon")
            }
            if isAccused(row.id) {
                let until = decidedAt + Limits.aloneMilliseconds.lowerBound * 1_000_000
                let isEmpty = before == 0 && !wereBusy.contains(worker)
                alone[worker] = isEmpty && !owing.contains(worker) ? (row.id, until) : nil
            }
            owing.remove(worker)
            // One that ended in the same commit may have made room for the next.
            if !ended.contains(row.token) { held[worker, default: []].insert(row.id) }
        }
        decidedAt = world.now
    }

    /// The worker of this number, which the commit itself may name.
    private func worker(_ number: UInt32, _ commit: SimulatedJournal.Commit) -> WorkerID? {
        if let known = reference.durable.workerOfNumber[number] { return known }
        guard let row = commit.names.first(where: { $0.family == .worker && $0.number == number }),
            let slash = row.name.lastIndex(of: "/")
        else { return nil }
        return WorkerID(row.name[row.name.index(after: slash)...], radix: 16)
    }
}
