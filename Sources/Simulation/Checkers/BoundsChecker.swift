/// Memory is bounded: no scheduler admits more than it may, no worker runs more than it has slots.
final class BoundsChecker: Checker {
    private unowned let world: World

    init(_ world: World) { self.world = world }

    func turned(_ scheduler: SchedulerProcess) {
        guard let limit = world.options.coreSettings.policies.bounds.jobs else { return }
        if scheduler.core.openJobs > limit {
            world.violation("scheduler \(scheduler.number) has \(scheduler.core.openJobs) jobs open, it may \(limit)")
        }
    }

    func leasesHeld(by worker: WorkerProcess) {
        if worker.runningHandlers > world.options.slots {
            world.violation("worker \(worker.place) runs \(worker.runningHandlers) jobs at once")
        }
    }
}
