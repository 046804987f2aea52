import StatexProtocol
import StatexSchedulerCore

/// Jobs that require what not every worker has.
struct LabelTopic: Topic {
    fileprivate static let labels = ["gpu", "eu"]

    var faults: [any SimulatedFault] { [WithoutLabel()] }

    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        guard request.key == nil, random.happens(oneIn: 3) else { return }
        for index in request.jobs.indices where random.happens(oneIn: 2) {
            request.jobs[index].options.labels = Self.labels.filter { _ in random.happens(oneIn: 2) }
        }
    }

    func checkers(of world: World) -> [any Checker] { [LabelChecker(world)] }
}

extension SimulationOptions {
    /// What the worker of a place has, whichever process it is. The first has all there is, so that every job can run.
    func labels(ofWorker place: Int) -> [String] {
        guard place > 0 else { return LabelTopic.labels }
        var random = SeededGenerator(seed: seed, part: 100 + UInt64(place))
        return LabelTopic.labels.filter { _ in random.happens(oneIn: 3) }
    }
}

/// Whoever has what some jobs require is stopped for a while: those wait, although others are idle.
private struct WithoutLabel: SimulatedFault {
    let name = "pause every worker that has a label"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let label = world.dice.one(of: LabelTopic.labels) else { return false }
        let stopped = world.workers.filter {
            !$0.isPaused && world.options.labels(ofWorker: $0.place).contains(label)
        }
        guard !stopped.isEmpty else { return false }
        for worker in stopped { worker.pause() }
        let lease = world.options.coreSettings.leaseNanoseconds
        world.act("workers with a label go on", after: world.dice.within(lease / 4...2 * lease)) { world in
            let waits = world.journal.openIDs.contains { id in
                guard let history = world.journal.histories[id], history.openLease == nil else { return false }
                return history.options?.labels.contains(label) == true
            }
            if waits { world.hit(cause) }
            for worker in stopped where worker.isAlive && worker.isPaused { worker.resume() }
        }
        return true
    }
}

/// No job is leased to a worker that lacks what the job requires.
private final class LabelChecker: Checker {
    private unowned let world: World

    init(_ world: World) { self.world = world }

    func committed(_ commit: SimulatedJournal.Commit) {
        for row in commit.leases {
            guard let required = world.journal.histories[row.id]?.options?.labels, !required.isEmpty,
                let place = world.journal.place(ofWorker: row.worker)
            else { continue }
            world.mark("job that requires a label leased")
            let missing = Set(required).subtracting(world.options.labels(ofWorker: place))
            if !missing.isEmpty {
                world.violation("job \(row.id) requires \(missing.sorted()) and was leased to worker \(place)")
            }
        }
    }
}
