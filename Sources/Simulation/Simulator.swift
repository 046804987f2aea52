/// Runs the real cores of scheduler and worker in a simulated world. Everything follows from the seed.
package enum Simulator {
    /// - Parameter trace: is told every event, for a look at one seed.
    package static func run(seed: UInt64, trace: ((String) -> Void)? = nil) -> SimulationReport {
        let world = World(seed: seed, trace: trace)
        world.run()
        return SimulationReport(
            seed: seed, digest: world.digest.value, events: world.eventCount, jobs: world.journal.ids.count,
            simulatedSeconds: Double(world.now) / 1e9, marks: world.marks, violations: world.violations)
    }

    /// What a complete set of runs must have met, each at least once: the faults.
    package static var faults: [String] { Faults.all.map { "fault: \($0.name)" } }
}

/// What one run saw.
package struct SimulationReport: Sendable {
    package let seed: UInt64
    /// The same in every process that runs the same code with the same seed.
    package let digest: UInt64
    package let events: Int
    package let jobs: Int
    package let simulatedSeconds: Double
    /// How often something noteworthy happened, by name.
    package let marks: [String: Int]
    /// Empty: nothing wrong was seen. The run ends at the first.
    package let violations: [String]
}
