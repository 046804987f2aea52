import StatexProtocol
import StatexSchedulerCore

/// A kind whose every attempt fails for a while, and what keeps that small: circuits, quarantine, the retry budget.
struct OutageTopic: Topic {
    var faults: [any SimulatedFault] { [FailOneKind()] }

    func checkers(of world: World) -> [any Checker] { [CircuitChecker(world), RetryBudgetChecker(world)] }
}

extension Policies {
    /// Bounds that the few jobs of a seed reach.
    mutating func drawOutages(seed: UInt64) {
        var random = SeededGenerator(seed: seed, part: 50)
        guard random.happens(oneIn: 2) else { return }
        let second: Int64 = 1_000_000_000
        otherKinds.circuit = .init(
            failures: 3 + random.below(5), jobs: 1 + random.below(3), waitNanoseconds: second,
            maximumNanoseconds: 4 * second)
        otherKinds.quarantine = .init(
            failures: 2 + random.below(3), jobs: 1 + random.below(2), waitNanoseconds: 2 * second,
            maximumNanoseconds: 8 * second)
        otherKinds.budget.burst = 1 + random.below(10)
        otherKinds.budget.perSecond = 5
        for name in kinds.keys {
            kinds[name]?.circuit = otherKinds.circuit
            kinds[name]?.quarantine = otherKinds.quarantine
            kinds[name]?.budget = otherKinds.budget
        }
    }
}

/// A model that is gone, a service that is down.
private struct FailOneKind: SimulatedFault {
    let name = "a kind fails for a while"

    func strike(_ world: World, as cause: Int) -> Bool {
        guard world.failingKind == nil else { return false }
        world.failingKind = (world.dice.below(SimulationOptions.kinds.count), cause)
        world.act("a kind is sound again", after: world.dice.within(1_000_000_000...30_000_000_000)) {
            $0.failingKind = nil
        }
        return true
    }
}

/// Failures in a row, as rows of the journal tell them, and whether they are enough to stop what fails.
private struct FailureRow {
    private var failures = 0
    private var jobs: Set<UInt64> = []
    /// How often the kind had succeeded anywhere when the row began.
    private var successesBefore = 0
    /// The commit that told of the last of them; nil: it is not open.
    private(set) var openedIn: UInt64?
    /// What was leased since it opened and has not ended.
    private var probes: Set<UInt64> = []

    mutating func failed(
        _ job: UInt64, _ settings: Circuit.Settings, elsewhere successes: Int?, in batch: UInt64
    ) {
        if failures == 0 { successesBefore = successes ?? 0 }
        failures += 1
        jobs.insert(job)
        let others = successes.map { $0 - successesBefore >= settings.failures } ?? true
        if settings.failures > 0, failures >= settings.failures, jobs.count >= settings.jobs, others {
            openedIn = openedIn ?? batch
        }
    }

    /// - Returns: how many run as probes now.
    mutating func probed(_ leased: [UInt64], ended: Set<UInt64>) -> Int {
        probes.formUnion(leased)
        probes.subtract(ended)
        return probes.count
    }
}

/// Once a kind has failed often enough in a row, one job at a time probes it, until one succeeds; so it is with a
/// kind in one worker while it succeeds in others.
private final class CircuitChecker: Checker {
    private struct Place: Hashable {
        var worker: WorkerID
        var kind: UInt32
    }

    private unowned let world: World
    private var owner = 0
    private var kinds: [UInt32: FailureRow] = [:]
    private var places: [Place: FailureRow] = [:]
    private var successes: [UInt32: Int] = [:]

    init(_ world: World) { self.world = world }

    /// What failed is not journaled: a new owner learns it anew.
    func serves(_ scheduler: SchedulerProcess) {
        owner = scheduler.number
        kinds = [:]
        places = [:]
        successes = [:]
    }

    func journalRestored() { owner = 0 }

    func heard(_ worker: WorkerID, _ what: Contact, by scheduler: SchedulerProcess) {
        guard scheduler.number == owner else { return }
        switch what {
        case .spoke, .offers, .holds: break
        // It may be forgotten, and what it failed with it.
        case .joined, .disconnected, .left: places = places.filter { $0.key.worker != worker }
        }
    }

    func committed(_ commit: SimulatedJournal.Commit) {
        guard commit.owner == owner else { return }
        for row in commit.outcomes where row.token != 0 { took(row, in: commit.head.batch) }
        func wasOpen(_ row: FailureRow) -> Bool { row.openedIn.map { $0 < commit.head.batch } ?? false }
        let openKinds = kinds.filter { wasOpen($0.value) }.map(\.key)
        let openPlaces = places.filter { wasOpen($0.value) }.map(\.key)
        let ended = Set(commit.outcomes.map(\.token))
        func leased(_ isMeant: (CommitBatch.LeaseRow, UInt32) -> Bool) -> [UInt64] {
            commit.leases.filter { row in
                world.journal.histories[row.id].map { isMeant(row, $0.row.kind) } ?? false
            }.map(\.token)
        }
        // What was decided before it opened was written no later than what opened it.
        for kind in openKinds {
            let count = kinds[kind]?.probed(leased { $1 == kind }, ended: ended) ?? 0
            if count > 0 { world.mark("circuit probed") }
            if count > 1 { world.violation("kind \(kind) fails every time, and \(count) jobs probe it") }
        }
        for place in openPlaces {
            let ours = leased { row, kind in
                kind == place.kind && world.journal.incarnation(ofWorker: row.worker) == place.worker
            }
            let count = places[place]?.probed(ours, ended: ended) ?? 0
            if count > 0 { world.mark("quarantined worker probed") }
            if count > 1 {
                world.violation("a worker fails all of kind \(place.kind), others do not, and \(count) jobs probe it")
            }
        }
    }

    private func took(_ row: CommitBatch.OutcomeRow, in batch: UInt64) {
        guard let history = world.journal.histories[row.id],
            let lease = history.leases.last(where: { $0.token == row.token }),
            let worker = world.journal.incarnation(ofWorker: lease.worker)
        else { return }
        let kind = history.row.kind
        let place = Place(worker: worker, kind: kind)
        // What the database refused may have succeeded until then, or failed: it ends a row, and proves nothing.
        if row.ending == .succeeded || world.database.refusedJobs.contains(row.id) {
            kinds[kind] = nil
            places[place] = nil
            if row.ending == .succeeded { successes[kind, default: 0] += 1 }
        } else if row.ending == .failed, row.final == nil || row.final == .dead {
            let settings = world.options.coreSettings.policies.otherKinds
            kinds[kind, default: FailureRow()].failed(row.id, settings.circuit, elsewhere: nil, in: batch)
            places[place, default: FailureRow()].failed(
                row.id, settings.quarantine, elsewhere: successes[kind] ?? 0, in: batch)
            if kinds[kind]?.openedIn != nil, let cause = world.failingKind?.cause { world.hit(cause) }
        }
    }
}

/// Retries of a kind are a share of its first attempts, a constant rate and a burst, and what retries that succeed
/// give back: never more in one owner's term.
private final class RetryBudgetChecker: Checker {
    private struct Account {
        var firsts = 0
        var retries = 0
        var succeeded = 0
    }

    private unowned let world: World
    private var owner = 0
    private var since: Int64 = 0
    private var accounts: [UInt32: Account] = [:]
    /// How often each job had failed when it was leased last.
    private var failures: [UInt64: Int] = [:]

    init(_ world: World) { self.world = world }

    func serves(_ scheduler: SchedulerProcess) {
        owner = scheduler.number
        since = scheduler.clock.monotonic
        accounts = [:]
        failures = [:]
    }

    func journalRestored() { owner = 0 }

    func committed(_ commit: SimulatedJournal.Commit) {
        guard commit.owner == owner else { return }
        for row in commit.outcomes where row.ending == .succeeded {
            guard let history = world.journal.histories[row.id] else { continue }
            if history.failures > 0 { accounts[history.row.kind, default: Account()].succeeded += 1 }
        }
        for row in commit.leases {
            guard let history = world.journal.histories[row.id] else { continue }
            let before = history.failures(before: row.token)
            guard before > 0 else {
                accounts[history.row.kind, default: Account()].firsts += 1
                continue
            }
            // What was lost or came back is no retry.
            if let known = failures[row.id], known < before {
                accounts[history.row.kind, default: Account()].retries += 1
            }
            failures[row.id] = before
        }
        for row in commit.leases where failures[row.id] == nil { failures[row.id] = 0 }
        judge(commit)
    }

    private func judge(_ commit: SimulatedJournal.Commit) {
        let settings = world.options.coreSettings.policies.otherKinds.budget
        let seconds = Double(commit.decided.upperBound - since) / 1e9
        for (kind, account) in accounts where account.retries > 0 {
            let most =
                Double(settings.burst) + settings.perSecond * seconds + settings.share * Double(account.firsts)
                + 2 * Double(account.succeeded) + 1
            if Double(account.retries) > most {
                world.violation("\(account.retries) retries of kind \(kind), its budget is \(most)")
            }
        }
    }
}

extension SimulatedJournal.History {
    fileprivate var failures: Int { outcomes.count { $0.ending == .failed } }

    fileprivate func failures(before token: UInt64) -> Int {
        outcomes.count { $0.ending == .failed && $0.token < token }
    }
}
