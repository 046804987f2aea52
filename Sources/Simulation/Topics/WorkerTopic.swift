/// Worker processes: killed, stopped, suspended, drained.
struct WorkerTopic: Topic {
    var faults: [any SimulatedFault] {
        [
            Crash(), CrashWithOutcomes(), CrashBetweenMessages(), Pause(), PausePastLease(), Suspend(), Drain(),
            DrainAndCrash(), RestartAgain(), FailEverything(),
        ]
    }
}

private struct Crash: SimulatedFault {
    let name = "crash a worker"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let worker = world.anyWorker else { return false }
        if worker.heldLeases > 0 { world.hit(cause) }
        world.workerEnded(worker)
        return true
    }
}

private struct CrashWithOutcomes: SimulatedFault {
    let name = "crash a worker that keeps outcomes"

    func strike(_ world: World, as cause: Int) -> Bool {
        watch(world, as: cause, looks: 400)
        return true
    }

    private func watch(_ world: World, as cause: Int, looks: Int) {
        guard looks > 0, world.faultsAreOn else { return }
        if let worker = world.workers.first(where: { $0.keptOutcomes > 0 }) {
            world.hit(cause)
            return world.workerEnded(worker)
        }
        world.act("kept outcomes are looked for", after: 5_000_000) { watch($0, as: cause, looks: looks - 1) }
    }
}

private struct CrashBetweenMessages: SimulatedFault {
    let name = "crash a worker between two messages"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let worker = world.anyWorker else { return false }
        worker.crash(afterMessages: 1 + world.dice.below(4), as: cause)
        return true
    }
}

private struct Pause: SimulatedFault {
    let name = "pause a worker"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let worker = world.anyWorker, !worker.isPaused else { return false }
        worker.pause()
        world.act("a worker goes on", after: world.dice.within(50_000_000...2_000_000_000)) { world in
            guard worker.isAlive else { return }
            if worker.heldLeases > 0 { world.hit(cause) }
            worker.resume()
        }
        return true
    }
}

/// Longer than its leases last: what it ran is somebody else's by then.
private struct PausePastLease: SimulatedFault {
    let name = "pause a worker past its lease"

    func strike(_ world: World, as cause: Int) -> Bool {
        let busy = world.workers.filter { $0.heldLeases > 0 && !$0.isPaused }
        guard let worker = world.dice.one(of: busy) else { return false }
        worker.pause()
        let lease = world.options.coreSettings.leaseNanoseconds
        world.act("a worker goes on", after: lease + world.dice.within(1_000_000_000...2 * lease)) { world in
            guard worker.isAlive else { return }
            if worker.heldLeases > 0 { world.hit(cause) }
            worker.resume()
        }
        return true
    }
}

private struct Suspend: SimulatedFault {
    let name = "suspend a worker's machine"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let worker = world.anyWorker, !worker.isPaused else { return false }
        worker.pause()
        let time = world.dice.within(500_000_000...60_000_000_000)
        world.act("a machine wakes", after: time) { world in
            guard worker.isAlive, worker.isPaused else { return }
            if worker.heldLeases > 0 { world.hit(cause) }
            worker.resume(suspended: time)
        }
        return true
    }
}

private struct Drain: SimulatedFault {
    let name = "drain a worker"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let worker = world.anyWorker else { return false }
        if worker.heldLeases > 0 { world.hit(cause) }
        worker.drain()
        return true
    }
}

private struct DrainAndCrash: SimulatedFault {
    let name = "crash a worker that drains"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let worker = world.anyWorker else { return false }
        worker.drain()
        world.act("a draining worker is killed", after: world.dice.within(0...3_000_000_000)) { world in
            guard worker.isAlive else { return }
            world.hit(cause)
            world.workerEnded(worker)
        }
        return true
    }
}

/// Killed and started under the same name, again and again.
private struct RestartAgain: SimulatedFault {
    let name = "restart a worker again and again"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let worker = world.anyWorker else { return false }
        restart(world, worker.place, as: cause, times: 2 + world.dice.below(6))
        return true
    }

    private func restart(_ world: World, _ place: Int, as cause: Int, times: Int) {
        guard times > 0, world.faultsAreOn else { return }
        if let worker = world.workers.first(where: { $0.place == place }) {
            if worker.heldLeases > 0 { world.hit(cause) }
            world.workerEnded(worker)
        }
        world.act("a worker is killed again", after: world.random.within(200_000_000...1_500_000_000)) {
            restart($0, place, as: cause, times: times - 1)
        }
    }
}

/// A worker whose every attempt fails: a broken installation, or a hostile one.
private struct FailEverything: SimulatedFault {
    let name = "a worker fails everything"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let worker = world.anyWorker else { return false }
        worker.failAll(as: cause)
        world.act("a worker is sound again", after: world.dice.within(200_000_000...10_000_000_000)) { _ in
            worker.becomeHonest()
        }
        return true
    }
}
