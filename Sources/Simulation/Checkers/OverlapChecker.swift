import StatexProtocol

/// Two attempts of one job run beside each other only if the older one's lease is over by what is durable: its
/// worker was given up, or was told to stop.
final class OverlapChecker: Checker {
    private struct Attempt {
        var token: UInt64
        var worker: Int
    }

    private unowned let world: World
    private var running: [UInt64: [Attempt]] = [:]

    init(_ world: World) { self.world = world }

    func began(_ lease: LeaseRecord, by worker: WorkerProcess) {
        let id = lease.id.rawValue
        for other in running[id] ?? [] {
            // A worker that slept past its lease may begin what is somebody else's by now.
            let older = min(lease.token, other.token)
            guard world.journal.ending(of: older, job: id) == nil else {
                world.mark("attempts beside each other")
                continue
            }
            world.violation("job \(id) runs with tokens \(lease.token) and \(other.token), and \(older) is leased")
        }
        running[id, default: []].append(Attempt(token: lease.token, worker: worker.number))
    }

    func stopped(_ lease: LeaseRecord, by worker: WorkerProcess) {
        running[lease.id.rawValue]?.removeAll { $0.token == lease.token && $0.worker == worker.number }
    }

    func gone(_ worker: WorkerProcess) {
        for id in running.keys { running[id]?.removeAll { $0.worker == worker.number } }
    }

    func journalRestored() { running = [:] }
}
