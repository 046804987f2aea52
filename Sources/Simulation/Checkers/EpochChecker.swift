/// A worker that heard of a newer owner believes no older one.
final class EpochChecker: Checker {
    private unowned let world: World
    /// By worker process.
    private var newest: [Int: UInt32] = [:]

    init(_ world: World) { self.world = world }

    func leasesHeld(by worker: WorkerProcess) {
        let before = newest[worker.number] ?? 0
        if worker.epoch < before {
            world.violation("worker \(worker.place) went back from epoch \(before) to \(worker.epoch)")
        }
        newest[worker.number] = max(before, worker.epoch)
    }
}
