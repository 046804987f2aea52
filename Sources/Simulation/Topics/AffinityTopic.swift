import StatexProtocol
import StatexSchedulerCore

/// Jobs that name a key (a model), to be run where it is warm.
struct AffinityTopic: Topic {
    /// More than a worker keeps warm.
    private static let keys = 6

    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        guard request.key == nil, random.happens(oneIn: 2) else { return }
        for index in request.jobs.indices where !random.happens(oneIn: 4) {
            request.jobs[index].options.affinity = "model \(random.below(Self.keys))"
        }
    }

    func checkers(of world: World) -> [any Checker] { [AffinityChecker(world)] }
}

/// A job whose key is warm in a worker that has nothing to do goes there, and not to one where it is cold. (That it
/// waits for no warm worker for long is held by what holds that no job waits beside a free slot.)
private final class AffinityChecker: Checker {
    fileprivate struct Key: Hashable {
        var kind: UInt32
        var name: String
    }
    fileprivate struct Worker {
        /// The keys of the jobs that it was given last, the latest last.
        var keys: [Key] = []
        /// Since then it has had a session and credit for as many jobs as it has slots; nil: it has not.
        var readySince: Int64?
        /// Since then the journal knows no open lease of it.
        var idleSince: Int64 = 0
        var heardAt: Int64 = 0
        var joinedAt: Int64 = 0
    }
    /// Fewer than are kept warm: leases that were taken back before they were written used keys too.
    private static let surelyWarm = 2

    private unowned let world: World
    private var owner = 0
    private var workers: [WorkerID: Worker] = [:]
    /// What each may have warm: whatever it was given by this owner.
    private var given: [WorkerID: Set<Key>] = [:]

    init(_ world: World) { self.world = world }

    /// What is warm is not journaled: a new owner knows nothing of it.
    func serves(_ scheduler: SchedulerProcess) {
        owner = scheduler.number
        workers = [:]
        given = [:]
    }

    func journalRestored() {
        workers = [:]
        given = [:]
    }

    func heard(_ worker: WorkerID, _ what: Contact, by scheduler: SchedulerProcess) {
        guard scheduler.number == owner else { return }
        workers[worker, default: Worker()].heardAt = scheduler.clock.monotonic
        switch what {
        // It may have been forgotten in between, with its keys.
        case .joined:
            let now = scheduler.clock.monotonic
            workers[worker] = Worker(idleSince: .max, heardAt: now, joinedAt: now)
        case .offers(let credit, _):
            let isReady = credit >= world.options.slots
            let since = workers[worker]?.readySince ?? scheduler.clock.monotonic
            workers[worker, default: Worker()].readySince = isReady ? since : nil
        case .spoke, .holds: break
        case .disconnected, .left: workers[worker] = nil
        }
    }

    func committed(_ commit: SimulatedJournal.Commit) {
        guard commit.owner == owner else { return }
        let leases = commit.leases.map { (row: $0, worker: world.journal.incarnation(ofWorker: $0.worker) ?? 0) }
        for (row, worker) in leases {
            guard let key = key(of: row.id) else { continue }
            if given[worker]?.contains(key) == true {
                world.mark("job given to a warm worker")
            } else {
                judge(row, key, leases.map(\.worker), commit)
            }
        }
        for (row, worker) in leases {
            workers[worker, default: Worker()].idleSince = .max
            guard let key = key(of: row.id) else { continue }
            given[worker, default: []].insert(key)
            guard workers[worker]?.joinedAt ?? 0 < commit.decided.lowerBound else { continue }
            workers[worker, default: Worker()].use(key, most: Self.surelyWarm)
        }
        guard let scheduler = world.scheduler(owner), workers.values.contains(where: { $0.idleSince == .max }) else {
            return
        }
        let busy = Set(
            world.journal.ids.compactMap { id in
                world.journal.histories[id]?.openLease.flatMap { world.journal.incarnation(ofWorker: $0.worker) }
            })
        for worker in workers.keys where workers[worker]?.idleSince == .max && !busy.contains(worker) {
            workers[worker]?.idleSince = scheduler.clock.monotonic
        }
    }

    private func key(of id: UInt64) -> Key? {
        guard let history = world.journal.histories[id], let name = history.options?.affinity else { return nil }
        return Key(kind: history.row.kind, name: name)
    }

    private func judge(
        _ row: CommitBatch.LeaseRow, _ key: Key, _ takers: [WorkerID], _ commit: SimulatedJournal.Commit
    ) {
        let required = world.journal.histories[row.id]?.options?.labels ?? []
        for worker in world.workers where !takers.contains(worker.incarnation) {
            guard let known = workers[worker.incarnation], known.keys.contains(key), let since = known.readySince,
                max(since, known.idleSince) < commit.decided.lowerBound, !worker.failedSomething,
                commit.decided.upperBound - known.heardAt < world.options.coreSettings.leaseNanoseconds,
                Set(required).isSubset(of: world.options.labels(ofWorker: worker.place))
            else { continue }
            world.violation(
                "job \(row.id) was given to a cold worker, and worker \(worker.place) is warm for \(key.name) and idle")
        }
    }
}

extension AffinityChecker.Worker {
    fileprivate mutating func use(_ key: AffinityChecker.Key, most: Int) {
        keys.removeAll { $0 == key }
        if keys.count == most { keys.removeFirst() }
        keys.append(key)
    }
}
