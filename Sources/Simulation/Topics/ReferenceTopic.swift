/// A naive scheduler must allow what was observed.
struct ReferenceTopic: Topic {
    func checkers(of world: World) -> [any Checker] { [ReferenceChecker(world)] }
}
