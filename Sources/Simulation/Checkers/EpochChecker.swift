import StatexProtocol

/// A worker that heard of a newer owner believes no older one, nor a journal that was left.
final class EpochChecker: Checker {
    private unowned let world: World
    /// By worker process.
    private var newest: [Int: SessionStamp] = [:]
    private var left: [Int: Set<UInt64>] = [:]

    init(_ world: World) { self.world = world }

    func leasesHeld(by worker: WorkerProcess) {
        let stamp = worker.stamp
        if let before = newest[worker.number], before.incarnation != 0 {
            if before.incarnation != stamp.incarnation {
                left[worker.number, default: []].insert(before.incarnation)
            } else if stamp.epoch < before.epoch {
                world.violation("worker \(worker.place) went back from epoch \(before.epoch) to \(stamp.epoch)")
            }
        }
        if left[worker.number]?.contains(stamp.incarnation) == true {
            world.violation("worker \(worker.place) went back to a journal that it had left")
        }
        newest[worker.number] = stamp
    }

    func gone(_ worker: WorkerProcess) {
        newest[worker.number] = nil
        left[worker.number] = nil
    }
}
