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
        for row in commit.outcomes { judgeEnd(of: row) }
        for row in commit.leases {
            guard let history = world.journal.histories[row.id] else { continue }
            let request = row.id - UInt64(JobOpts.index(history.row.opts))
            for parent in history.options?.after ?? [] {
                world.mark("job that waited for another")
                let id = request + UInt64(parent.index)
                // It had succeeded until the database refused its result; the lease does not leave.
                if world.journal.histories[id]?.final != .succeeded, !world.database.refusedJobs.contains(id) {
                    world.violation("job \(row.id) was leased before job \(parent.index) of its request succeeded")
                }
            }
        }
    }

    /// Whoever waited for it in vain ends with it, in the same commit: what is blocked waits for something open.
    private func judgeEnd(of row: CommitBatch.OutcomeRow) {
        let refused = world.database.refusedJobs
        guard let final = row.final, final != .succeeded, !refused.contains(row.id),
            let history = world.journal.histories[row.id]
        else { return }
        let index = JobOpts.index(history.row.opts)
        let request = row.id - UInt64(index)
        for id in request..<request + UInt64(JobOpts.count(history.row.opts)) {
            guard let other = world.journal.histories[id], other.final == nil, !refused.contains(id),
                other.options?.after.contains(where: { $0.index == index }) == true
            else { continue }
            world.violation("job \(row.id) ended as \(final), and job \(id) that waits for it is open")
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
