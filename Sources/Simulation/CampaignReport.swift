/// What many runs saw together.
package struct CampaignReport: Sendable {
    package struct Violation: Sendable {
        package let seed: UInt64
        package let text: String
    }

    package private(set) var seeds = 0
    package private(set) var events = 0
    package private(set) var jobs = 0
    package private(set) var simulatedHours = 0.0
    package private(set) var violations: [Violation] = []
    package private(set) var marks: [String: Int] = [:]
    package private(set) var faults: [FaultCount]
    /// In how many seeds each pair of kinds hit, the first kind being the lower one.
    private var pairs: [Int]
    private var digestOfAll = Digest()
    /// How many seeds it took to find the canary; nil: it was not found.
    package internal(set) var canarySeeds: Int?

    init(faults: Int) {
        self.faults = Array(repeating: FaultCount(), count: faults)
        pairs = Array(repeating: 0, count: faults * faults)
    }

    mutating func add(_ report: SimulationReport) {
        seeds += 1
        events += report.events
        jobs += report.jobs
        simulatedHours += report.simulatedSeconds / 3_600
        for text in report.violations { violations.append(Violation(seed: report.seed, text: text)) }
        marks.merge(report.marks) { $0 + $1 }
        digestOfAll.add(report.digest)
        let hits = report.faults.indices.filter { report.faults[$0].hit > 0 }
        for (kind, count) in report.faults.enumerated() {
            faults[kind].injected += count.injected
            faults[kind].hit += count.hit
        }
        for (place, left) in hits.enumerated() {
            for right in hits[(place + 1)...] { pairs[left * faults.count + right] += 1 }
        }
    }

    package var digest: UInt64 { digestOfAll.value }

    /// By name, in the order of the list.
    package var faultsByName: [(name: String, count: FaultCount)] {
        zip(Faults.all, faults).map { ($0.name, $1) }
    }

    /// A run of so many seeds is long: it must have met everything.
    package static let longRun = 2_000
    /// What is wrong with the runs themselves: an alarm that did not ring, faults that never struck.
    package func missing(isLong: Bool) -> [String] {
        var missing: [String] = []
        if canarySeeds == nil { missing.append("the canary was not found") }
        guard isLong else { return missing }
        for fault in faultsByName where fault.count.hit == 0 {
            missing.append(
                fault.count.injected == 0 ? "\(fault.name): never injected" : "\(fault.name): never hit")
        }
        return missing
    }

    /// A pair that hits in fewer seeds than this tells little about how its faults meet.
    private static let rarePair = 10

    /// Pairs of kinds that hit in one seed, but in few seeds.
    package var rarePairs: [(left: String, right: String, seeds: Int)] { rarePairs(under: Self.rarePair) }

    private func rarePairs(under times: Int) -> [(left: String, right: String, seeds: Int)] {
        var rare: [(String, String, Int)] = []
        for left in faults.indices {
            for right in faults.indices where left < right && pairs[left * faults.count + right] < times {
                rare.append((Faults.all[left].name, Faults.all[right].name, pairs[left * faults.count + right]))
            }
        }
        return rare
    }
}
