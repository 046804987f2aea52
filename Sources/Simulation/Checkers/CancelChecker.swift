import StatexProtocol

/// A job that an order to cancel reached is not run again: what ran may finish, nothing else begins.
final class CancelChecker: Checker {
    private unowned let world: World
    private var reached: Set<UInt64> = []

    init(_ world: World) { self.world = world }

    func journalRestored() { reached = Set(world.journal.commits.flatMap(\.actions).flatMap(\.ids)) }

    func committed(_ commit: SimulatedJournal.Commit) {
        for row in commit.leases where reached.contains(row.id) {
            world.violation("job \(row.id) was leased after it was cancelled")
        }
        for row in commit.outcomes where reached.contains(row.id) {
            guard let final = row.final else {
                world.violation("job \(row.id) goes on after it was cancelled")
                continue
            }
            if final == .dead { world.violation("job \(row.id) is dead, and was cancelled before") }
        }
        for row in commit.actions { reached.formUnion(row.ids) }
    }
}
