import StatexProtocol
import StatexSchedulerCore

// How processes start, end and are replaced: what a supervisor does.

extension World {
    // MARK: Who there is

    func scheduler(_ number: Int) -> SchedulerProcess? {
        schedulers.last { $0.number == number && $0.isAlive }
    }

    /// Where a new connection goes: to the newest scheduler, or astray.
    func listening() -> Int? {
        let living = schedulers.filter(\.isAlive)
        if misleadsConnections, living.count > 1 { return living[random.below(living.count)].number }
        return schedulers.last.flatMap { $0.isAlive ? $0.number : nil }
    }

    func worker(_ place: Int, _ process: Int) -> WorkerProcess? {
        workers[place].flatMap { $0.number == process ? $0 : nil }
    }

    func anyScheduler() -> SchedulerProcess? { schedulers.last.flatMap { $0.isAlive ? $0 : nil } }

    func anyWorker() -> WorkerProcess? { workers[random.below(workers.count)] }

    func anyConnection() -> Int? {
        let live = network.live
        return live.isEmpty ? nil : live[random.below(live.count)]
    }

    // MARK: Schedulers

    func orderStart(after time: Int64) {
        guard start == nil else { return }
        starts += 1
        start = (starts, nil)
        plan(.startScheduler(start: starts), at: now + time)
    }

    /// A new scheduler appends the first row of its epoch.
    func takeOver(_ number: Int) {
        guard start?.number == number else { return }
        guard let head = database.takeOver(owner: number) else {
            return plan(.startScheduler(start: number), at: now + 100_000_000)
        }
        start?.head = head
        plan(.recover(start: number), at: now + random.within(1_000_000...500_000_000))
    }

    /// It has read what is open, and serves.
    func recover(_ number: Int) {
        guard let start, start.number == number, let head = start.head else { return }
        self.start = nil
        // Yet another one may have come first.
        guard journal.commits.last?.owner == number else { return orderStart(after: 0) }
        var settings = CoreSettings()
        settings.leaseNanoseconds = options.leaseNanoseconds
        settings.graceNanoseconds = options.graceNanoseconds
        settings.policies.otherKinds.retry.baseNanoseconds = options.retryNanoseconds
        settings.policies.maxOpenJobs = options.maxOpenJobs
        var core = SchedulerCore(settings, head: head, seed: random.next())
        let found = journal.recover()
        for row in journal.names where row.family != .worker {
            core.recoveredName(row.family, row.name, number: row.number, at: clock)
        }
        core.recovered(found.jobs, workerNames: found.workerNames, at: clock)
        core.validate()
        if !found.jobs.isEmpty { mark("jobs recovered") }
        let process = SchedulerProcess(self, number: number, core: core)
        schedulers.append(process)
        process.planTurn(at: now)
        network.connectAll()
    }

    /// A start that is under way ends; its row may be in the chain already.
    func abandonStart() -> Bool {
        guard start != nil else { return false }
        start = nil
        orderStart(after: random.within(10_000_000...1_000_000_000))
        return true
    }

    func schedulerDies(_ scheduler: SchedulerProcess) {
        scheduler.end()
        network.schedulerEnded(scheduler.number)
        if scheduler === schedulers.last { orderStart(after: random.within(10_000_000...1_000_000_000)) }
    }

    /// The journal said that it is the owner no more.
    func stepsDown(_ scheduler: SchedulerProcess) {
        mark("scheduler stepped down")
        if journal.commits.last?.owner == scheduler.number {
            violation("scheduler \(scheduler.number) stepped down and was the owner")
        }
        schedulerDies(scheduler)
    }

    // MARK: Workers

    func startWorker(_ place: Int) {
        workersStarted += 1
        let worker = WorkerProcess(self, place: place, number: workersStarted, slots: options.slots)
        workers[place] = worker
        worker.planTurn(at: now)
    }

    /// Killed, or drained: its place gets a new process.
    func workerEnded(_ worker: WorkerProcess) {
        worker.end()
        gone(worker)
        workers[worker.place] = nil
        plan(.startWorker(worker: worker.place), at: now + random.within(10_000_000...1_000_000_000))
    }

    func workerFailed(_ worker: WorkerProcess, _ error: WireError) {
        violation("worker \(worker.place) ended with: \(error)")
    }
}
