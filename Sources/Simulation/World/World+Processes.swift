import StatexProtocol
import StatexSchedulerCore

/// The start of a scheduler that is under way.
struct SchedulerStart {
    var number: Int
    var place: Int
    /// An operator insists: another owner's lock is not waited for.
    var takesOver: Bool
    /// So long another owner's lock is waited for, then the start is given up.
    var courtesyUntil: Int64
    /// The row that it appended.
    var head: ChainHead?
    /// Who struck it, if its end in the middle is to be counted.
    var cause: Int?
}

// How processes start, end and are replaced: what a supervisor does.

extension World {
    // MARK: Who there is

    func scheduler(_ number: Int) -> SchedulerProcess? { schedulers.first { $0.number == number } }

    /// Where a new connection goes: to the newest scheduler, or astray.
    func listening(for peer: PeerName) -> Int? {
        if let led, peer == .worker(led.worker), let scheduler = scheduler(led.scheduler) { return scheduler.number }
        guard schedulers.count > 1, let cause = misledBy, let astray = random.one(of: schedulers) else {
            return schedulers.last?.number
        }
        if astray.number != schedulers.last?.number { hit(cause) }
        return astray.number
    }

    func worker(_ process: Int) -> WorkerProcess? { workers.first { $0.number == process } }

    /// The scheduler that serves, as far as it knows.
    var newestScheduler: SchedulerProcess? { schedulers.last }

    var anyWorker: WorkerProcess? { dice.one(of: workers) }

    var anyConnection: Int? { dice.one(of: network.live) }

    // MARK: Schedulers

    func orderStart(_ place: Int, after time: Int64, takesOver: Bool = false, cause: Int? = nil) {
        guard !starts.contains(where: { $0.place == place }) else { return }
        schedulersStarted += 1
        starts.append(
            SchedulerStart(
                number: schedulersStarted, place: place, takesOver: takesOver,
                courtesyUntil: now + time + Self.courtesy, cause: cause))
        plan(.startScheduler(start: schedulersStarted), at: now + time)
    }

    private static let courtesy: Int64 = 10_000_000_000

    /// A new scheduler appends the first row of its epoch, once nobody holds the shard.
    func takeOver(_ number: Int) {
        guard let index = starts.firstIndex(where: { $0.number == number }) else { return }
        if database.isHeld(from: number), !starts[index].takesOver {
            guard now < starts[index].courtesyUntil else {
                // It exits and says who the owner is; its supervisor tries again later.
                mark("start refused: the shard is held")
                let place = starts.remove(at: index).place
                return orderStart(place, after: random.within(1_000_000_000...10_000_000_000))
            }
            return plan(.startScheduler(start: number), at: now + 1_000_000_000)
        }
        let former = schedulers.last
        let underway = former.map { database.hasTry(of: $0.number) } ?? false
        guard let head = database.takeOver(owner: number) else {
            return plan(.startScheduler(start: number), at: now + 100_000_000)
        }
        if let cause = starts[index].cause, former != nil { hit(cause) }
        if underway { mark("epoch taken while a commit was under way") }
        starts[index].head = head
        plan(.recover(start: number), at: now + random.within(1_000_000...500_000_000))
    }

    /// It has read what is open, and serves.
    func recover(_ number: Int) {
        guard let index = starts.firstIndex(where: { $0.number == number }) else { return }
        let start = starts.remove(at: index)
        guard let head = start.head else { return }
        var core = SchedulerCore(coreSettings, head: head, seed: random.next())
        let found = journal.recover()
        core.recovered(journal.pauses, drained: [])
        for row in journal.names where row.family != .worker {
            core.recoveredName(row.family, row.name, number: row.number, at: Now(monotonic: now, wall: wall))
        }
        for (name, progress) in journal.scheduleProgress { core.recoveredSchedule(name, progress) }
        core.recovered(found.jobs, workerNames: found.workerNames, at: Now(monotonic: now, wall: wall))
        core.validate()
        if !found.jobs.isEmpty { mark("jobs recovered") }
        let process = SchedulerProcess(self, number: number, place: start.place, head: head, core: core)
        schedulers.append(process)
        serves(process)
        process.planTurn(at: now)
        network.connectAll()
    }

    /// A start that is under way ends; its row may be in the chain already.
    func abandonStart(as cause: Int) -> Bool {
        guard let index = starts.firstIndex(where: { $0.head != nil }) else { return false }
        let start = starts.remove(at: index)
        database.processEnded(start.number)
        hit(cause)
        orderStart(start.place, after: dice.within(10_000_000...1_000_000_000))
        return true
    }

    func schedulerDies(_ scheduler: SchedulerProcess) {
        guard scheduler.isAlive else { return }
        scheduler.end()
        schedulers.removeAll { $0 === scheduler }
        database.processEnded(scheduler.number)
        network.schedulerEnded(scheduler.number)
        // It may have been replaced already.
        guard !schedulers.contains(where: { $0.place == scheduler.place }) else { return }
        orderStart(scheduler.place, after: random.within(10_000_000...1_000_000_000))
    }

    /// The journal said that it is the owner no more.
    func stepsDown(_ scheduler: SchedulerProcess) {
        mark("scheduler stepped down")
        if let restoredBy, scheduler.core.incarnation != journal.incarnation { hit(restoredBy) }
        if journal.owner == scheduler.number, journal.incarnation == scheduler.core.incarnation {
            violation("scheduler \(scheduler.number) stepped down and was the owner")
        }
        schedulerDies(scheduler)
    }

    // MARK: Workers

    func startWorker(_ place: Int) {
        workersStarted += 1
        let worker = WorkerProcess(self, place: place, number: workersStarted)
        workers.append(worker)
        worker.planTurn(at: now)
    }

    /// Killed, or drained: its place gets a new process, unless there is one already.
    func workerEnded(_ worker: WorkerProcess) {
        guard worker.isAlive else { return }
        worker.end()
        gone(worker)
        workers.removeAll { $0 === worker }
        let place = worker.place
        act("a worker starts", after: random.within(10_000_000...1_000_000_000)) { world in
            if !world.workers.contains(where: { $0.place == place }) { world.startWorker(place) }
        }
    }

    func workerFailed(_ worker: WorkerProcess, _ error: WireError) {
        violation("worker \(worker.place) ended with: \(error)")
    }
}
