/// What must hold whatever happens: the contract, judged from outside.
struct ContractTopic: Topic {
    func checkers(of world: World) -> [any Checker] {
        [
            AcknowledgementChecker(world), LeaseChecker(world), OutcomeChecker(world), OverlapChecker(world),
            CreditChecker(world), CancelChecker(world), FinishedWorkChecker(world), EpochChecker(world),
            BoundsChecker(world), NormalityChecker(world), ChainChecker(world),
        ]
    }
}
