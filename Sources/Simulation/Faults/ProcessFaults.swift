struct CrashScheduler: SimulatedFault {
    let name = "crash the scheduler"

    func strike(_ world: World) -> Bool {
        guard let scheduler = world.anyScheduler() else {
            // In the middle of a start.
            return world.abandonStart()
        }
        world.schedulerDies(scheduler)
        return true
    }
}

/// Stopped, and let go on later: it does not know how long it was away.
struct PauseScheduler: SimulatedFault {
    let name = "pause the scheduler"

    func strike(_ world: World) -> Bool {
        guard let scheduler = world.anyScheduler(), !scheduler.isPaused else { return false }
        scheduler.pause()
        world.plan(
            .resumeScheduler(process: scheduler.number),
            at: world.now + world.random.within(50_000_000...15_000_000_000))
        return true
    }
}

/// Another scheduler takes the journal while the old one lives, or only sleeps.
struct ReplaceScheduler: SimulatedFault {
    let name = "replace the scheduler"

    func strike(_ world: World) -> Bool {
        guard world.anyScheduler() != nil else { return false }
        world.orderStart(after: world.random.within(0...1_000_000))
        return true
    }
}

struct CrashWorker: SimulatedFault {
    let name = "crash a worker"

    func strike(_ world: World) -> Bool {
        guard let worker = world.anyWorker() else { return false }
        world.workerEnded(worker)
        return true
    }
}

struct PauseWorker: SimulatedFault {
    let name = "pause a worker"

    func strike(_ world: World) -> Bool {
        guard let worker = world.anyWorker(), !worker.isPaused else { return false }
        worker.pause()
        world.plan(
            .resumeWorker(worker: worker.place, process: worker.number),
            at: world.now + world.random.within(50_000_000...15_000_000_000))
        return true
    }
}

struct DrainWorker: SimulatedFault {
    let name = "drain a worker"

    func strike(_ world: World) -> Bool {
        guard let worker = world.anyWorker() else { return false }
        worker.drain()
        return true
    }
}

struct CrashClient: SimulatedFault {
    let name = "crash a client"

    func strike(_ world: World) -> Bool {
        world.clients[world.random.below(world.clients.count)].restart()
        return true
    }
}

/// The wall clock jumps; durations must not care.
struct StepClock: SimulatedFault {
    let name = "step the clock"

    func strike(_ world: World) -> Bool {
        // Far ahead, or a little either way: what the journal knows as a time is waited for after a restart.
        let isFar = world.random.happens(oneIn: 4)
        world.stepClock(by: isFar ? 3_600_000_000 : world.random.within(-30_000_000...30_000_000))
        return true
    }
}
