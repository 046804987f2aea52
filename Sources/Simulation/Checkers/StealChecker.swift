/// Once the faults are over, no job waits unstarted in one worker for long while another that could run it has
/// nothing to do: it is stolen. (Not more than three times.)
final class StealChecker: Checker {
    private unowned let world: World
    /// By token: since when it waits so.
    private var waiting: [UInt64: Int64] = [:]

    init(_ world: World) { self.world = world }

    func watched() {
        let options = world.options
        guard options.coreSettings.stealing, !options.hasLimits,
            let owner = world.schedulers.first(where: { $0.number == world.journal.owner })
        else {
            waiting = [:]
            return
        }
        let sound = world.workers.filter {
            !$0.failedSomething && !$0.isPaused && $0.stamp.epoch == owner.core.epoch
                && $0.stamp.incarnation == owner.core.incarnation && $0.runningHandlers <= options.slots
        }
        let idle = sound.filter(\.isIdle)
        var still: [UInt64: Int64] = [:]
        for victim in sound {
            for lease in victim.unstarted {
                guard let history = world.journal.histories[lease.id], history.leases.count <= 3 else { continue }
                let required = history.options?.labels ?? []
                guard history.options?.affinity == nil,
                    idle.contains(where: { Set(required).isSubset(of: options.labels(ofWorker: $0.place)) })
                else { continue }
                still[lease.token] = waiting[lease.token] ?? world.now
            }
        }
        waiting = still
        guard let longest = still.min(by: { ($0.value, $0.key) < ($1.value, $1.key) }),
            world.now - longest.value > Self.patience
        else { return }
        world.violation("the job of token \(longest.key) waits in a worker, and another one is idle")
    }

    /// Some rounds of questions, and the slowest message.
    private static let patience: Int64 = 15_000_000_000
}
