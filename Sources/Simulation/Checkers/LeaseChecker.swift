import StatexProtocol

/// A lease is durable before it leaves, is of one worker at a time, and only the latest may end.
final class LeaseChecker: Checker {
    private unowned let world: World
    /// What stood of each job before the commit that is being judged.
    private var lastToken: [UInt64: UInt64] = [:]
    private var isOpen: [UInt64: Bool] = [:]
    private var isFinal: Set<UInt64> = []
    private var newestToken: UInt64 = 0

    init(_ world: World) { self.world = world }

    func journalRestored() {
        lastToken = [:]
        isOpen = [:]
        isFinal = []
        newestToken = 0
        for commit in world.journal.commits { committed(commit) }
    }

    func committed(_ commit: SimulatedJournal.Commit) {
        // A lease and the outcome of the one before may stand in one commit; so may a lease and its own end.
        var events: [(token: UInt64, isEnd: Bool, id: UInt64, isFinal: Bool)] = []
        for row in commit.leases { events.append((row.token, false, row.id, false)) }
        for row in commit.outcomes { events.append((row.token, true, row.id, row.final != nil)) }
        // A job that ends without a lease ends after every lease of it.
        func place(_ token: UInt64) -> UInt64 { token == 0 ? .max : token }
        events.sort { ($0.id, place($0.token), $0.isEnd ? 1 : 0) < ($1.id, place($1.token), $1.isEnd ? 1 : 0) }
        for event in events {
            guard world.journal.histories[event.id] != nil else {
                world.violation("job \(event.id) has a lease or an outcome and no row")
                continue
            }
            if isFinal.contains(event.id) { world.violation("job \(event.id): something follows its final outcome") }
            if event.isEnd { ended(event.id, event.token) } else { leased(event.id, event.token) }
            if event.isFinal { isFinal.insert(event.id) }
        }
        for row in commit.leases { newestToken = max(newestToken, row.token) }
    }

    private func leased(_ id: UInt64, _ token: UInt64) {
        if token <= newestToken { world.violation("token \(token) was given before") }
        if isOpen[id] == true { world.violation("job \(id) was leased with token \(token) while a lease was open") }
        isOpen[id] = true
        lastToken[id] = token
    }

    private func ended(_ id: UInt64, _ token: UInt64) {
        if token == 0 {
            if isOpen[id] == true { world.violation("job \(id) ended beside its open lease") }
        } else if lastToken[id] != token || isOpen[id] != true {
            world.violation("job \(id): the outcome of the stale token \(token) was recorded")
        }
        isOpen[id] = false
    }

    func leaseLeft(_ lease: LeaseRecord, isOwner: Bool) {
        let leases = world.journal.histories[lease.id.rawValue]?.leases ?? []
        guard let last = leases.last, leases.contains(where: { $0.token == lease.token }) else {
            return world.violation("the lease \(lease.token) of job \(lease.id) left before its commit")
        }
        // An owner that does not know yet that it is none may say what was true.
        if isOwner, last.token != lease.token {
            world.violation("job \(lease.id): a lease left that is not the latest")
        }
    }

    func schedulerSaid(_ type: MessageType, id: UInt64, token: UInt64) {
        guard let history = world.journal.histories[id] else { return }
        switch type {
        case .durable:
            if !history.hasOutcome(of: token) {
                world.violation("job \(id): the outcome of token \(token) was called durable and is not recorded")
            }
        case .stale:
            world.mark("outcome refused as stale")
            // One that the scheduler recorded itself is another than the worker's.
            let recorded = world.journal.ending(of: token, job: id)
            if recorded == .succeeded || recorded == .failed, !world.database.refusedJobs.contains(id) {
                world.violation("job \(id): the outcome of token \(token) is recorded and was called stale")
            }
            if history.openLease?.token == token {
                world.violation("job \(id): the outcome of token \(token) was refused while its lease is open")
            }
        default: break
        }
    }
}
