import StatexProtocol
import StatexSchedulerCore

/// What a seed decides before the run: sizes, speeds, which faults there are and how often (swarm testing: a
/// mix of everything would hide what a few do alone).
struct SimulationOptions {
    static let kinds = ["text", "audio"]

    /// Some seeds are about seconds, and many things meet; some are about an hour, with long leases, retries
    /// and delays.
    enum Pace {
        case quick
        case slow
    }

    let seed: UInt64
    let pace: Pace
    var schedulers: Int
    var workers: Int
    var slots: Int
    var clients: Int
    var requests: Int
    /// The faults that this seed has, by their place in `Faults.all`.
    var faults: [Int]
    /// The topics that shape its jobs, by their place in `Topics.all`.
    var topics: [Int]
    var faultsUntil: Int64
    var faultsEvery: Int64
    var eventsBetweenFaults: Int
    var coreSettings: CoreSettings
    /// How much each worker has of what kinds may need; empty: none needs anything.
    var amounts: [UInt32] = []
    /// Bytes of outcomes that a worker keeps before it asks for no more work.
    var keptBytes: Int
    var cachedCommits: Int
    /// Where in its page the first id stands.
    var firstOffset: UInt64
    /// Microseconds from the start to the next full hour.
    var untilHour: Int64
    /// How long the longest job takes, in milliseconds.
    var longestWork: Int64
    /// How long everything may take to drain once the faults are over: some lease times and backoffs, jobs that
    /// take three workers with them one after another, and whatever work there is.
    private(set) var drainNanoseconds: Int64
    /// Many jobs of tenants that share by weight, and nothing else.
    var isAboutFairness = false
    /// A kind that may start so many a second, with starts that come back.
    var isAboutRates = false
    var lookNanoseconds: Int64
    /// So long after the faults everything must be as if there had been none: everybody has a session again.
    var calmNanoseconds: Int64 { 2 * coreSettings.leaseNanoseconds + 30_000_000_000 }

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed, part: 1)
        let pace: Pace = random.happens(oneIn: 3) ? .slow : .quick
        let isQuick = pace == .quick
        let second: Int64 = 1_000_000_000
        self.seed = seed
        self.pace = pace
        schedulers = random.happens(oneIn: 2) ? 2 : 1
        workers = 1 + random.below(4)
        slots = 1 + random.below(3)
        clients = 1 + random.below(3)
        requests = 2 + random.below(isQuick ? 16 : 30)
        let share = [2, 3, 5][random.below(3)]
        faults = Faults.all.indices.filter { _ in random.happens(oneIn: share) }
        if faults.isEmpty { faults = [random.below(Faults.all.count)] }
        topics = Topics.all.indices.filter { _ in !random.happens(oneIn: 4) }
        faultsUntil = isQuick ? random.within(8 * second...60 * second) : random.within(900 * second...7_200 * second)
        faultsEvery = isQuick ? random.within(200_000_000...3 * second) : random.within(5 * second...120 * second)
        eventsBetweenFaults = isQuick ? 200 : 1_000
        coreSettings = CoreSettings()
        coreSettings.heartbeatNanoseconds = isQuick ? second : random.within(2 * second...6 * second)
        coreSettings.leaseNanoseconds = coreSettings.heartbeatNanoseconds * random.within(4...10)
        coreSettings.graceNanoseconds = random.within(500_000_000...2 * second)
        coreSettings.policies.otherKinds.retry.baseNanoseconds =
            isQuick ? random.within(50_000_000...2 * second) : random.within(second...60 * second)
        // A request is admitted as a whole: the largest must fit.
        coreSettings.policies.bounds.jobs = random.happens(oneIn: 4) ? 40 : 10_000
        if random.happens(oneIn: 4) { coreSettings.maxBatchResultBytes = random.below(60) }
        coreSettings.stealing = !random.happens(oneIn: 8)
        coreSettings.policies.drawLimits(from: &random)
        keptBytes = random.happens(oneIn: 4) ? 1 + random.below(40) : 1 << 20
        cachedCommits = random.below(4)
        firstOffset = 4_096 - UInt64(random.below(24))
        untilHour = random.happens(oneIn: 2) ? random.within(1_000_000...20_000_000) : 1_800_000_000
        longestWork = isQuick ? 4_000 : [4_000, 30_000, 120_000][random.below(3)]
        lookNanoseconds = isQuick ? 500_000_000 : 5 * second
        drainNanoseconds = 300 * second + 40 * coreSettings.leaseNanoseconds
        drawResources(from: &random)
        drawFairness(seed: seed)
        // What a kind that fails is kept from is no question of fairness.
        if !isAboutFairness { coreSettings.policies.drawOutages(seed: seed) }
        drawSchedules(seed: seed)
        drawRates(seed: seed)
    }

    // MARK: The workload

    /// The requests of all clients.
    mutating func plans(seed: UInt64, without leftOut: SimulationRun.LeftOut) -> [[RequestPlan]] {
        var random = SeededGenerator(seed: seed, part: 2)
        // Bursts, so that there is something to hit.
        let bursts = (0..<3).map { _ in random.within(0...faultsUntil) }
        let plans = (0..<clients).map { client in
            (0..<requests).compactMap { number in
                let time = random.happens(oneIn: 3) ? random.within(0...faultsUntil) : bursts[random.below(3)]
                let request = request(at: time, &random)
                return leftOut.requests.contains(.init(client: client, request: number)) ? nil : request
            }.sorted { $0.at < $1.at }
        }
        var longestWait: Int64 = 0
        for job in plans.joined().flatMap(\.jobs) {
            let backoffs = coreSettings.policies.otherKinds.retry.baseNanoseconds << Int64(min(job.attempts, 8))
            longestWait = max(longestWait, job.delay * 1_000 + backoffs)
            drainNanoseconds += job.mostNanoseconds
            // At the constant rate of a small retry budget.
            drainNanoseconds += Int64(job.attempts) * 200_000_000
            // At one start a second, if that is the limit.
            if hasLimits { drainNanoseconds += (Int64(job.attempts) + 3) * 1_000_000_000 }
        }
        drainNanoseconds += longestWait
        return plans
    }

    private func request(at: Int64, _ random: inout SeededGenerator) -> RequestPlan {
        let size = random.happens(oneIn: 4) ? 2 + random.below(12) : 1
        var request = RequestPlan(at: at, jobs: (0..<size).map { _ in job(&random) })
        for topic in topics { Topics.all[topic].shape(&request, self, &random) }
        return request
    }

    private func job(_ random: inout SeededGenerator) -> JobPlan {
        let milliseconds = random.happens(oneIn: 4) ? random.within(100...longestWork) : random.within(0...100)
        var job = JobPlan(work: Work(.succeeds, milliseconds: UInt32(milliseconds)))
        job.kind = random.below(Self.kinds.count)
        job.tenant = random.below(3)
        job.priority = UInt8(random.below(Limits.priorities))
        job.attempts = UInt8(1 + random.below(4))
        return job
    }
}

extension SimulationRun {
    /// What a shorter run leaves out of its seed's.
    package struct LeftOut: Sendable, Equatable {
        /// By their count in the run, from 1.
        package var strikes: Set<Int> = []
        /// By client and place among its requests.
        package var requests: Set<RequestPlace> = []

        package init() {}
    }

    package struct RequestPlace: Hashable, Sendable {
        package var client: Int
        package var request: Int
    }
}
