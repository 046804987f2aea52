import StatexProtocol

/// A worker that heard of a newer owner believes no older one, nor a journal that was left, nor one of before a restore
/// whose journal it knows.
final class EpochChecker: Checker {
    private unowned let world: World
    /// By worker process.
    private var newest: [Int: SessionStamp] = [:]
    private var left: [Int: Set<UInt64>] = [:]
    /// The incarnations of the journal, the latest last.
    private var journals: [UInt64]

    init(_ world: World) {
        self.world = world
        journals = [world.journal.incarnation]
    }

    func journalRestored() { journals.append(world.journal.incarnation) }

    func leasesHeld(by worker: WorkerProcess) {
        let stamp = worker.stamp
        if let before = newest[worker.number], before.incarnation != 0 {
            if before.incarnation != stamp.incarnation {
                left[worker.number, default: []].insert(before.incarnation)
                if isOlder(stamp.incarnation, than: before.incarnation) {
                    world.violation(
                        "worker \(worker.place) believes an owner of before the restore whose journal it knew")
                }
            } else if stamp.epoch < before.epoch {
                world.violation("worker \(worker.place) went back from epoch \(before.epoch) to \(stamp.epoch)")
            }
        }
        if left[worker.number]?.contains(stamp.incarnation) == true {
            world.violation("worker \(worker.place) went back to a journal that it had left")
        }
        newest[worker.number] = stamp
    }

    private func isOlder(_ journal: UInt64, than other: UInt64) -> Bool {
        guard let place = journals.lastIndex(of: journal), let others = journals.lastIndex(of: other) else {
            return false
        }
        return place < others
    }

    func gone(_ worker: WorkerProcess) {
        newest[worker.number] = nil
        left[worker.number] = nil
    }
}
