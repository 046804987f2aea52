/// The database as a whole: stopped, slow, failed over, restored.
struct DatabaseTopic: Topic {
    var faults: [any SimulatedFault] {
        [StopDatabase(), StopDatabaseForLong(), SlowDatabase(), FailOver(), FailOverWithLoss(), Restore()]
    }
}

private struct StopDatabase: SimulatedFault {
    let name = "stop the database"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard !world.database.isDown else { return false }
        world.database.goDown(for: world.dice.within(100_000_000...8_000_000_000), as: cause)
        return true
    }
}

private struct StopDatabaseForLong: SimulatedFault {
    let name = "stop the database for minutes"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard !world.database.isDown else { return false }
        world.database.goDown(for: world.dice.within(15_000_000_000...600_000_000_000), as: cause)
        return true
    }
}

private struct SlowDatabase: SimulatedFault {
    let name = "slow the database down"

    func strike(_ world: World, as cause: Int) -> Bool {
        let speeds: [Int64] = [20_000_000, 100_000_000, 600_000_000, 3_000_000_000]
        world.database.slowDown(to: speeds[world.dice.below(4)], as: cause)
        world.act("the database is fast again", after: world.dice.within(1_000_000_000...30_000_000_000)) {
            $0.database.slowDown(to: 1_000_000, as: cause)
        }
        return true
    }
}

/// A replica that has everything takes over.
private struct FailOver: SimulatedFault {
    let name = "fail over without loss"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard !world.database.isDown else { return false }
        world.database.goDown(for: world.dice.within(500_000_000...3_000_000_000), as: cause)
        return true
    }
}

/// A replica that lacks the last commits takes over, and an operator adopts it.
private struct FailOverWithLoss: SimulatedFault {
    let name = "fail over and lose the last commits"

    func strike(_ world: World, as cause: Int) -> Bool {
        let commits = world.journal.commits.count
        guard !world.database.isDown, commits > 2 else { return false }
        world.database.goDown(for: world.dice.within(500_000_000...3_000_000_000), as: nil)
        world.restoreJournal(to: commits - 1 - world.dice.below(min(commits - 2, 4)), as: cause)
        return true
    }
}

/// The journal is restored to an earlier point while clients and workers live, and an operator adopts it.
private struct Restore: SimulatedFault {
    let name = "restore the journal"

    func strike(_ world: World, as cause: Int) -> Bool {
        let commits = world.journal.commits.count
        guard !world.database.isDown, commits > 2 else { return false }
        world.database.goDown(for: world.dice.within(5_000_000_000...120_000_000_000), as: nil)
        world.restoreJournal(to: 1 + world.dice.below(commits - 1), as: cause)
        return true
    }
}
