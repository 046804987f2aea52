import StatexProtocol
import StatexSchedulerCore

/// Requests of which there may be one only: once in some time, or while none is unfinished.
struct UniqueTopic: Topic {
    func shape(_ request: inout RequestPlan, _ options: SimulationOptions, _ random: inout SeededGenerator) {
        guard request.key == nil, random.happens(oneIn: 3) else { return }
        let seconds = random.happens(oneIn: 2) ? 0 : UInt32(random.within(1...30))
        request.jobs[0].kind = 0
        request.jobs[0].tenant = random.below(2)
        request.jobs[0].options.unique = UniqueRule(key: [UInt8(random.below(3))], seconds: seconds)
    }

    func checkers(of world: World) -> [any Checker] { [UniqueChecker(world)] }
}

/// No request is recorded while another one stands in its way, and who is told that one does hears which.
private final class UniqueChecker: Checker {
    private struct Key: Hashable {
        var kind: UInt32
        var tenant: UInt32
        var rule: [UInt8]
    }
    private struct Holder {
        var first: UInt64
        var count: UInt16
        /// On the wall, when its commit was taken; it may have been accepted so much sooner, in microseconds.
        var at: Int64
        var sooner: Int64
        var isWallUnsure: Bool
    }

    private unowned let world: World
    private var holders: [Key: Holder] = [:]
    /// When the last job of a request was final and durable.
    private var finishedAt: [UInt64: Int64] = [:]

    init(_ world: World) { self.world = world }

    func journalRestored() {
        holders = [:]
        finishedAt = [:]
        for commit in world.journal.commits { take(commit, judges: false) }
    }

    func committed(_ commit: SimulatedJournal.Commit) { take(commit, judges: true) }

    private func take(_ commit: SimulatedJournal.Commit, judges: Bool) {
        for row in commit.outcomes where row.final != nil {
            guard let history = world.journal.histories[row.id] else { continue }
            let first = row.id - UInt64(JobOpts.index(history.row.opts))
            if !isOpen(first, JobOpts.count(history.row.opts)) { finishedAt[first] = world.now }
        }
        for row in commit.options {
            guard let rule = row.options.unique, let job = world.journal.histories[row.id]?.row else { continue }
            let key = Key(kind: job.kind, tenant: job.tenant, rule: rule.stored)
            let length = (commit.decided.upperBound - commit.decided.lowerBound) / 1_000
            let holder = Holder(
                first: row.id, count: JobOpts.count(job.opts), at: commit.head.at, sooner: length,
                isWallUnsure: commit.isWallUnsure)
            if judges, let before = holders[key] { judge(holder, after: before, rule) }
            holders[key] = holder
        }
    }

    private func isOpen(_ first: UInt64, _ count: UInt16) -> Bool {
        (first..<first + UInt64(count)).contains { world.journal.histories[$0].map { $0.final == nil } ?? false }
    }

    private func judge(_ holder: Holder, after before: Holder, _ rule: UniqueRule) {
        world.mark("unique key used again")
        if rule.seconds == 0 {
            if isOpen(before.first, before.count) {
                world.violation(
                    "request \(holder.first) was accepted while \(before.first) is open under its unique key")
            }
        } else if !before.isWallUnsure, !holder.isWallUnsure {
            let apart = holder.at - before.at
            guard apart + before.sooner + 1_000 < Int64(rule.seconds) * 1_000_000 else { return }
            world.violation(
                "request \(holder.first) was accepted \(apart / 1_000) ms after \(before.first), once in \(rule.seconds) s is allowed"
            )
        }
    }

    func duplicated(_ request: ClientProcess.Request, by first: UInt64, ofEpoch epoch: UInt32) {
        world.mark("request refused for another one")
        guard let rule = request.plan.jobs[0].options.unique else {
            return world.violation("a request without a unique key is said to be one too many")
        }
        guard let history = world.journal.histories[first] else {
            return world.violation("request \(first) is said to stand in the way of another, and is not in the journal")
        }
        let plan = request.plan.jobs[0]
        let isRight =
            history.options?.unique?.stored == rule.stored
            && world.journal.name(history.row.tenant) == "tenant \(plan.tenant)"
            && world.journal.name(history.row.kind) == SimulationOptions.kinds[plan.kind]
        if !isRight, !world.database.refusedJobs.contains(first) {
            world.violation("request \(first) is said to stand in the way of another, and has another key")
        }
        // A former owner may not know yet.
        if rule.seconds == 0, let finished = finishedAt[first], finished < request.sentAt,
            epoch == world.journal.end.epoch
        {
            world.violation("request \(first) is said to stand in the way of another, and had finished before")
        }
    }
}
