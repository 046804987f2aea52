import StatexProtocol

/// Judges a run by what can be seen from outside the cores: rows that were committed, messages that left,
/// what clients were told. None of them looks into a core, and none shares code with it.
protocol Checker: AnyObject {
    /// A commit is durable.
    func committed(_ commit: SimulatedJournal.Commit)
    /// A lease left a scheduler, the present owner or a former one.
    func leaseLeft(_ lease: LeaseRecord, isOwner: Bool)
    /// A DURABLE, STALE or REVOKE left the scheduler.
    func schedulerSaid(_ type: MessageType, id: UInt64, token: UInt64)
    /// Any message left a worker.
    func workerSaid(_ bytes: [UInt8], worker: WorkerProcess)
    /// A worker took messages in and did what they ask.
    func leasesHeld(by worker: WorkerProcess)
    /// A handler came back by itself.
    func finished(_ lease: LeaseRecord, _ ending: Ending, by worker: WorkerProcess)
    /// A worker process ended, in order or not.
    func gone(_ worker: WorkerProcess)
    func acknowledged(client: Int, sequence: UInt64, first: UInt64, count: Int, plan: RequestPlan)
    func refused(client: Int, code: UInt16, plan: RequestPlan)
    func toldFinal(client: Int, id: UInt64, state: JobState)
    /// Faults are over and everything has drained.
    func atEnd()
}

extension Checker {
    func committed(_ commit: SimulatedJournal.Commit) {}
    func leaseLeft(_ lease: LeaseRecord, isOwner: Bool) {}
    func schedulerSaid(_ type: MessageType, id: UInt64, token: UInt64) {}
    func workerSaid(_ bytes: [UInt8], worker: WorkerProcess) {}
    func leasesHeld(by worker: WorkerProcess) {}
    func finished(_ lease: LeaseRecord, _ ending: Ending, by worker: WorkerProcess) {}
    func gone(_ worker: WorkerProcess) {}
    func acknowledged(client: Int, sequence: UInt64, first: UInt64, count: Int, plan: RequestPlan) {}
    func refused(client: Int, code: UInt16, plan: RequestPlan) {}
    func toldFinal(client: Int, id: UInt64, state: JobState) {}
    func atEnd() {}
}
