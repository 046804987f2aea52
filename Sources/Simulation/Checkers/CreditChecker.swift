import StatexProtocol

/// A worker never holds more than the most that it offered in its session.
final class CreditChecker: Checker {
    private unowned let world: World
    /// By worker process.
    private var offered: [Int: Int] = [:]

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

    func leaseHeld(by worker: WorkerProcess, _ lease: LeaseRecord) {
        let most = offered[worker.number] ?? 0
        if worker.heldLeases > most {
            world.violation("worker \(worker.place) holds \(worker.heldLeases) jobs and offered to hold \(most)")
        }
    }
}
