import StatexProtocol
import StatexSchedulerCore

/// Jobs that wait for others of their request: chains, fans and diamonds, some of whose parents fail.
struct DependencyTopic: Topic {
    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        guard request.jobs.count > 1, request.key == nil, random.happens(oneIn: 3) else { return }
        for index in request.jobs.indices.dropFirst() where !random.happens(oneIn: 3) {
            var parents = Set((0...random.below(2)).map { _ in random.below(index) })
            if random.happens(oneIn: 4) { parents = [index - 1] }
            request.jobs[index].options.after = parents.sorted().map {
                JobDependency(on: UInt16($0), failsDependant: random.happens(oneIn: 2))
            }
        }
    }

    func checkers(of world: World) -> [any Checker] { [DependencyChecker(world)] }
}

/// No job starts before those that it waits for have succeeded, and none that waits for one that did not
/// succeed ever starts.
private final class DependencyChecker: Checker {
    private unowned let world: World

    init(_ world: World) { self.world = world }

    func committed(_ commit: SimulatedJournal.Commit) {
        for row in commit.leases {
            guard let history = world.journal.histories[row.id] else { continue }
            let request = row.id - UInt64(JobOpts.index(history.row.opts))
            for parent in history.options?.after ?? [] {
                world.mark("job that waited for another")
                if world.journal.histories[request + UInt64(parent.index)]?.final != .succeeded {
                    world.violation("job \(row.id) was leased before job \(parent.index) of its request succeeded")
                }
            }
        }
    }

    func atEnd() {
        for id in world.journal.ids {
            guard let history = world.journal.histories[id], history.final == .succeeded else { continue }
            let request = id - UInt64(JobOpts.index(history.row.opts))
            for parent in history.options?.after ?? []
            where world.journal.histories[request + UInt64(parent.index)]?.final != .succeeded {
                world.violation("job \(id) succeeded, and job \(parent.index) of its request did not")
            }
        }
    }
}
