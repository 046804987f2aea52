/// Once the faults are over, and some time has passed, everything is as if there had been none: the owner knows
/// each worker, and each worker is ready to take work.
final class NormalityChecker: Checker {
    private unowned let world: World

    init(_ world: World) { self.world = world }

    func atEnd() {
        guard let owner = world.schedulers.first(where: { $0.number == world.journal.owner }) else { return }
        let known = owner.core.workerStatus
        for worker in world.workers {
            guard let record = known.first(where: { $0.incarnation == worker.incarnation }), record.isConnected else {
                world.violation("worker \(worker.place) has no session with the owner, and nothing is wrong")
                continue
            }
            if record.freeSlots < world.options.slots {
                world.violation("worker \(worker.place) is offered \(record.freeSlots) slots, it has more and is idle")
            }
        }
        for record in known where !world.workers.contains(where: { $0.incarnation == record.incarnation }) {
            world.violation("the owner still has worker \(record.name), which is gone")
        }
    }
}
