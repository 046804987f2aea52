/// Runs the real cores of scheduler and worker in a simulated world. Everything follows from the seed.
package enum Simulator {
    /// - Parameter trace: is told every event, for a look at one seed.
    package static func run(_ run: SimulationRun, trace: ((String) -> Void)? = nil) -> SimulationReport {
        let world = World(run, trace: trace)
        world.run()
        return SimulationReport(
            seed: run.seed, digest: world.digest.value, events: world.eventCount, jobs: world.journal.ids.count,
            simulatedSeconds: Double(world.now) / 1e9, faults: world.faultCounts, marks: world.marks,
            violations: world.violations)
    }

    package static func run(seed: UInt64) -> SimulationReport { run(SimulationRun(seed: seed)) }
}

/// One run: the seed decides all of it; what is left out of it makes a failing run shorter.
package struct SimulationRun: Sendable {
    package var seed: UInt64
    /// The scheduler's shell has a bug that every set of runs must find: it proves that the alarm works.
    package var hasCanary = false
    package var leftOut = LeftOut()

    package init(seed: UInt64, hasCanary: Bool = false) {
        self.seed = seed
        self.hasCanary = hasCanary
    }
}

/// How often faults of one kind were injected, and how often they had the effect that they were made for.
package struct FaultCount: Sendable, Equatable {
    package var injected = 0
    package var hit = 0
}

/// What one run saw.
package struct SimulationReport: Sendable {
    package let seed: UInt64
    /// The same in every process that runs the same code with the same seed.
    package let digest: UInt64
    package let events: Int
    package let jobs: Int
    package let simulatedSeconds: Double
    /// By kind, in the order of `Faults.all`.
    package let faults: [FaultCount]
    /// How often something noteworthy happened, by name.
    package let marks: [String: Int]
    /// Empty: nothing wrong was seen. The run ends at the first.
    package let violations: [String]
}
