import StatexProtocol

/// What a client was told is durable, and is said once: an acknowledged request is in the journal, under
/// one set of ids for ever, and what a client hears of a job's end is what the journal says.
final class AcknowledgementChecker: Checker {
    private struct UserKey: Hashable {
        var tenant: Int
        var text: [UInt8]
    }

    private unowned let world: World
    private var firstIDs: [[UInt64: UInt64]]
    /// By tenant and key.
    private var idsByKey: [UserKey: UInt64] = [:]
    private var owners: [UInt64: (client: Int, sequence: UInt64)] = [:]

    init(_ world: World) {
        self.world = world
        firstIDs = Array(repeating: [:], count: world.options.clients)
    }

    /// Whoever still knows the id of a job that a restore lost must not find another one under it.
    func committed(_ commit: SimulatedJournal.Commit) {
        for row in commit.jobs where world.vanished.contains(row.id) {
            world.violation("the id of job \(row.id), which a restore lost, is given again")
        }
    }

    func acknowledged(client: Int, sequence: UInt64, first: UInt64, count: Int, plan: RequestPlan) {
        guard count == plan.jobs.count else {
            return world.violation("client \(client), sequence \(sequence): \(count) jobs of \(plan.jobs.count)")
        }
        for (id, job) in zip(first..., plan.jobs) {
            guard let history = world.journal.histories[id] else {
                return world.violation("job \(id) was acknowledged and is not in the journal")
            }
            if history.payload != job.work.payload, !world.database.refusedJobs.contains(id) {
                world.violation("job \(id) has another payload")
            }
        }
        if let known = firstIDs[client][sequence], known != first {
            world.violation("client \(client), sequence \(sequence): acknowledged as \(known) and as \(first)")
        }
        if firstIDs[client][sequence] != nil { world.mark("acknowledged twice") }
        firstIDs[client][sequence] = first
        if let text = plan.key {
            let key = UserKey(tenant: plan.jobs[0].tenant, text: text)
            if let known = idsByKey[key], known != first {
                world.violation("user key \(text): acknowledged as \(known) and as \(first)")
            }
            if idsByKey[key] != nil { world.mark("user key met again") }
            idsByKey[key] = first
        } else if let owner = owners[first], owner != (client, sequence) {
            world.violation("request \(first) was acknowledged to two submits")
        } else {
            owners[first] = (client, sequence)
        }
    }

    func journalRestored() {
        let isGone = { [world] (id: UInt64) in world.journal.histories[id] == nil }
        for client in firstIDs.indices { firstIDs[client] = firstIDs[client].filter { !isGone($0.value) } }
        idsByKey = idsByKey.filter { !isGone($0.value) }
        owners = owners.filter { !isGone($0.key) }
    }

    func refused(client: Int, code: UInt16, plan: RequestPlan) {
        guard code == WireError.Code.keyConflict.rawValue, plan.key != nil else {
            return world.violation("client \(client): a sound submit was refused for good, code \(code)")
        }
        world.mark("user key in conflict")
    }

    func toldFinal(client: Int, id: UInt64, state: JobState) {
        let final = world.journal.histories[id]?.final
        if final != state {
            world.violation(
                "client \(client) heard that job \(id) is \(state), the journal says \(String(describing: final))")
        }
    }

    func atEnd() {
        for client in world.clients {
            for request in client.requests where request.answer == .none {
                world.violation("client \(client.place), sequence \(request.sequence): never answered")
            }
        }
        // No job is anybody's second one.
        var submitted: [UInt64: Int] = [:]
        for (row, _) in world.journal.submits {
            for offset in 0..<UInt64(row.count) {
                submitted[(row.producer.low << 32) | (row.sequence + offset), default: 0] += 1
            }
        }
        if submitted.contains(where: { $0.value > 1 }) { world.violation("a sequence made two requests") }
    }
}
