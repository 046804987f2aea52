import CLinux
import StatexMetrics
import StatexThreads

extension Probes {
    /// Of a scheduler.
    /// - Parameter now: the monotonic clock.
    package static func scheduler(
        _ figures: Published<SchedulerSnapshot>, now: @escaping @Sendable () -> Int64 = clinux_monotonic_nanoseconds
    ) -> Probes {
        Probes(
            metrics: { text in figures.latest?.write(to: &text, at: now()) },
            live: {
                guard let latest = figures.latest else { return Health([Health.Check("broker")]) }
                let problem = LoopAge.problem(latest.takenAt, at: now(), limit: LoopAge.dead)
                return Health([Health.Check("broker", problem: problem)])
            },
            ready: {
                guard let latest = figures.latest else {
                    return Health([
                        Health.Check("broker", problem: "the scheduler opens the journal and has not served yet")
                    ])
                }
                let problem = LoopAge.problem(latest.takenAt, at: now(), limit: LoopAge.notReady)
                return Health([
                    Health.Check("broker", problem: problem),
                    Health.Check("journal", problem: latest.journal.downReason),
                ])
            })
    }

    /// Of a worker.
    /// - Parameter handlerStarts: processes of handlers that were started, by kind.
    /// - Parameter more: what else the process says of itself.
    package static func worker(
        _ figures: Published<WorkerSnapshot>, handlerStarts: @escaping @Sendable () -> [(kind: String, count: UInt64)],
        more: @escaping @Sendable (inout MetricsText) -> Void = { _ in },
        now: @escaping @Sendable () -> Int64 = clinux_monotonic_nanoseconds
    ) -> Probes {
        Probes(
            metrics: { text in
                figures.latest?.write(to: &text, handlerStarts: handlerStarts(), at: now())
                more(&text)
            },
            live: {
                guard let latest = figures.latest else { return Health([Health.Check("worker")]) }
                let problem = LoopAge.problem(latest.takenAt, at: now(), limit: LoopAge.dead)
                return Health([Health.Check("worker", problem: problem)])
            },
            ready: {
                guard let latest = figures.latest else {
                    return Health([Health.Check("worker", problem: "the worker prepares its handlers")])
                }
                let problem = LoopAge.problem(latest.takenAt, at: now(), limit: LoopAge.notReady)
                return Health([
                    Health.Check("worker", problem: problem),
                    Health.Check(
                        "scheduler", problem: latest.isConnected ? nil : "the scheduler has not welcomed this worker"),
                    Health.Check("drain", problem: latest.isDraining ? "the worker drains and takes no jobs" : nil),
                ])
            })
    }
}
