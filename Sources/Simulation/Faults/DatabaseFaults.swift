/// The next commit happens, and its answer is lost.
struct LoseCommitAnswer: SimulatedFault {
    let name = "lose the answer to a commit"

    func strike(_ world: World) -> Bool {
        world.database.nextFate = .answerLost
        return true
    }
}

/// The next commit does not happen, and nobody says so.
struct LoseCommit: SimulatedFault {
    let name = "lose a commit"

    func strike(_ world: World) -> Bool {
        world.database.nextFate = .tryLost
        return true
    }
}

/// The next commit ends long after its connection was lost, one way or the other.
struct DelayCommit: SimulatedFault {
    let name = "let a commit end late"

    func strike(_ world: World) -> Bool {
        world.database.nextFate = .late
        return true
    }
}

/// Postgres refuses the content of one job or result of the next commit.
struct RefuseContent: SimulatedFault {
    let name = "refuse content"

    func strike(_ world: World) -> Bool {
        world.database.refusesContent = true
        return true
    }
}

struct StopDatabase: SimulatedFault {
    let name = "stop the database"

    func strike(_ world: World) -> Bool {
        guard !world.database.isDown else { return false }
        world.database.goDown(for: world.random.within(100_000_000...8_000_000_000))
        return true
    }
}

struct SlowDatabase: SimulatedFault {
    let name = "change the speed of the database"

    func strike(_ world: World) -> Bool {
        world.database.commitNanoseconds = [200_000, 1_000_000, 50_000_000, 600_000_000][world.random.below(4)]
        return true
    }
}
