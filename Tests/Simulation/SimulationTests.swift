import Foundation
import StatexSimulation
import Testing

/// The real cores through seeded faults: a few seeds in the debug build. `scripts/test` runs thousands in the
/// release build, which also holds that every kind of fault hits.
@Suite("Simulation")
struct SimulationTests {
    private static func environment(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }

    /// Run in stretches, so that a run that traps can be narrowed down: the last line names the stretch.
    private static let stretches = stride(from: 1, to: environment("STATEX_SIMULATION_SEEDS") ?? 60, by: 10).map { $0 }

    @Test(
        "No fault makes the cores break the contract, and everything drains once the faults are over",
        arguments: stretches)
    func holds(first: Int) {
        print("simulation: seeds \(first) to \(first + 9)")
        for seed in first..<first + 10 {
            let report = Simulator.run(seed: UInt64(seed))
            #expect(report.violations.isEmpty, "replay with: statex simulate --seeds 1 --seed \(seed) --trace")
        }
    }

    @Test("A seed that once found a bug finds nothing any more", arguments: RegressionSeeds.all)
    func staysFixed(seed: UInt64) {
        #expect(Simulator.run(seed: seed).violations == [])
    }

    @Test("The same seeds make the same runs, whatever runs them, and other seeds others")
    func isDeterministic() {
        var campaign = Campaign()
        campaign.seeds = 6
        let alone = campaign.run()
        campaign.threads = 3
        #expect(campaign.run().digest == alone.digest)
        campaign.firstSeed = 2
        #expect(campaign.run().digest != alone.digest)
        print("simulation: digest \(alone.digest)")
    }

    @Test("The canary is found")
    func alarmRings() {
        var campaign = Campaign()
        campaign.seeds = 1
        #expect(campaign.run().canarySeeds != nil)
    }
}
