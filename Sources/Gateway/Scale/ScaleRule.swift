/// How many workers a kind of jobs needs: what an autoscaler asks for, such as KEDA's `metrics-api`.
///
/// More at once, fewer only when fewer were enough for a while: a worker that starts costs more than one that waits.
package struct ScaleRule: Sendable {
    /// How long a job shall wait at most, in seconds.
    package var targetWait: Double
    package var mostWorkers: Int
    /// Of a worker, while none is there that says it.
    package var slotsPerWorker: Int
    /// So long fewer must be enough, in seconds.
    package var hold: Double

    package init(targetWait: Double = 30, mostWorkers: Int = 100, slotsPerWorker: Int = 2, hold: Double = 300) {
        self.targetWait = targetWait
        self.mostWorkers = mostWorkers
        self.slotsPerWorker = slotsPerWorker
        self.hold = hold
    }

    /// Where all slots are always busy, queues grow without bound: a fifth is kept free.
    private static let utilisation = 0.8

    /// How a kind stands.
    package struct Figures: Sendable {
        /// Jobs that wait for a slot, one slot's work at them, and how long the oldest waits.
        package var backlog = 0
        package var backlogSeconds = 0.0
        package var oldestSeconds = 0.0
        /// Slots that are busy.
        package var running = 0
        /// Attempts that ran to their end since the scheduler started, and how long they ran together, in seconds.
        package var ended: (runs: Int, seconds: Double)?
        /// Of workers that serve the kind.
        package var slots = 0
        package var workers = 0

        package init() {}
    }

    /// What meets the target now.
    package func need(_ figures: Figures) -> Int {
        guard figures.backlog > 0 || figures.running > 0 else { return 0 }
        let perWorker = max(1, figures.workers > 0 ? figures.slots / figures.workers : slotsPerWorker)
        // What runs goes on to come, and what waits is done within the target.
        var slots = Double(figures.running) / Self.utilisation + figures.backlogSeconds / targetWait
        // It was missed, so the estimate was wrong, or they come faster: one more each time.
        if figures.backlog > 0, figures.oldestSeconds > targetWait {
            slots = max(slots, Double(figures.slots + perWorker))
        }
        let workers = (slots / Double(perWorker)).rounded(.up)
        return max(1, Int(min(workers, Double(mostWorkers))))
    }

    /// What was needed of late by one kind, and what of it ended.
    package struct Memory: Sendable {
        /// The largest first, each later than the one before it.
        private var peaks: [(at: Double, need: Int)] = []

        /// The oldest first.
        private var looks: [(at: Double, runs: Int, seconds: Double)] = []
        /// So far back the oldest lies, and so far apart they lie, in seconds.
        private static let span = 60.0
        private static let step = 5.0

        package init() {}

        /// How many slots are busy. A look at who holds jobs cannot tell where jobs are short: those that come back and
        /// those that go out count too, and all slots look full. What ended since an earlier look can, unless runs are
        /// long beside the time between.
        ///
        /// - Parameter now: seconds of a clock that only goes forward.
        package mutating func running(_ figures: Figures, at now: Double) -> Int {
            guard let ended = figures.ended else { return figures.running }
            // A scheduler that started anew counts from 0.
            if let last = looks.last, ended.runs < last.runs { looks = [] }
            while looks.count > 1, looks[1].at <= now - Self.span { looks.removeFirst() }
            if looks.last.map({ now - $0.at >= Self.step }) ?? true { looks.append((now, ended.runs, ended.seconds)) }
            let past = looks[0]
            let (runs, seconds, time) = (ended.runs - past.runs, ended.seconds - past.seconds, now - past.at)
            guard runs > 0, seconds / Double(runs) < time / 20 else { return figures.running }
            return Int(min((seconds / time).rounded(.up), Double(figures.slots)))
        }

        /// - Parameter now: seconds of a clock that only goes forward.
        /// - Returns: the largest need within `hold`.
        package mutating func desired(_ need: Int, hold: Double, at now: Double) -> Int {
            peaks.removeAll { $0.at < now - hold || $0.need <= need }
            peaks.append((now, need))
            return peaks[0].need
        }
    }
}
