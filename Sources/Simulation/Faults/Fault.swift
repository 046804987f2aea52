/// One way in which the world goes wrong.
protocol SimulatedFault: Sendable {
    var name: String { get }
    /// - Returns: false if there was nothing to hit.
    func strike(_ world: World) -> Bool
}

enum Faults {
    /// Each has a bit in `SimulationOptions.faults`, by its place here.
    static let all: [any SimulatedFault] = [
        CutConnection(), ClogConnection(), LoseCommitAnswer(), LoseCommit(), DelayCommit(), StopDatabase(),
        SlowDatabase(), CrashScheduler(), PauseScheduler(), ReplaceScheduler(), CrashWorker(), PauseWorker(),
        DrainWorker(), CrashClient(), StepClock(), RefuseContent(), MisleadConnections(),
    ]
}
