import StatexSchedulerCore

/// What handlers do wrong: it stands in the work of the jobs.
struct HandlerTopic: Topic {
    var faults: [any SimulatedFault] { [FailKind()] }

    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        for index in request.jobs.indices {
            switch random.below(20) {
            case 0: request.jobs[index].work.behaviour = .fails
            case 1: request.jobs[index].work.behaviour = .failsForGood
            case 2...4: request.jobs[index].work.behaviour = .failsOnce
            case 5: if random.happens(oneIn: 3) { request.jobs[index].work.behaviour = .kills }
            case 6: request.jobs[index].work.behaviour = .hangs
            case 7: request.jobs[index].work.behaviour = .ignoresStops
            default: break
            }
            if request.jobs[index].work.behaviour == .hangs || random.happens(oneIn: 6) {
                request.jobs[index].options.runLimitMilliseconds = UInt32(random.within(200...2_000))
            }
        }
    }
}

/// Every worker fails everything for a while: a model that is gone, a service that is down.
private struct FailKind: SimulatedFault {
    let name = "everything fails for a while"

    func strike(_ world: World, as cause: Int) -> Bool {
        for worker in world.workers { worker.failAll(as: cause) }
        world.act("everything is sound again", after: world.dice.within(500_000_000...8_000_000_000)) { world in
            for worker in world.workers { worker.becomeHonest() }
        }
        return true
    }
}
