import Glibc
import StatexSimulation
import Testing

/// The real cores through seeded faults. `STATEX_SIMULATION_SEED=7` runs one seed and prints what it saw;
/// `STATEX_SIMULATION_SEEDS=5000` runs so many.
@Suite("Simulation")
struct SimulationTests {
    private static func environment(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

    private static let seeds: ClosedRange<Int> =
        if let seed = environment("STATEX_SIMULATION_SEED") {
            seed...seed
        } else {
            1...(environment("STATEX_SIMULATION_SEEDS") ?? 2_000)
        }
    /// Run in stretches, so that a run that traps can be narrowed down: the last line names the stretch.
    private static let stretches = stride(from: seeds.lowerBound, through: seeds.upperBound, by: 50).map {
        $0...min($0 + 49, seeds.upperBound)
    }

    @Test(
        "No fault makes the cores break the contract, and everything drains once the faults are over",
        arguments: stretches)
    func holds(stretch: ClosedRange<Int>) {
        print("simulation: seeds \(stretch.lowerBound) to \(stretch.upperBound)")
        for seed in stretch {
            let report = Simulator.run(seed: UInt64(seed))
            #expect(report.violations.isEmpty, "replay with STATEX_SIMULATION_SEED=\(seed)")
            if Self.seeds.count == 1 { print(report) }
        }
    }

    @Test("The same seed makes the same run, another seed another one")
    func isDeterministic() {
        let digests = (1...10 as ClosedRange<UInt64>).map { Simulator.run(seed: $0).digest }
        let again = (1...10 as ClosedRange<UInt64>).map { Simulator.run(seed: $0).digest }
        #expect(digests == again)
        #expect(Set(digests).count == digests.count)
        print("simulation: digest of seed 1 is \(digests[0])")
    }

    @Test("Every fault strikes")
    func marks() {
        var marks: [String: Int] = [:]
        for seed in 1...40 as ClosedRange<UInt64> {
            marks.merge(Simulator.run(seed: seed).marks) { $0 + $1 }
        }
        for fault in Simulator.faults { #expect(marks[fault, default: 0] > 0, "\(fault)") }
    }
}
