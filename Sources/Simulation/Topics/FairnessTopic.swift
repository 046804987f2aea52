import StatexProtocol
import StatexSchedulerCore

/// Tenants share by weight while each of them has work. Some seeds are about nothing else: many jobs of one kind and
/// priority, of tenants with weights and without limits.
struct FairnessTopic: Topic {
    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        guard options.isAboutFairness else { return }
        request.key = nil
        let tenant = random.below(3)
        request.jobs = (0..<12 + random.below(24)).map { _ in
            var job = JobPlan(work: Work(.succeeds, milliseconds: UInt32(random.within(100...300))))
            job.tenant = tenant
            return job
        }
    }

    func checkers(of world: World) -> [any Checker] {
        world.options.isAboutFairness ? [FairShareChecker(world)] : []
    }
}

extension SimulationOptions {
    mutating func drawFairness(seed: UInt64) {
        var random = SeededGenerator(seed: seed, part: 3)
        isAboutFairness = random.happens(oneIn: 6) && topics.contains { Topics.all[$0] is FairnessTopic }
        guard isAboutFairness else { return }
        coreSettings.policies.bounds.jobs = 10_000
        coreSettings.policies.kinds = [:]
        coreSettings.policies.tenants = [:]
        for number in 0..<3 {
            coreSettings.policies.tenants["tenant \(number)"] = Policies.Tenant(weight: Double(1 + random.below(4)))
        }
    }
}

extension Policies.Tenant {
    fileprivate init(weight: Double) {
        self.init()
        self.weight = weight
    }
}

/// While two tenants both have jobs that wait, neither gets more run time, over its weight, than the other: but for
/// what each has out, whose run times nobody knows yet.
private final class FairShareChecker: Checker {
    private struct Share {
        /// Nanoseconds of run time that were reported.
        var served = 0.0
        var lost = 0
        var leases = 0
        var waits: Set<UInt64> = []
    }
    private struct Contest {
        var base: [Share]
        var mostLeases: [Int]
    }

    private unowned let world: World
    private var shares: [UInt32: Share] = [:]
    /// By the numbers of two tenants.
    private var contests: [[UInt32]: Contest] = [:]
    private var longest = 1_000_000.0
    private var owner = -1
    /// Somebody paused a tenant, maybe.
    private var isDisturbed = false

    init(_ world: World) { self.world = world }

    func serves(_ scheduler: SchedulerProcess) { forget() }
    func journalRestored() { forget() }

    private func forget() {
        owner = -1
        shares = [:]
        contests = [:]
    }

    /// By what is durable: what the owner knows is a commit ahead, and what it may have out is counted.
    func committed(_ commit: SimulatedJournal.Commit) {
        if commit.actions.contains(where: { $0.action == "pause" }) { isDisturbed = true }
        guard !isDisturbed else { return }
        if commit.owner != owner || world.holdsBack { forget() }
        owner = commit.owner
        for row in commit.outcomes {
            guard let tenant = world.journal.histories[row.id]?.row.tenant, row.token != 0 else { continue }
            let ran = Double(max(row.started - row.ended, 0)) * 1e9
            shares[tenant, default: Share()].served += ran
            if row.ending == .lost { shares[tenant, default: Share()].lost += 1 }
            longest = max(longest, ran)
        }
        let stays = waiting(leasedNow: Set(commit.leases.map(\.id)))
        let tenants = shares.keys.sorted()
        for (place, left) in tenants.enumerated() {
            for right in tenants[(place + 1)...] { judge([left, right], stays) }
        }
    }

    /// Sees anew what waits and what is out.
    /// - Returns: the tenants of which something waited all the time.
    private func waiting(leasedNow: Set<UInt64>) -> Set<UInt32> {
        let before = shares.mapValues(\.waits)
        for tenant in shares.keys {
            shares[tenant]?.waits = []
            shares[tenant]?.leases = 0
        }
        for id in world.journal.openIDs {
            guard let history = world.journal.histories[id] else { continue }
            let isOut = history.openLease != nil
            if isOut {
                shares[history.row.tenant, default: Share()].leases += 1
            } else if history.outcomes.last?.retryAt ?? 0 == 0 {
                shares[history.row.tenant, default: Share()].waits.insert(id)
            }
        }
        return Set(
            shares.keys.filter { tenant in
                let both = shares[tenant]?.waits.intersection(before[tenant] ?? []) ?? []
                return both.contains { !leasedNow.contains($0) }
            })
    }

    private func judge(_ pair: [UInt32], _ stays: Set<UInt32>) {
        let now = pair.map { shares[$0] ?? Share() }
        guard stays.isSuperset(of: pair), var contest = contests[pair] else {
            contests[pair] = Contest(base: now, mostLeases: now.map(\.leases))
            return
        }
        var served: [Double] = []
        var unknown = 0.0
        for place in 0..<2 {
            contest.mostLeases[place] = max(contest.mostLeases[place], now[place].leases)
            let weight = world.options.coreSettings.policies.tenant(name(pair[place])).weight
            served.append((now[place].served - contest.base[place].served) / weight)
            let lost = now[place].lost - contest.base[place].lost
            let jobs = 2 * (contest.mostLeases[place] + contest.base[place].leases) + lost + Self.more
            unknown += Double(jobs) * longest / weight
        }
        contests[pair] = contest
        if min(served[0], served[1]) > unknown { world.mark("shares of run time compared") }
        guard abs(served[0] - served[1]) > unknown else { return }
        world.violation(
            "\(name(pair[0])) had \(Int(served[0] / 1e6)) ms over its weight and \(name(pair[1])) \(Int(served[1] / 1e6)) ms, while both had work; what is out explains \(Int(unknown / 1e6)) ms"
        )
    }

    /// One that goes first, one that was charged too much, and what the next commit holds.
    private static let more = 6

    private func name(_ number: UInt32) -> String { world.journal.names.first { $0.number == number }?.name ?? "" }
}
