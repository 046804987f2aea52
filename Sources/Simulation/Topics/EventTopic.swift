import StatexProtocol
import StatexSchedulerCore

/// Somebody subscribes to events now and then, loses messages, and fills the gaps from the journal.
struct EventTopic: Topic {
    func checkers(of world: World) -> [any Checker] { [EventChecker(world)] }
}

/// What is published of a commit is what the journal says of it, in the order that its rows give; and who fills what
/// it missed has every final outcome once, and of each request one beginning and one end, and that is true.
private final class EventChecker: Checker {
    private unowned let world: World
    private var random: SeededGenerator
    private let oracle: EventOracle
    /// The subscriber has the events of all commits through this one.
    private var had: UInt64 = 0
    private var heard: [SimulatedEvent: Int] = [:]

    init(_ world: World) {
        self.world = world
        oracle = EventOracle(world.journal)
        random = SeededGenerator(seed: world.order.seed, part: 77)
    }

    func turned(_ scheduler: SchedulerProcess) {
        // Whoever was subscribed is not, after a restart of the scheduler, until it has connected again.
        if scheduler.core.tellsEvents {
            if random.happens(oneIn: 60) { scheduler.core.tellsEvents = false }
        } else if random.happens(oneIn: 10) {
            scheduler.core.tellsEvents = true
        }
    }

    func committed(_ commit: SimulatedJournal.Commit) { oracle.note(commit) }

    func journalRestored() {
        had = 0
        heard = [:]
        oracle.noteAll()
    }

    // MARK: The stream

    func told(_ head: CommitBatch.Head, by scheduler: SchedulerProcess) {
        guard scheduler.core.tellsEvents else { return world.mark("events not made") }
        guard let commit = world.journal.commits.first(where: { $0.head.batch == head.batch }),
            commit.head.epoch == head.epoch
        else { return world.violation("events of commit \(head.batch) are told, which is not durable") }
        let told = scheduler.core.events.all.map { event in
            SimulatedEvent(
                type: event.type, id: event.id, request: event.request, kind: scheduler.core.kindName(event.kind),
                tenant: scheduler.core.tenantName(event.tenant),
                worker: event.lease == .none ? "" : scheduler.core.workerName(event.lease), number: event.number)
        }
        let expected = oracle.events(of: commit)
        if told != expected {
            world.violation("commit \(head.batch) is told as \(told), the journal says \(expected)")
        }
        let after = scheduler.core.toldBefore
        if after >= head.batch { world.violation("commit \(head.batch) follows commit \(after)") }
        // The way to the subscriber.
        guard !told.isEmpty, !random.happens(oneIn: 6), head.batch > had else { return }
        if after > had {
            world.mark("gap of events filled")
            fill(through: after)
        }
        world.mark("events heard")
        for event in told { heard[event, default: 0] += 1 }
        had = head.batch
    }

    private func fill(through batch: UInt64) {
        for commit in world.journal.commits where commit.head.batch > had && commit.head.batch <= batch {
            for event in oracle.events(of: commit) { heard[event, default: 0] += 1 }
        }
        had = batch
    }

    func atEnd() {
        fill(through: world.journal.end.batch)
        for (event, times) in heard where times > 1 && ![.jobLeased, .jobRetried].contains(event.type) {
            world.violation("\(event) was heard \(times) times")
        }
        var finals: [UInt64: EventType] = [:]
        var ends: [UInt64: EventType] = [:]
        var created: Set<UInt64> = []
        for event in heard.keys {
            switch event.type {
            case .requestCreated: created.insert(event.id)
            case .requestCompleted, .requestFailed, .requestCancelled:
                if ends.updateValue(event.type, forKey: event.id) != nil {
                    world.violation("request \(event.id) ended twice")
                }
            case .jobLeased, .jobRetried: break
            default:
                if finals.updateValue(event.type, forKey: event.id) != nil {
                    world.violation("job \(event.id) ended twice")
                }
            }
        }
        for (id, history) in world.journal.histories {
            if finals[id] != history.final.flatMap({ EventType(final: $0) }) {
                world.violation(
                    "job \(id) is \(history.final.map(\.name) ?? "open"), told as \(finals[id]?.name ?? "nothing")")
            }
            guard JobOpts.index(history.row.opts) == 0 else { continue }
            let isRequest = history.retryOf == nil
            if created.contains(id) != isRequest || ends[id] != (isRequest ? oracle.end(of: id, history) : nil) {
                world.violation(
                    "request \(id) is told as \(ends[id]?.name ?? "open"), and begun: \(created.contains(id))")
            }
        }
    }
}
