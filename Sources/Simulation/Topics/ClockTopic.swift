import StatexSchedulerCore

/// Jobs that wait for a time, and clocks that lie.
struct ClockTopic: Topic {
    var faults: [any SimulatedFault] { [StepAhead(), StepBack(), StepALittle(), RunFast()] }

    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        let longest: Int64 = options.pace == .quick ? 5_000_000 : 1_800_000_000
        // All of one request at one instant, now and then.
        let together = random.happens(oneIn: 8) ? random.within(100_000...longest) : 0
        for index in request.jobs.indices {
            if together > 0 {
                request.jobs[index].delay = together
            } else if random.happens(oneIn: 6) {
                request.jobs[index].delay = random.within(100_000...longest)
            }
            if random.happens(oneIn: 6) { request.jobs[index].deadline = random.within(100_000...2 * longest) }
        }
    }
}

/// Hits if something waits for a time: a retry, a delay, a deadline, a lease.
private func step(_ world: World, by microseconds: Int64, as cause: Int) -> Bool {
    if world.schedulers.contains(where: { $0.core.openJobs > 0 }) { world.hit(cause) }
    world.wallClock.step(by: microseconds, at: world.now)
    return true
}

private struct StepAhead: SimulatedFault {
    let name = "step the clock an hour ahead"

    func strike(_ world: World, as cause: Int) -> Bool { step(world, by: 3_600_000_000, as: cause) }
}

private struct StepBack: SimulatedFault {
    let name = "step the clock an hour back"

    func strike(_ world: World, as cause: Int) -> Bool { step(world, by: -3_600_000_000, as: cause) }
}

private struct StepALittle: SimulatedFault {
    let name = "step the clock by seconds"

    func strike(_ world: World, as cause: Int) -> Bool {
        step(world, by: world.dice.within(-30_000_000...30_000_000), as: cause)
    }
}

private struct RunFast: SimulatedFault {
    let name = "run the clock a tenth too fast"

    func strike(_ world: World, as cause: Int) -> Bool {
        if world.schedulers.contains(where: { $0.core.openJobs > 0 }) { world.hit(cause) }
        world.wallClock.runFast(from: world.now)
        return true
    }
}
