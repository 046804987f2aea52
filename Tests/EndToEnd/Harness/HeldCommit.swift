import StatexPostgres

extension TestStack {
    /// Locks what every commit with jobs writes, so that the next one stops in its middle.
    func holdCommits() throws -> Connection {
        let holder = try connection()
        try holder.run("BEGIN; LOCK TABLE statex.jobs IN ACCESS EXCLUSIVE MODE", doing: "hold commits")
        return holder
    }

    /// Waits until the journal's backend stands before that lock.
    func waitForHeldCommit(_ holder: borrowing Connection) throws { try waitForLock(of: "statex journal", holder) }

    /// Waits until a backend of that name stands before a lock of the holder.
    func waitForLock(of name: String, _ holder: borrowing Connection) throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try holder.query(
            """
            SELECT count(*) FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND NOT l.granted
            WHERE a.application_name = '\(name)'
            """, doing: "look for the commit"
        ).integer(0, 0) == 0 {
            // Statistics are cached in a transaction; each look must be a new one.
            try holder.run("SELECT pg_stat_clear_snapshot()", doing: "look for the commit")
            guard ContinuousClock.now < deadline else { throw HarnessError("no \(name) came to the lock") }
        }
    }
}
