/// Commits whose end is not known, that fail, or that hold what the database refuses.
struct CommitTopic: Topic {
    var faults: [any SimulatedFault] {
        [
            LoseAnswer(), LoseCommit(), CommitLate(), EndLate(), FailCommit(), FillDisk(), RefuseContent(),
            EndSessions(),
        ]
    }
}

/// The next commit happens, and its answer is lost.
private struct LoseAnswer: SimulatedFault {
    let name = "lose the answer to a commit"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.database.fate = .answerLost(cause: cause)
        return true
    }
}

/// The next commit does not happen, and nobody says so.
private struct LoseCommit: SimulatedFault {
    let name = "lose a commit"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.database.fate = .tryLost(cause: cause)
        return true
    }
}

/// The next commit happens, long after its connection was lost and its owner looked for it.
private struct CommitLate: SimulatedFault {
    let name = "a commit happens after it was looked for"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.database.fate = .late(happens: true, cause: cause)
        return true
    }
}

/// The next commit holds its number for long, and then does not happen.
private struct EndLate: SimulatedFault {
    let name = "a commit fails after it was looked for"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.database.fate = .late(happens: false, cause: cause)
        return true
    }
}

/// The database says that the next commit failed: a lock timeout, a shutdown.
private struct FailCommit: SimulatedFault {
    let name = "fail a commit"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.database.fate = .fails(cause: cause)
        return true
    }
}

/// No commit succeeds for a while; reading works.
private struct FillDisk: SimulatedFault {
    let name = "fill the disk"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.database.failCommits(for: world.dice.within(500_000_000...15_000_000_000), as: cause)
        return true
    }
}

/// Postgres refuses the content of one job or result of the next commit.
private struct RefuseContent: SimulatedFault {
    let name = "refuse content"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.database.refusesContent = cause
        return true
    }
}

/// An administrator ends every session, in the middle of what they do.
private struct EndSessions: SimulatedFault {
    let name = "end the database's sessions"

    func strike(_ world: World, as cause: Int) -> Bool { world.database.endSessions(as: cause) }
}
