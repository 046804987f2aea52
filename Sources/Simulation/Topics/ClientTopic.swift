import StatexProtocol
import StatexSchedulerCore

/// What clients do: they crash, stop, repeat themselves, cancel at the worst moment, use a key again.
struct ClientTopic: Topic {
    var faults: [any SimulatedFault] {
        [
            Crash(), Pause(), SubmitAgain(), SubmitAgainLate(), CancelRunning(), CancelWaiting(), CancelBeforeEnd(),
        ]
    }

    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        if random.happens(oneIn: 5) { request.cancelAt = request.at + random.within(0...4_000_000_000) }
        guard random.happens(oneIn: 4) else { return }
        let key = UInt8(random.below(6))
        request.key = [key]
        // The same key means the same content, mostly.
        let conflicts = random.happens(oneIn: 8)
        request.jobs = [JobPlan(work: Work(.succeeds, milliseconds: UInt32(key) + (conflicts ? 100 : 1)))]
    }
}

private struct Crash: SimulatedFault {
    let name = "crash a client"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let client = world.dice.one(of: world.clients) else { return false }
        if !client.isDone { world.hit(cause) }
        client.restart()
        return true
    }
}

private struct Pause: SimulatedFault {
    let name = "pause a client"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let client = world.dice.one(of: world.clients), !client.isPaused else { return false }
        client.pause()
        world.act("a client goes on", after: world.dice.within(200_000_000...30_000_000_000)) { world in
            if client.hasMail { world.hit(cause) }
            client.resume()
        }
        return true
    }
}

/// A request that was answered is sent once more, at once.
private struct SubmitAgain: SimulatedFault {
    let name = "submit a request again"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let client = world.dice.one(of: world.clients) else { return false }
        return client.sendAgain(as: cause)
    }
}

/// The same, an hour later; by a client that lost its answers meanwhile.
private struct SubmitAgainLate: SimulatedFault {
    let name = "submit a request again long after"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let client = world.dice.one(of: world.clients) else { return false }
        let isSlow = world.options.pace == .slow
        let time = world.dice.within(1_000_000_000...(isSlow ? 3_600_000_000_000 : 20_000_000_000))
        world.act("a client forgot its answers", after: time) { world in
            guard world.faultsAreOn else { return }
            client.restart()
            _ = client.sendAgain(as: cause)
        }
        return true
    }
}

private struct CancelRunning: SimulatedFault {
    let name = "cancel a running job"

    func strike(_ world: World, as cause: Int) -> Bool {
        let jobs = world.workers.flatMap(\.runningJobs)
        guard let job = world.dice.one(of: jobs) else { return false }
        return world.cancel(job, as: cause)
    }
}

private struct CancelWaiting: SimulatedFault {
    let name = "cancel a waiting job"

    func strike(_ world: World, as cause: Int) -> Bool {
        let waiting = world.journal.openIDs.filter { world.journal.histories[$0]?.openLease == nil }
        guard let job = world.dice.one(of: waiting) else { return false }
        return world.cancel(job, as: cause)
    }
}

/// Just before its handler ends, so that the order and the outcome race.
private struct CancelBeforeEnd: SimulatedFault {
    let name = "cancel a job that is about to end"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.cancelsBeforeEnd = cause
        return true
    }
}

extension World {
    func cancel(_ job: UInt64, as cause: Int) -> Bool {
        clients.contains { $0.cancel(job: job, as: cause) }
    }
}
