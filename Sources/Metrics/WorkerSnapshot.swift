/// What a worker knows of itself at one moment: taken by the thread that talks to the scheduler.
package struct WorkerSnapshot: Sendable {
    /// On the monotonic clock.
    package var takenAt: Int64
    package var slots: Int
    package var running = 0
    package var held = 0
    package var credit = 0
    /// Outcomes that are not known to be durable.
    package var keptOutcomes = 0
    package var isConnected = false
    package var isDraining = false
    /// Of the kinds that it has handlers for: their number is bounded.
    package var kinds: [(name: String, counts: AttemptCounts)] = []

    package init(takenAt: Int64, slots: Int) {
        self.takenAt = takenAt
        self.slots = slots
    }

    /// - Parameter handlerStarts: processes of handlers that were started, by kind.
    package func write(
        to text: inout MetricsText, handlerStarts: [(kind: String, count: UInt64)], at monotonic: Int64
    ) {
        text.gauge("statex_worker_connected", "1: the scheduler has welcomed this worker.", isConnected ? 1 : 0)
        text.gauge("statex_worker_draining", "1: it takes no more jobs.", isDraining ? 1 : 0)
        text.gauge("statex_worker_slots", "Jobs that it runs at the same time.", Double(slots))
        text.gauge("statex_worker_jobs_running", "Jobs that it runs now.", Double(running))
        text.gauge("statex_worker_jobs_held", "Jobs that it holds, those that run included.", Double(held))
        text.gauge("statex_worker_credit", "Jobs that it is ready to hold.", Double(credit))
        text.gauge(
            "statex_worker_outcomes_kept", "Outcomes that it keeps until the scheduler says that they are durable.",
            Double(keptOutcomes))
        text.counter(
            "statex_worker_attempts_total", "Attempts that ended here, by how.",
            kinds.flatMap { kind in
                kind.counts.endings.all.map { ([("kind", kind.name), ("ending", $0.ending.name)], $0.count) }
            })
        text.histogram(
            "statex_worker_run_seconds", "How long attempts ran that succeeded or failed.",
            kinds.map { ([("kind", $0.name)], $0.counts.run) })
        text.counter(
            "statex_worker_handler_starts_total", "Processes of handlers that were started.",
            handlerStarts.map { ([("kind", $0.kind)], $0.count) })
        text.gauge(
            "statex_worker_snapshot_age_seconds", "How old these figures are: the worker takes them each second.",
            Double(max(monotonic - takenAt, 0)) / 1_000_000_000)
    }
}
