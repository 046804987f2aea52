import StatexProtocol
import StatexSchedulerCore

/// Jobs are leased in their order: of one kind, the higher priority first; inside a priority and a tenant, the older
/// job. A job that was retried, returned or stolen has the age that it had.
///
/// It is judged by what was ready before the owner began to gather a commit, and stayed so while others were leased.
final class OrderChecker: Checker {
    private unowned let world: World
    private unowned let reference: ReferenceChecker
    /// When this owner, or the first one that it saw, can have made a job ready at the soonest.
    private var knownSince: [UInt64: Int64] = [:]
    private var servesSince: Int64 = 0
    private var retries = 0
    /// They were in a worker that was lost, in its slots or behind them.
    private var wentWithItsWorker: Set<UInt64> = []
    /// Tenants may be held back by other rules than those of the start.
    private var changesRules: Bool

    init(_ world: World, _ reference: ReferenceChecker) {
        self.world = world
        self.reference = reference
        changesRules = world.options.changesPolicies
    }

    func serves(_ scheduler: SchedulerProcess) {
        guard scheduler.number == reference.owner else { return }
        servesSince = scheduler.clock.monotonic
        knownSince = [:]
        // The failed ones among those that it took over.
        retries = reference.durable.jobs.values.count { $0.failures > 0 && $0.final == nil }
    }

    private struct Waiting {
        var id: UInt64
        var row: CommitBatch.JobRow
        var labels: [String]
        /// It was ready when it was submitted: behind no younger one, whatever happened to it since.
        var isPlain: Bool
        /// Nothing but a free slot keeps it.
        var isUnlimited: Bool

        func sharesQueue(with other: CommitBatch.JobRow, _ labels: [String]) -> Bool {
            row.kind == other.kind && self.labels == labels
        }
    }

    func decided(_ commit: SimulatedJournal.Commit, by scheduler: SchedulerProcess) {
        guard scheduler.number == reference.owner else { return }
        if commit.actions.contains(where: { $0.action == "pause" }) { changesRules = true }
        for row in commit.jobs { knownSince[row.id] = commit.decided.lowerBound }
        let lost = Set(commit.outcomes.filter { $0.ending == .lost }.map(\.lease.worker))
        for row in commit.outcomes where lost.contains(row.lease.worker) { wentWithItsWorker.insert(row.id) }
        defer { retries += commit.outcomes.count { $0.ending == .failed && $0.final == nil } }
        guard !commit.leases.isEmpty, !world.holdsBack else { return }
        let waiting = waiting(before: commit)
        guard !waiting.isEmpty else { return }
        var leased: [UInt64: UInt64] = [:]
        for row in commit.leases.reversed() { leased[row.id] = row.token }
        for row in commit.leases where !isApart(row.id) {
            guard let job = world.journal.histories[row.id]?.row ?? commit.jobs.first(where: { $0.id == row.id }) else {
                continue
            }
            let labels = labels(of: row.id, commit)
            for other in waiting where other.id != row.id && other.sharesQueue(with: job, labels) {
                guard world.violations.isEmpty else { return }
                if let token = leased[other.id], token < row.token { continue }
                judge(job, before: other, at: commit.decided.upperBound)
            }
        }
    }

    /// It was in a lost worker: it waits for a free slot, and apart from the others. They may pass it, and where
    /// tenants are equally far it may pass them.
    private func isApart(_ id: UInt64) -> Bool {
        wentWithItsWorker.contains(id) || reference.durable.jobs[id]?.lostWith.isEmpty == false
    }

    private func judge(_ job: CommitBatch.JobRow, before other: Waiting, at time: Int64) {
        let (level, otherLevel) = (JobOpts.priority(job.opts), JobOpts.priority(other.row.opts))
        if other.row.tenant == job.tenant, level == otherLevel {
            guard other.isPlain, other.id < job.id else { return }
            world.violation(
                "job \(job.id) was leased before job \(other.id), which is older, and of its kind, tenant and priority")
        } else if otherLevel < level, other.isUnlimited {
            // One that has waited for long has its turn now and then.
            let since = knownSince[job.id] ?? servesSince
            guard time - since < world.options.coreSettings.ageing.afterNanoseconds - Self.tick else { return }
            world.violation(
                "job \(job.id) of priority \(level) was leased before job \(other.id) of priority \(otherLevel)")
        }
    }

    /// Ages are kept in steps of 4 ms.
    private static let tick: Int64 = 10_000_000

    /// What waited for a slot alone before the commit was gathered, and for longer than until then.
    private func waiting(before commit: SimulatedJournal.Commit) -> [Waiting] {
        let ended = Set(commit.outcomes.map(\.id))
        let policies = world.options.coreSettings.policies
        let before = reference.durable
        var waiting: [Waiting] = []
        for (id, job) in before.jobs where job.final == nil && job.lease == nil && !job.isCancelled && !job.isDueUnsure
        {
            guard job.dueBy < commit.decided.lowerBound - Self.tick, before.waitsFor(job) == nil, !ended.contains(id),
                let history = world.journal.histories[id], !world.database.refusedJobs.contains(id)
            else { continue }
            let tenant = name(history.row.tenant)
            let budget = policies.kind(name(history.row.kind)).budget
            if isApart(id) { continue }
            // A retry may wait for its kind's budget.
            if job.failures > 0, retries >= budget.burst { continue }
            waiting.append(
                Waiting(
                    id: id, row: history.row, labels: history.options?.labels ?? [],
                    isPlain: (history.options?.after ?? []).isEmpty && history.options?.runAt == nil,
                    isUnlimited: !changesRules && policies.tenant(tenant).limit == Policies.Limit()))
        }
        return waiting
    }

    private func name(_ number: UInt32) -> String { world.journal.names.first { $0.number == number }?.name ?? "" }

    private func labels(of id: UInt64, _ commit: SimulatedJournal.Commit) -> [String] {
        world.journal.histories[id]?.options?.labels ?? commit.options.first { $0.id == id }?.options.labels ?? []
    }
}
