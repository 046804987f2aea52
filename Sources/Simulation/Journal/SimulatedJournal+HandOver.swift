import StatexProtocol
import StatexSchedulerCore

// What one attempt leaves for another: checkpoints, results that others take, and what schedules did.

extension SimulatedJournal.History {
    struct Checkpoint {
        var token: UInt64
        var batch: UInt64
        var data: [UInt8]
    }
}

/// What a lease hands over, read back.
struct FoundPayload {
    var lease: StatexSchedulerCore.Outbox.Lease
    var payload: [UInt8]
    var inputs: [LeaseInput]
    var checkpoint: [UInt8]?
}

extension SimulatedJournal {
    func writeHandOver(_ commit: Commit) {
        for row in commit.results where row.ending == .succeeded {
            histories[row.job]?.result = Array(commit.resultBytes[row.start..<row.start + row.length])
        }
        for row in commit.checkpoints {
            histories[row.job]?.checkpoints.append(
                .init(
                    token: row.token, batch: commit.head.batch,
                    data: Array(commit.resultBytes[row.start..<row.start + row.length])))
        }
        schedules += commit.schedules
    }

    func handOver(_ lease: StatexSchedulerCore.Outbox.Lease, of id: UInt64, withCheckpoint: Bool) -> FoundPayload? {
        guard let history = histories[id] else { return nil }
        let request = id - UInt64(JobOpts.index(history.row.opts))
        let inputs = (history.options?.after ?? []).filter(\.isInput).map {
            LeaseInput(index: $0.index, encoding: .bytes, body: histories[request + UInt64($0.index)]?.result ?? [])
        }
        let latest = history.checkpoints.max { ($0.token, $0.batch) < ($1.token, $1.batch) }
        return FoundPayload(
            lease: lease, payload: history.payload, inputs: inputs, checkpoint: withCheckpoint ? latest?.data : nil)
    }

    /// The latest request under a unique key.
    func use(of key: UniqueKeys.Key) -> UniqueKeys.Use? {
        guard let id = ids.last(where: { isUnder(key, $0) }), let history = histories[id] else { return nil }
        return UniqueKeys.Use(request: id, jobs: JobOpts.count(history.row.opts), at: history.created, batch: 0)
    }

    private func isUnder(_ key: UniqueKeys.Key, _ id: UInt64) -> Bool {
        guard let history = histories[id], let rule = history.options?.unique else { return false }
        return UniqueKeys.Key(tenant: name(history.row.tenant), kind: name(history.row.kind), rule: rule) == key
    }

    func name(_ number: UInt32) -> String { names.first { $0.number == number }?.name ?? "" }

    /// What each schedule did, in the order in which they were first seen.
    var scheduleProgress: [(name: String, progress: ScheduleProgress)] {
        var known: [(name: String, progress: ScheduleProgress)] = []
        for row in schedules {
            let index = known.firstIndex { $0.name == row.schedule } ?? known.count
            if index == known.count { known.append((row.schedule, ScheduleProgress(settled: row.due))) }
            known[index].progress.settled = max(known[index].progress.settled, row.due)
            guard row.job != 0 else { continue }
            known[index].progress.job = row.job
            known[index].progress.jobDue = row.due
        }
        return known
    }
}
