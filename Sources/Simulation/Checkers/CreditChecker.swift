import StatexProtocol

/// A worker never holds more than the most that it offered in its session, but for one job a slot that was to
/// wait for what is warm there.
final class CreditChecker: Checker {
    private unowned let world: World
    /// By worker process: the most that was offered in the present session, and what was held last. (What it
    /// claims may be more than it offers now; then it must not get more.)
    private var offered: [Int: Int] = [:]
    private var held: [Int: Int] = [:]
    /// Jobs that name a key; also those whose commit was lost since.
    private var keyed: Set<UInt64> = []

    init(_ world: World) { self.world = world }

    func committed(_ commit: SimulatedJournal.Commit) {
        for row in commit.options where row.options.affinity != nil { keyed.insert(row.id) }
    }

    func workerSaid(_ bytes: [UInt8], worker: WorkerProcess) {
        let span = bytes.span.bytes
        guard let header = try? Header(reading: span) else { return }
        switch header.type {
        case .hello: offered[worker.number] = 0
        case .credit, .outcomes:
            guard let credit = try? Credit.read(span, header: header) else { return }
            offered[worker.number] = max(offered[worker.number] ?? 0, credit)
        default: break
        }
    }

    func leasesHeld(by worker: WorkerProcess) {
        let offered = self.offered[worker.number] ?? 0
        let warm = worker.heldJobs.count { keyed.contains($0) }
        let most = offered + (offered > 0 ? min(world.options.slots, warm) : 0)
        let before = held[worker.number] ?? 0
        if worker.heldLeases > most, worker.heldLeases > before {
            world.violation("worker \(worker.place) holds \(worker.heldLeases) jobs and offered to hold \(offered)")
        }
        held[worker.number] = worker.heldLeases
    }
}
