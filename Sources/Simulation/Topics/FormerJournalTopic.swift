import StatexProtocol

/// An owner that does not know yet that its journal was restored, and peers that know the restored one.
struct FormerJournalTopic: Topic {
    var faults: [any SimulatedFault] { [LeadToFormerOwner()] }
}

/// While an owner cannot reach the database, the journal is restored to an earlier point and another owner serves.
/// A worker that began under that one is then led to the first: it has left no journal yet, and would believe it.
private struct LeadToFormerOwner: SimulatedFault {
    let name = "lead a new worker to an owner of before a restore"

    func strike(_ world: World, as cause: Int) -> Bool {
        let commits = world.journal.commits.count
        guard !world.database.isDown, commits > 2, world.led == nil, let former = world.newestScheduler,
            former.number == world.journal.owner, !former.isPaused
        else { return false }
        let time = world.dice.within(8_000_000_000...20_000_000_000)
        world.database.goDown(
            for: world.dice.within(100_000_000...1_000_000_000), cuttingOff: former.number, for: time)
        world.restoreJournal(to: commits - 1 - world.dice.below(min(commits - 2, 4)), as: nil)
        world.takeOverFrom(former, after: 0, as: nil)
        awaitOwner(world, Ambush(former: former.number, cause: cause, until: world.now + time))
        return true
    }

    private struct Ambush {
        var former: Int
        var cause: Int
        var until: Int64
        /// Workers with a higher number began under the new owner.
        var lastOfBefore = 0

        func isOver(in world: World) -> Bool {
            !world.faultsAreOn || world.now >= until || world.scheduler(former) == nil
        }
    }

    /// Once another owner serves, one worker is replaced.
    private func awaitOwner(_ world: World, _ ambush: Ambush) {
        guard !ambush.isOver(in: world) else { return }
        guard let newest = world.newestScheduler, newest.number != ambush.former,
            newest.core.incarnation == world.journal.incarnation, let worker = world.random.one(of: world.workers)
        else {
            return world.act("another owner is looked for", after: 20_000_000) { awaitOwner($0, ambush) }
        }
        var ambush = ambush
        ambush.lastOfBefore = world.workersStarted
        world.workerEnded(worker)
        awaitWorker(world, ambush)
    }

    /// Once a worker that knows nothing else has a session with that owner, it is led away.
    private func awaitWorker(_ world: World, _ ambush: Ambush) {
        guard !ambush.isOver(in: world) else { return }
        let isNew = { (worker: WorkerProcess) in
            worker.number > ambush.lastOfBefore && worker.stamp.incarnation == world.journal.incarnation
        }
        guard let worker = world.workers.first(where: isNew),
            let connection = world.network.live.last(where: {
                world.network.connections[$0].peer == .worker(worker.number)
            })
        else {
            return world.act("a new worker is looked for", after: 20_000_000) { awaitWorker($0, ambush) }
        }
        world.led = (worker.number, ambush.former, ambush.cause)
        world.network.end(connection, after: 0)
        world.act("a worker is led no more", after: ambush.until - world.now) { world in
            if world.led?.scheduler == ambush.former { world.led = nil }
        }
    }
}

extension World {
    /// A scheduler leaves a HELLO unanswered until a commit is durable, because its peer believed another journal.
    func heldBack(_ hello: Hello, by scheduler: SchedulerProcess) {
        guard let led, led.scheduler == scheduler.number, scheduler.core.incarnation != journal.incarnation,
            worker(led.worker)?.incarnation == hello.incarnation
        else { return }
        hit(led.cause)
    }
}
