import StatexProtocol

/// A worker never holds more than the most that it offered in its session; and one job a slot more, where some wait
/// for what it has warm.
final class CreditChecker: Checker {
    private unowned let world: World
    /// By worker process: the most that was offered in the present session, and what was held last. (What it
    /// claims may be more than it offers now; then it must not get more.)
    private var offered: [Int: Int] = [:]
    private var held: [Int: Int] = [:]

    init(_ world: World) { self.world = world }

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
        let most = (offered[worker.number] ?? 0) + (worker.holdsKeys ? world.options.slots : 0)
        let before = held[worker.number] ?? 0
        if worker.heldLeases > most, worker.heldLeases > before {
            world.violation("worker \(worker.place) holds \(worker.heldLeases) jobs and offered to hold \(most)")
        }
        held[worker.number] = worker.heldLeases
    }
}
