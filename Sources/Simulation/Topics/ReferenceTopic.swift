/// A naive scheduler must allow what was observed, and know of each job that waits why it does.
struct ReferenceTopic: Topic {
    func checkers(of world: World) -> [any Checker] {
        let reference = ReferenceChecker(world)
        return [
            reference, ExplainChecker(world, reference), OrderChecker(world, reference), LossChecker(world, reference),
        ]
    }
}
