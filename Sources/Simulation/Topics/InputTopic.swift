import StatexProtocol
import StatexSchedulerCore

/// Jobs that take the results of others of their request as input.
struct InputTopic: Topic {
    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        for index in request.jobs.indices {
            for place in request.jobs[index].options.after.indices where random.happens(oneIn: 2) {
                request.jobs[index].options.after[place].isInput = true
            }
        }
    }

    func checkers(of world: World) -> [any Checker] { [InputChecker(world)] }
}

/// Each attempt is handed the result of each job that it takes, as that job's handler gave it.
private final class InputChecker: Checker {
    private unowned let world: World

    init(_ world: World) { self.world = world }

    func handed(_ lease: LeaseRecord, _ inputs: [LeaseInput], _ checkpoint: [UInt8]?) {
        let id = lease.id.rawValue
        guard let history = world.journal.histories[id] else { return }
        let request = id - UInt64(JobOpts.index(history.row.opts))
        let taken = (history.options?.after ?? []).filter(\.isInput).map(\.index)
        guard inputs.map(\.index) == taken else {
            return world.violation("job \(id) is handed results of \(inputs.map(\.index)), it takes \(taken)")
        }
        for input in inputs {
            let parent = request + UInt64(input.index)
            guard let payload = world.journal.histories[parent]?.payload, let work = Work(payload) else { continue }
            world.mark(input.body.isEmpty ? "empty result taken as input" : "result taken as input")
            if input.body != work.result(of: parent), !world.database.refusedJobs.contains(parent) {
                world.violation("job \(id) is handed another result of job \(parent) than that had")
            }
        }
    }
}
