import StatexProtocol
import StatexSchedulerCore

/// Each job ends once, and in the way that its history allows.
final class OutcomeChecker: Checker {
    private unowned let world: World

    init(_ world: World) { self.world = world }

    func committed(_ commit: SimulatedJournal.Commit) {
        for row in commit.outcomes {
            guard let history = world.journal.histories[row.id] else { continue }
            judge(row.id, history)
            if let final = row.final { judge(row.id, history, final: final, by: row) }
        }
    }

    private func judge(_ id: UInt64, _ history: SimulatedJournal.History) {
        let finals = history.outcomes.count { $0.final != nil }
        if finals > 1 { world.violation("job \(id) has \(finals) final outcomes") }
        let failures = history.outcomes.count { $0.ending == .failed }
        if failures > Int(JobOpts.attempts(history.row.opts)) {
            world.violation("job \(id) failed \(failures) times, it may \(JobOpts.attempts(history.row.opts))")
        }
    }

    private func judge(
        _ id: UInt64, _ history: SimulatedJournal.History, final: JobState, by row: CommitBatch.OutcomeRow
    ) {
        let failures = history.outcomes.count { $0.ending == .failed }
        let isAllowed: Bool
        switch final {
        case .succeeded: isAllowed = row.ending == .succeeded
        case .failed:
            isAllowed =
                row.ending == .failed
                && (work(of: history)?.behaviour == .failsForGood || world.database.refusedJobs.contains(id)
                    || isDependant(id, history))
        case .dead:
            isAllowed =
                row.ending == .failed && failures == Int(JobOpts.attempts(history.row.opts))
                || row.ending == .lost
                    && (Limits.losses...Limits.lossesBesideOthers).contains(incarnationsLost(history).count)
        case .cancelled:
            isAllowed = row.ending != .succeeded && (world.journal.cancelled.contains(id) || isDependant(id, history))
        case .expired: isAllowed = row.ending != .succeeded && history.options?.deadline != nil
        case .blocked, .delayed, .queued, .leased, .running: isAllowed = false
        }
        if !isAllowed { world.violation("job \(id) is \(final) after \(row.ending), with \(failures) failures") }
        world.mark("job \(final)")
    }

    /// One that it waited for ended otherwise than succeeded.
    private func isDependant(_ id: UInt64, _ history: SimulatedJournal.History) -> Bool {
        let request = id - UInt64(JobOpts.index(history.row.opts))
        return (history.options?.after ?? []).contains {
            world.journal.histories[request + UInt64($0.index)]?.final.map { $0 != .succeeded } ?? false
        }
    }

    private func work(of history: SimulatedJournal.History) -> Work? { Work(history.payload) }

    /// By name, because one incarnation may have had two numbers.
    private func incarnationsLost(_ history: SimulatedJournal.History) -> Set<String> {
        var names: Set<String> = []
        for outcome in history.outcomes where outcome.ending == .lost {
            guard let lease = history.leases.first(where: { $0.token == outcome.token }),
                let name = world.journal.names.first(where: { $0.number == lease.worker })
            else { continue }
            names.insert(name.name)
        }
        return names
    }

    func atEnd() {
        for id in world.journal.ids where world.journal.histories[id]?.final == nil {
            world.violation("job \(id) has no final outcome")
        }
    }
}
