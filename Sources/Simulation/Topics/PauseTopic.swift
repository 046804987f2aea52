import StatexProtocol
import StatexSchedulerCore

/// Operators hold back a kind, a tenant or everything, and let it go on.
struct PauseTopic: Topic {
    var faults: [any SimulatedFault] {
        [PauseKind(), PauseTenant(), PauseEverything(), RepeatOrder()]
    }

    func checkers(of world: World) -> [any Checker] { [PauseChecker(world)] }
}

private struct PauseKind: SimulatedFault {
    let name = "pause a kind"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard let kind = world.dice.one(of: SimulationOptions.kinds) else { return false }
        return world.hold(.kind(kind), as: cause)
    }
}

private struct PauseTenant: SimulatedFault {
    let name = "pause a tenant"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.hold(.tenant("tenant \(world.dice.below(3))"), as: cause)
    }
}

private struct PauseEverything: SimulatedFault {
    let name = "pause everything"

    func strike(_ world: World, as cause: Int) -> Bool { world.hold(.everything, as: cause) }
}

/// The next order is said twice.
private struct RepeatOrder: SimulatedFault {
    let name = "repeat an order"

    func strike(_ world: World, as cause: Int) -> Bool {
        world.staff.repeatedBy = cause
        world.staff.give(.resume, .tenant("tenant 0"))
        return true
    }
}

extension World {
    fileprivate func hold(_ subject: Pauses.Subject, as cause: Int) -> Bool {
        // One operator, who waits for answers.
        guard staff.isDone else { return false }
        staff.give(.pause, subject)
        let time = dice.within(1_000_000_000...2 * options.coreSettings.leaseNanoseconds)
        act("an operator lets go on", after: time) { world in
            guard world.faultsAreOn else { return }
            let isHeld = world.journal.openIDs.contains { id in
                world.journal.histories[id]?.openLease == nil && world.journal.concerns(subject, id)
            }
            if isHeld, world.journal.pauses[subject] != nil { world.hit(cause) }
            world.staff.give(.resume, subject)
        }
        return true
    }

    /// Something is paused, or an order about that is under way.
    var holdsBack: Bool { !staff.isDone || !journal.pauses.all.isEmpty }

    /// Everything goes on, once the faults are over.
    func resumeAll() {
        for (subject, _) in journal.pauses.all { staff.give(.resume, subject) }
        // What was ordered and is not answered may still be carried out.
        if !staff.isDone {
            staff.give(.resume, .everything)
            for kind in SimulationOptions.kinds { staff.give(.resume, .kind(kind)) }
            for number in 0..<3 { staff.give(.resume, .tenant("tenant \(number)")) }
        }
    }
}

extension SimulatedJournal {
    func concerns(_ subject: Pauses.Subject, _ id: UInt64) -> Bool {
        guard let row = histories[id]?.row else { return false }
        return switch subject {
        case .everything: true
        case .kind(let name): names.contains { $0.family == .kind && $0.number == row.kind && $0.name == name }
        case .tenant(let name): names.contains { $0.family == .tenant && $0.number == row.tenant && $0.name == name }
        }
    }
}

/// Once an order to pause is durable, no later commit leases what is paused, until one holds that it goes on; and
/// an order is carried out once, and is durable before it is answered.
private final class PauseChecker: Checker {
    private unowned let world: World
    /// What is paused by what was committed, in the order of the orders.
    private var paused: [Pauses.Subject] = []

    init(_ world: World) { self.world = world }

    func journalRestored() {
        paused = []
        for commit in world.journal.commits { follow(commit) }
    }

    func committed(_ commit: SimulatedJournal.Commit) {
        let before = paused
        follow(commit)
        // What goes on in this very commit may have gone on before the lease was decided.
        let held = before.filter(paused.contains)
        for row in commit.leases {
            for subject in held where world.journal.concerns(subject, row.id) {
                world.violation("job \(row.id) was leased, and \(subject) is paused")
            }
        }
        let orders = commit.actions.compactMap { row in row.reply.map { (row.sender, $0.number) } }
        for (sender, number) in orders
        where world.journal.actions.count(where: { $0.sender == sender && $0.reply?.number == number }) > 1 {
            world.violation("order \(number) was carried out twice")
        }
    }

    private func follow(_ commit: SimulatedJournal.Commit) {
        for row in commit.actions {
            guard let subject = SimulatedJournal.pauseSubject(of: row) else { continue }
            paused.removeAll { $0 == subject }
            if row.action == "pause" { paused.append(subject) }
        }
    }

    func orderAnswered(_ order: Order) {
        if !world.journal.actions.contains(where: { $0.reply?.number == order.number }) {
            world.violation("order \(order.number) was answered and is not in the journal")
        }
    }
}
