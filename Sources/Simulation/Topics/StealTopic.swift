import StatexProtocol
import StatexSchedulerCore

/// Work stealing goes wrong: between the question and its answer everything may happen.
struct StealTopic: Topic {
    var faults: [any SimulatedFault] {
        [CrashVictim(), PauseVictim(), CrashThief(), CrashAsker(), CancelStolen(), CutVictim()]
    }

    func checkers(of world: World) -> [any Checker] { [StealChecker(world)] }

    /// Requests of many jobs of one kind, with some that run long: then there is something to steal.
    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        guard request.jobs.count > 3, random.happens(oneIn: 2) else { return }
        for index in request.jobs.indices {
            let isLong = random.happens(oneIn: 4)
            request.jobs[index].kind = 0
            request.jobs[index].work.milliseconds = UInt32(isLong ? random.within(300...3_000) : random.within(0...20))
        }
    }
}

/// A job is asked back from its worker.
struct StealQuestion {
    var job: UInt64
    var victim: WorkerID
    var asker: SchedulerProcess
}

extension World {
    /// What waits for a steal strikes, just before the question arrives, or just after the answer left.
    func stealAsked(_ question: StealQuestion) {
        mark("steal asked")
        guard let (cause, strike) = stealAmbush else { return }
        stealAmbush = nil
        act("a steal goes wrong", after: dice.within(0...3_000_000)) { world in
            if strike(world, question) { world.hit(cause) }
        }
    }

    fileprivate func awaitSteal(_ cause: Int, _ strike: @escaping (World, StealQuestion) -> Bool) -> Bool {
        stealAmbush = (cause, strike)
        return true
    }

    fileprivate func victim(of question: StealQuestion) -> WorkerProcess? {
        workers.first { $0.incarnation == question.victim }
    }
}

private struct CrashVictim: SimulatedFault {
    let name = "crash a worker that a job is stolen from"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.awaitSteal(cause) { world, question in
            guard let victim = world.victim(of: question) else { return false }
            world.workerEnded(victim)
            return true
        }
    }
}

private struct PauseVictim: SimulatedFault {
    let name = "pause a worker that a job is stolen from"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.awaitSteal(cause) { world, question in
            guard let victim = world.victim(of: question), !victim.isPaused else { return false }
            victim.pause()
            let time = world.random.within(100_000_000...2 * world.options.coreSettings.leaseNanoseconds)
            world.act("a worker goes on", after: time) { _ in if victim.isAlive { victim.resume() } }
            return true
        }
    }
}

private struct CrashThief: SimulatedFault {
    let name = "crash the workers that a stolen job is for"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.awaitSteal(cause) { world, question in
            let thieves = world.workers.filter { $0.incarnation != question.victim }
            for thief in thieves { world.workerEnded(thief) }
            return !thieves.isEmpty
        }
    }
}

private struct CrashAsker: SimulatedFault {
    let name = "crash a scheduler that asked for a job"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.awaitSteal(cause) { world, question in
            guard question.asker.isAlive else { return false }
            world.schedulerDies(question.asker)
            return true
        }
    }
}

private struct CancelStolen: SimulatedFault {
    let name = "cancel a job that is being stolen"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.awaitSteal(cause) { world, question in world.cancel(question.job, as: cause) }
    }
}

private struct CutVictim: SimulatedFault {
    let name = "cut off a worker that a job is stolen from"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.awaitSteal(cause) { world, question in
            guard let victim = world.victim(of: question),
                let connection = world.network.live.last(where: {
                    world.network.connections[$0].peer == .worker(victim.number)
                })
            else { return false }
            world.network.cut(connection, as: cause)
            return true
        }
    }
}
