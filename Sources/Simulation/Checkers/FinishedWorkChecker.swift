import StatexProtocol

/// Finished work is kept: what a worker finished is recorded as it reports it, or refused in words, unless
/// the worker itself went.
final class FinishedWorkChecker: Checker {
    private struct Work {
        var token: UInt64
        var job: UInt64
        var worker: Int
    }

    private unowned let world: World
    private var finished: [Work] = []
    private var refused: Set<UInt64> = []

    init(_ world: World) { self.world = world }

    func finished(_ lease: LeaseRecord, _ ending: Ending, by worker: WorkerProcess) {
        finished.append(Work(token: lease.token, job: lease.id.rawValue, worker: worker.number))
    }

    func schedulerSaid(_ type: MessageType, id: UInt64, token: UInt64) {
        if type == .stale { refused.insert(token) }
    }

    func journalRestored() {
        finished = []
        refused = []
    }

    func gone(_ worker: WorkerProcess) { finished.removeAll { $0.worker == worker.number } }

    func atEnd() {
        for work in finished where !refused.contains(work.token) {
            switch world.journal.ending(of: work.token, job: work.job) {
            case .succeeded, .failed, .cancelled, .expired: break
            case .returned, .lost, nil:
                world.violation("job \(work.job): what a worker finished with token \(work.token) was thrown away")
            }
        }
    }
}
