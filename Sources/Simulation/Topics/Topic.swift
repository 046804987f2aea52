import StatexSchedulerCore

/// One subject of the simulation, in one file: the jobs that it needs, the ways in which it goes wrong, and
/// what must hold. A policy of the cores is added to the simulation as one topic.
protocol Topic: Sendable {
    var faults: [any SimulatedFault] { get }
    /// Is shown each request that a seed draws, if the seed has this topic.
    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator)
    func checkers(of world: World) -> [any Checker]
}

extension Topic {
    var faults: [any SimulatedFault] { [] }
    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {}
    func checkers(of world: World) -> [any Checker] { [] }
}

enum Topics {
    /// The place of a topic, and of a fault inside it, decides what a seed draws: append.
    static let all: [any Topic] = [
        NetworkTopic(), LossTopic(), SessionTopic(), CommitTopic(), DatabaseTopic(), SchedulerTopic(), WorkerTopic(),
        HandlerTopic(), ClientTopic(), ClockTopic(), ContractTopic(), ReferenceTopic(), StealTopic(), DependencyTopic(),
        LimitTopic(), LabelTopic(), AffinityTopic(), PauseTopic(), ResourceTopic(), TalkTopic(), InputTopic(),
        UniqueTopic(), ScheduleTopic(), FairnessTopic(), OutageTopic(), FormerJournalTopic(),
    ]

    /// Those that only watch. What a seed draws does not depend on them.
    static let watching: [any Topic] = [EventTopic()]
}

/// One way in which the world goes wrong.
protocol SimulatedFault: Sendable {
    var name: String { get }
    /// - Parameter cause: this fault's number: `world.hit(cause)` counts that it had the effect that it is made for.
    /// - Returns: false if there was nothing to strike.
    func strike(_ world: World, as cause: Int) -> Bool
}

enum Faults {
    static let all: [any SimulatedFault] = Topics.all.flatMap(\.faults)
}
