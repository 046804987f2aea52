import StatexProtocol
import StatexSchedulerCore

/// Feeds the reference scheduler what the owner knew and what it wrote, one row after another.
final class ReferenceChecker: Checker {
    private unowned let world: World
    private var reference: ReferenceScheduler
    private(set) var owner = 0
    /// What the owner decided, until it is durable or the owner is replaced.
    private var decided: (batch: UInt64, reference: ReferenceScheduler, complaints: [String])?
    /// Jobs that could have run at every look since then.
    private var couldRun: [UInt64: Int64] = [:]

    init(_ world: World) {
        self.world = world
        reference = ReferenceScheduler(world.options.coreSettings)
    }

    /// What the owner decided so far, durable or not, but for what it gathers for its next commit.
    var latest: ReferenceScheduler { decided?.reference ?? reference }
    /// What of that is durable.
    var durable: ReferenceScheduler { reference }

    func serves(_ scheduler: SchedulerProcess) {
        guard scheduler.number == world.journal.owner else { return }
        owner = scheduler.number
        decided = nil
        reference.tookOver(at: scheduler.clock)
    }

    func heard(_ worker: WorkerID, _ what: Contact, by scheduler: SchedulerProcess) {
        if scheduler.number == owner { reference.heard(worker, what, at: scheduler.clock.monotonic) }
    }

    func leaseLeft(_ lease: LeaseRecord, isOwner: Bool) {
        reference.left(lease.token)
        decided?.reference.left(lease.token)
    }

    func workerSaid(_ bytes: [UInt8], worker: WorkerProcess) {
        let span = bytes.span.bytes
        guard let header = try? Header(reading: span), header.type == .outcomes,
            header.incarnation == world.journal.incarnation,
            var cursor = try? header.recordCursor(atLeast: OutcomeRecord.size)
        else { return }
        for _ in 0..<header.count {
            guard let record = try? OutcomeRecord(reading: &cursor, header: header, in: span) else { return }
            reference.reported(record.token, record.ending)
        }
    }

    /// No job waits while a slot is free, for longer than anything closes a kind in one worker.
    func looked() {
        // With limits or resources, a job may wait for them.
        guard !world.options.hasLimits, world.options.amounts.isEmpty,
            let scheduler = world.schedulers.first(where: { $0.number == owner }),
            case let idle = world.workers.filter({ $0.heldLeases == 0 && $0.keptOutcomes == 0 && !$0.isPaused }),
            !idle.isEmpty
        else {
            couldRun = [:]
            return
        }
        let labels = idle.map { Set(world.options.labels(ofWorker: $0.place)) }
        let ready = reference.ready(before: scheduler.clock.monotonic).filter { id in
            let required = world.journal.histories[id]?.options?.labels ?? []
            return labels.contains { $0.isSuperset(of: required) }
        }.map { ($0, couldRun[$0] ?? world.now) }
        couldRun = Dictionary(ready) { first, _ in first }
        let longest = ready.min { ($0.1, $0.0) < ($1.1, $1.0) }
        if let longest, world.now - longest.1 > Self.longestQuarantine {
            let now = scheduler.clock
            let why = scheduler.core.explain(JobID(rawValue: longest.0), journalDown: nil, at: now)
            world.violation("job \(longest.0) is ready and waits while a worker is idle; the core says \(why)")
        }
    }

    private static let longestQuarantine: Int64 = 90_000_000_000

    func journalRestored() {
        reference = ReferenceScheduler(world.options.coreSettings)
        owner = 0
        decided = nil
        for commit in world.journal.commits { _ = take(commit, into: &reference, judges: false) }
    }

    /// Judged by what the owner knows now, and not later, when it is durable.
    func decided(_ commit: SimulatedJournal.Commit, by scheduler: SchedulerProcess) {
        guard scheduler.number == owner else { return }
        var after = reference
        let complaints = take(commit, into: &after, judges: true)
        decided = (commit.head.batch, after, complaints)
    }

    func committed(_ commit: SimulatedJournal.Commit) {
        guard commit.owner == owner, let decided, decided.batch == commit.head.batch else { return }
        reference.adopt(decided.reference)
        self.decided = nil
        for complaint in decided.complaints { world.violation(complaint) }
    }

    /// - Parameter judges: false for what was judged before: only its sums are wanted.
    private func take(
        _ commit: SimulatedJournal.Commit, into reference: inout ReferenceScheduler, judges: Bool
    ) -> [String] {
        var complaints: [String] = []
        var moment = ReferenceScheduler.Moment(
            decided: commit.decided, wall: commit.head.at, isWallUnsure: commit.isWallUnsure)
        for row in commit.outcomes where row.ending == .lost { moment.lost[row.lease.worker, default: 0] += 1 }
        for row in commit.names where row.family == .worker {
            if let slash = row.name.lastIndex(of: "/"),
                let worker = WorkerID(row.name[row.name.index(after: slash)...], radix: 16)
            {
                reference.named(row.number, worker)
            }
        }
        let options = Dictionary(commit.options.map { ($0.id, $0.options) }) { first, _ in first }
        for row in commit.jobs {
            reference.submitted(
                row.id, index: JobOpts.index(row.opts), attempts: Int(JobOpts.attempts(row.opts)), options[row.id],
                at: moment)
        }
        // An order and what came of it stand in one commit, in either order.
        let rows = inOrder(commit)
        if !judges {
            for id in commit.actions.flatMap(\.ids) { reference.cancelled(id) }
            replay(rows, into: &reference, moment)
            return []
        }
        var orders = Set(commit.actions.flatMap(\.ids))
        for row in rows {
            let why: String?
            switch row {
            case .lease(let row):
                if isRefused(row.id, reference) {
                    reference.replayed(row)
                    why = nil
                } else {
                    why = reference.leased(row, at: moment)
                }
            case .outcome(let row):
                if row.final == .cancelled, orders.remove(row.id) != nil { reference.cancelled(row.id) }
                if isRefused(row.id, reference) {
                    // The database had its say about this one.
                    reference.replayed(row, at: moment)
                    why = nil
                } else {
                    why = reference.ended(row, at: moment)
                }
            }
            if let why { complaints.append("commit \(commit.head.batch), job \(row.id): the reference says \(why)") }
        }
        for id in orders { reference.cancelled(id) }
        return complaints
    }

    /// The database refused its content, or the result of one that it waits for.
    private func isRefused(_ id: UInt64, _ reference: ReferenceScheduler) -> Bool {
        let refused = world.database.refusedJobs
        return !refused.isEmpty && (refused.contains(id) || reference.parents(of: id).contains(where: refused.contains))
    }

    private enum Row {
        case lease(CommitBatch.LeaseRow)
        case outcome(CommitBatch.OutcomeRow)

        var id: UInt64 {
            switch self {
            case .lease(let row): row.id
            case .outcome(let row): row.id
            }
        }
        /// A lease comes before its own end, and the end of the lease before it; what ends without one ends last.
        var place: (UInt64, Int) {
            switch self {
            case .lease(let row): (row.token, 0)
            case .outcome(let row): (row.token == 0 ? .max : row.token, 1)
            }
        }
    }

    /// One after another, as a scheduler without batches would have written them.
    private func inOrder(_ commit: SimulatedJournal.Commit) -> [Row] {
        let rows = commit.leases.map { Row.lease($0) } + commit.outcomes.map { Row.outcome($0) }
        return rows.sorted { ($0.id, $0.place.0, $0.place.1) < ($1.id, $1.place.0, $1.place.1) }
    }

    /// Brings the sums of a former part of the chain about, without looking at when.
    private func replay(
        _ rows: [Row], into reference: inout ReferenceScheduler, _ moment: ReferenceScheduler.Moment
    ) {
        for row in rows {
            switch row {
            case .lease(let row): reference.replayed(row)
            case .outcome(let row): reference.replayed(row, at: moment)
            }
        }
    }
}
