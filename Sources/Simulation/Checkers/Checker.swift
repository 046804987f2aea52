import StatexProtocol
import StatexSchedulerCore

/// Names a worker process by its incarnation.
typealias WorkerID = UInt64

/// What a scheduler learns of a worker.
enum Contact {
    case joined(slots: Int)
    case spoke
    /// It claims these leases, or reports how they ended: tokens of this journal.
    case holds([UInt64])
    /// It is ready to hold so many jobs, by a CREDIT or beside its outcomes.
    case offers(Int, isCredit: Bool)
    /// Its connection is closed.
    case disconnected
    /// It said goodbye.
    case left
}

/// Judges a run by what can be seen from outside the cores: rows that were committed, messages that left,
/// what clients were told. None of them looks into a core, and none shares code with it.
protocol Checker: AnyObject {
    /// An owner decided what its next commit holds.
    func decided(_ commit: SimulatedJournal.Commit, by scheduler: SchedulerProcess)
    /// A commit is durable.
    func committed(_ commit: SimulatedJournal.Commit)
    /// A scheduler heard that its commit is durable, and has its events for those who subscribe.
    func told(_ head: CommitBatch.Head, by scheduler: SchedulerProcess)
    /// The journal lost its last commits and has another incarnation: what stands there is all that counts.
    func journalRestored()
    /// The faults are over.
    func watched()
    /// The faults are over for some time, and something is still open.
    func looked()
    /// A new owner begins to serve.
    func serves(_ scheduler: SchedulerProcess)
    /// A scheduler's loop turned once.
    func turned(_ scheduler: SchedulerProcess)
    /// A scheduler heard from a worker, or of it.
    func heard(_ worker: WorkerID, _ what: Contact, by scheduler: SchedulerProcess)
    /// A lease left a scheduler, the present owner or a former one.
    func leaseLeft(_ lease: LeaseRecord, isOwner: Bool)
    /// A DURABLE, STALE or REVOKE left the scheduler.
    func schedulerSaid(_ type: MessageType, id: UInt64, token: UInt64)
    /// Any message left a worker.
    func workerSaid(_ bytes: [UInt8], worker: WorkerProcess)
    /// A worker took messages in and did what they ask.
    func leasesHeld(by worker: WorkerProcess)
    /// A handler was started.
    func began(_ lease: LeaseRecord, by worker: WorkerProcess)
    /// What it was handed beside its payload.
    func handed(_ lease: LeaseRecord, _ inputs: [LeaseInput], _ checkpoint: [UInt8]?)
    /// A handler ended, by itself or not.
    func stopped(_ lease: LeaseRecord, by worker: WorkerProcess)
    /// A handler came back by itself.
    func finished(_ lease: LeaseRecord, _ ending: Ending, by worker: WorkerProcess)
    /// A worker process ended, in order or not.
    func gone(_ worker: WorkerProcess)
    func acknowledged(client: Int, sequence: UInt64, first: UInt64, count: Int, plan: RequestPlan)
    func refused(client: Int, code: UInt16, plan: RequestPlan)
    func toldFinal(client: Int, id: UInt64, state: JobState)
    /// A scheduler follows another configuration.
    func configured(_ scheduler: SchedulerProcess, _ policies: Policies, as cause: Int?)
    /// An operator was told that an order was carried out.
    func orderAnswered(_ order: Order)
    /// A client that follows a job hears how far it is.
    func progressed(client: Int, _ record: ProgressRecord, _ piece: [UInt8])
    /// PROGRESS of an attempt left the present owner.
    func progressLeft(_ record: ProgressRecord, by scheduler: SchedulerProcess)
    /// A client hears that another request stands in the way of its own.
    func duplicated(_ request: ClientProcess.Request, by first: UInt64, ofEpoch epoch: UInt32)
    /// Faults are over and everything has drained.
    func atEnd()
}

extension Checker {
    func decided(_ commit: SimulatedJournal.Commit, by scheduler: SchedulerProcess) {}
    func committed(_ commit: SimulatedJournal.Commit) {}
    func told(_ head: CommitBatch.Head, by scheduler: SchedulerProcess) {}
    func journalRestored() {}
    func watched() {}
    func looked() {}
    func serves(_ scheduler: SchedulerProcess) {}
    func turned(_ scheduler: SchedulerProcess) {}
    func heard(_ worker: WorkerID, _ what: Contact, by scheduler: SchedulerProcess) {}
    func began(_ lease: LeaseRecord, by worker: WorkerProcess) {}
    func stopped(_ lease: LeaseRecord, by worker: WorkerProcess) {}
    func leaseLeft(_ lease: LeaseRecord, isOwner: Bool) {}
    func schedulerSaid(_ type: MessageType, id: UInt64, token: UInt64) {}
    func workerSaid(_ bytes: [UInt8], worker: WorkerProcess) {}
    func leasesHeld(by worker: WorkerProcess) {}
    func finished(_ lease: LeaseRecord, _ ending: Ending, by worker: WorkerProcess) {}
    func gone(_ worker: WorkerProcess) {}
    func acknowledged(client: Int, sequence: UInt64, first: UInt64, count: Int, plan: RequestPlan) {}
    func refused(client: Int, code: UInt16, plan: RequestPlan) {}
    func toldFinal(client: Int, id: UInt64, state: JobState) {}
    func configured(_ scheduler: SchedulerProcess, _ policies: Policies, as cause: Int?) {}
    func orderAnswered(_ order: Order) {}
    func handed(_ lease: LeaseRecord, _ inputs: [LeaseInput], _ checkpoint: [UInt8]?) {}
    func progressed(client: Int, _ record: ProgressRecord, _ piece: [UInt8]) {}
    func progressLeft(_ record: ProgressRecord, by scheduler: SchedulerProcess) {}
    func duplicated(_ request: ClientProcess.Request, by first: UInt64, ofEpoch epoch: UInt32) {}
    func atEnd() {}
}
