/// Scheduler processes: killed, stopped, suspended, replaced.
struct SchedulerTopic: Topic {
    var faults: [any SimulatedFault] {
        [
            Crash(), CrashBetweenEffects(), CrashInStart(), Pause(), Starve(), Suspend(), TakeOver(),
            TakeOverDuringCommit(), PauseAndReplace(),
        ]
    }
}

private struct Crash: SimulatedFault {
    let name = "crash a scheduler"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let scheduler = world.dice.one(of: world.schedulers) else { return false }
        if scheduler.core.openJobs > 0 { world.hit(cause) }
        world.schedulerDies(scheduler)
        return true
    }
}

private struct CrashBetweenEffects: SimulatedFault {
    let name = "crash a scheduler between two effects"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let scheduler = world.newestScheduler else { return false }
        scheduler.crash(afterEffects: world.dice.below(12), as: cause)
        return true
    }
}

/// After its row stands in the chain and before it serves.
private struct CrashInStart: SimulatedFault {
    let name = "crash a scheduler in its start"

    func strike(_ world: World, as cause: Int) -> Bool {
        if world.abandonStart(as: cause) { return true }
        guard let scheduler = world.newestScheduler else { return false }
        world.schedulerDies(scheduler)
        crash(world, as: cause, times: 1 + world.dice.below(3))
        return true
    }

    private func crash(_ world: World, as cause: Int, times: Int) {
        guard times > 0 else { return }
        world.act("the start is looked for", after: 20_000_000) { world in
            guard world.faultsAreOn else { return }
            crash(world, as: cause, times: world.abandonStart(as: cause) ? times - 1 : times)
        }
    }
}

/// Stopped for longer than it may be trusted, and let go on: it does not know how long it was away.
private struct Pause: SimulatedFault {
    let name = "pause a scheduler"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let scheduler = world.newestScheduler, !scheduler.isPaused else { return false }
        scheduler.pause()
        let lease = world.options.coreSettings.leaseNanoseconds
        world.act("a scheduler goes on", after: world.dice.within(lease / 2...3 * lease)) { world in
            guard scheduler.isAlive else { return }
            world.hit(cause)
            scheduler.resume()
        }
        return true
    }
}

/// The loop does not turn for some seconds, while everything arrives.
private struct Starve: SimulatedFault {
    let name = "starve a scheduler's loop"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let scheduler = world.newestScheduler, !scheduler.isPaused else { return false }
        scheduler.pause()
        world.act("a scheduler's loop turns again", after: world.dice.within(100_000_000...5_000_000_000)) { world in
            guard scheduler.isAlive else { return }
            if scheduler.inbox.count > 1 { world.hit(cause) }
            scheduler.resume()
        }
        return true
    }
}

/// Its machine sleeps: the clock for durations does not run, the one on the wall does.
private struct Suspend: SimulatedFault {
    let name = "suspend a scheduler's machine"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let scheduler = world.newestScheduler, !scheduler.isPaused else { return false }
        scheduler.pause()
        let time = world.dice.within(1_000_000_000...60_000_000_000)
        world.act("a machine wakes", after: time) { world in
            guard scheduler.isAlive, scheduler.isPaused else { return }
            if scheduler.core.openJobs > 0 { world.hit(cause) }
            scheduler.resume(suspended: time)
        }
        return true
    }
}

/// An operator takes the shard from an owner that lives.
private struct TakeOver: SimulatedFault {
    let name = "take over from a living scheduler"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let scheduler = world.newestScheduler else { return false }
        world.takeOverFrom(scheduler, after: world.dice.within(0...1_000_000), as: cause)
        return true
    }
}

/// The same, while a commit of the old owner is under way.
private struct TakeOverDuringCommit: SimulatedFault {
    let name = "take over while a commit is under way"

    func strike(_ world: World, as cause: Int) -> Bool {
        watch(world, as: cause, looks: 500)
        return true
    }

    private func watch(_ world: World, as cause: Int, looks: Int) {
        guard looks > 0, world.faultsAreOn else { return }
        if let scheduler = world.newestScheduler, world.database.hasTry(of: scheduler.number) {
            return world.takeOverFrom(scheduler, after: 0, as: cause)
        }
        world.act("a commit is looked for", after: 1_000_000) { watch($0, as: cause, looks: looks - 1) }
    }
}

/// Stopped in its sleep, replaced, and woken.
private struct PauseAndReplace: SimulatedFault {
    let name = "replace a paused scheduler and wake it"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let scheduler = world.newestScheduler, !scheduler.isPaused else { return false }
        scheduler.pause()
        world.takeOverFrom(scheduler, after: world.dice.within(100_000_000...2_000_000_000), as: nil)
        world.act("a replaced scheduler goes on", after: world.dice.within(2_000_000_000...20_000_000_000)) { world in
            guard scheduler.isAlive else { return }
            if world.journal.owner != scheduler.number { world.hit(cause) }
            scheduler.resume()
        }
        return true
    }
}

extension World {
    func takeOverFrom(_ scheduler: SchedulerProcess, after time: Int64, as cause: Int?) {
        // On the other machine, if there is one.
        let place = options.schedulers > 1 ? 1 - scheduler.place : scheduler.place
        starts.removeAll { $0.place == place && $0.head == nil }
        orderStart(place, after: time, takesOver: true, cause: cause)
    }
}
