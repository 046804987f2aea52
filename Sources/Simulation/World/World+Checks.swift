import StatexProtocol
import StatexSchedulerCore

// What checkers see. A process that belongs to a journal that was restored since is not judged by what the
// journal says now: nobody believes it any more, and that is judged at its peers.

extension World {
    private func isOfThisJournal(_ scheduler: SchedulerProcess) -> Bool {
        scheduler.core.incarnation == journal.incarnation
    }

    func decided(_ commit: SimulatedJournal.Commit, by scheduler: SchedulerProcess) {
        for checker in checkers { checker.decided(commit, by: scheduler) }
    }

    func committed(_ commit: SimulatedJournal.Commit) {
        note(commit.description)
        for checker in checkers { checker.committed(commit) }
    }

    func told(_ head: CommitBatch.Head, by scheduler: SchedulerProcess) {
        guard isOfThisJournal(scheduler) else { return }
        for checker in checkers { checker.told(head, by: scheduler) }
    }

    /// Only the first `kept` commits are left, and an operator adopted them.
    /// - Parameter cause: is counted when an owner of before finds out.
    func restoreJournal(to kept: Int, as cause: Int?) {
        restoredBy = cause
        let before = journal.ids
        journal.restore(to: kept, adoptedAs: random.next() | 1, at: wall)
        vanished.formUnion(before.filter { journal.histories[$0] == nil })
        for checker in checkers { checker.journalRestored() }
    }

    func leaseLeft(_ lease: LeaseRecord, by scheduler: SchedulerProcess) {
        guard isOfThisJournal(scheduler) else { return }
        let isOwner = journal.owner == scheduler.number
        for checker in checkers { checker.leaseLeft(lease, isOwner: isOwner) }
    }

    func said(_ type: MessageType, _ token: TokenRecord, incarnation: UInt64, by scheduler: SchedulerProcess) {
        guard isOfThisJournal(scheduler), incarnation == journal.incarnation else { return }
        for checker in checkers { checker.schedulerSaid(type, id: token.id.rawValue, token: token.token) }
    }

    func heard(_ worker: WorkerID, _ what: Contact, by scheduler: SchedulerProcess) {
        for checker in checkers { checker.heard(worker, what, by: scheduler) }
    }

    func turned(_ scheduler: SchedulerProcess) { for checker in checkers { checker.turned(scheduler) } }

    func serves(_ scheduler: SchedulerProcess) { for checker in checkers { checker.serves(scheduler) } }

    func said(_ bytes: [UInt8], by worker: WorkerProcess) {
        for checker in checkers { checker.workerSaid(bytes, worker: worker) }
    }

    func leasesHeld(by worker: WorkerProcess) { for checker in checkers { checker.leasesHeld(by: worker) } }

    func began(_ lease: LeaseRecord, of incarnation: UInt64, by worker: WorkerProcess) {
        guard incarnation == journal.incarnation else { return }
        for checker in checkers { checker.began(lease, by: worker) }
    }

    func stopped(_ lease: LeaseRecord, of incarnation: UInt64, by worker: WorkerProcess) {
        guard incarnation == journal.incarnation else { return }
        for checker in checkers { checker.stopped(lease, by: worker) }
    }

    func finished(_ lease: LeaseRecord, of incarnation: UInt64, _ ending: Ending, by worker: WorkerProcess) {
        guard incarnation == journal.incarnation else { return }
        for checker in checkers { checker.finished(lease, ending, by: worker) }
    }

    func gone(_ worker: WorkerProcess) { for checker in checkers { checker.gone(worker) } }

    func acknowledged(
        client: Int, sequence: UInt64, first: UInt64, count: Int, plan: RequestPlan, by stamp: SessionStamp
    ) {
        guard stamp.incarnation == journal.incarnation else { return }
        for checker in checkers {
            checker.acknowledged(client: client, sequence: sequence, first: first, count: count, plan: plan)
        }
    }

    func refused(client: Int, code: UInt16, plan: RequestPlan) {
        for checker in checkers { checker.refused(client: client, code: code, plan: plan) }
    }

    func orderAnswered(_ order: Order, by stamp: SessionStamp) {
        guard stamp.incarnation == journal.incarnation else { return }
        for checker in checkers { checker.orderAnswered(order) }
    }

    func handed(_ lease: LeaseRecord, of incarnation: UInt64, _ inputs: [LeaseInput], _ checkpoint: [UInt8]?) {
        guard incarnation == journal.incarnation else { return }
        for checker in checkers { checker.handed(lease, inputs, checkpoint) }
    }

    func progressed(client: Int, _ record: ProgressRecord, _ piece: [UInt8], by stamp: SessionStamp) {
        guard stamp.incarnation == journal.incarnation else { return }
        for checker in checkers { checker.progressed(client: client, record, piece) }
    }

    /// A former owner may not know what is over.
    func progressLeft(_ record: ProgressRecord, by scheduler: SchedulerProcess) {
        guard isOfThisJournal(scheduler), journal.owner == scheduler.number else { return }
        for checker in checkers { checker.progressLeft(record, by: scheduler) }
    }

    func duplicated(_ request: ClientProcess.Request, by first: UInt64, of stamp: SessionStamp) {
        guard stamp.incarnation == journal.incarnation else { return }
        for checker in checkers { checker.duplicated(request, by: first, ofEpoch: stamp.epoch) }
    }

    func toldFinal(client: Int, id: UInt64, state: JobState, by stamp: SessionStamp) {
        guard stamp.incarnation == journal.incarnation else { return }
        for checker in checkers { checker.toldFinal(client: client, id: id, state: state) }
    }
}
