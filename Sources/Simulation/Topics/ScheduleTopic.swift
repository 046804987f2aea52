import StatexProtocol
import StatexSchedulerCore
import StatexSchedules

/// Jobs that come by themselves, at times of the clock on the wall; some seeds have them.
struct ScheduleTopic: Topic {
    func checkers(of world: World) -> [any Checker] {
        world.options.coreSettings.policies.schedules.isEmpty ? [] : [ScheduleChecker(world)]
    }
}

extension SimulationOptions {
    mutating func drawSchedules(seed: UInt64) {
        var random = SeededGenerator(seed: seed, part: 4)
        guard random.happens(oneIn: 4) else { return }
        let count = 1 + random.below(2)
        for number in 0..<count {
            guard let cron = try? CronExpression(random.happens(oneIn: 2) ? "* * * * *" : "*/2 * * * *") else { return }
            var schedule = Schedule(name: "schedule \(number)", cron: cron, zone: .utc, kind: Self.kinds[0])
            schedule.tenant = "tenant 0"
            schedule.missed = Schedule.Missed.allCases[random.below(3)]
            schedule.overlap = random.happens(oneIn: 2) ? .skip : .allow
            // One that is open when the next is due; there must be times at which nothing runs.
            let isLong = count == 1 && schedule.overlap == .skip && random.happens(oneIn: 2)
            let milliseconds = isLong ? random.within(65_000...90_000) : random.within(0...1_500)
            schedule.payload = Work(.succeeds, milliseconds: UInt32(milliseconds)).payload
            schedule.attempts = 3
            coreSettings.policies.schedules.append(schedule)
        }
    }
}

/// Each due time has one job at most, whoever owned the shard then; of those that were missed, the ones that are said
/// to be made up for; and none beside an open one where that is not allowed.
private final class ScheduleChecker: Checker {
    private unowned let world: World
    private let schedules: [String: Schedule]
    private var last: [String: (due: Int64, isAligned: Bool)] = [:]
    private var lastJob: [String: UInt64] = [:]

    init(_ world: World) {
        self.world = world
        let all = world.options.coreSettings.policies.schedules
        schedules = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }
    }

    func journalRestored() {
        last = [:]
        lastJob = [:]
        for row in world.journal.schedules { note(row) }
    }

    private func note(_ row: CommitBatch.ScheduleRow) {
        last[row.schedule] = (row.due, last[row.schedule] != nil)
        if row.job != 0 { lastJob[row.schedule] = row.job }
    }

    /// Microseconds.
    private func period(_ schedule: Schedule) -> Int64 { schedule.cron.text == "* * * * *" ? 60_000_000 : 120_000_000 }

    func committed(_ commit: SimulatedJournal.Commit) {
        for row in commit.schedules {
            guard let schedule = schedules[row.schedule] else {
                world.violation("there is no \(row.schedule)")
                continue
            }
            if let before = last[row.schedule] {
                judge(row, schedule, after: before, in: commit)
            } else if row.job != 0 {
                world.violation("\(row.schedule) had a job before it was known")
            }
            note(row)
        }
    }

    private func judge(
        _ row: CommitBatch.ScheduleRow, _ schedule: Schedule, after before: (due: Int64, isAligned: Bool),
        in commit: SimulatedJournal.Commit
    ) {
        let period = period(schedule)
        if row.due <= before.due { world.violation("\(row.schedule): \(row.due) is settled again") }
        if row.due % period != 0 { world.violation("\(row.schedule): \(row.due) is no due time") }
        if schedule.missed == .all, before.isAligned, row.due - before.due != period {
            world.violation("\(row.schedule): \((row.due - before.due) / period - 1) due times were left out")
        }
        world.mark(row.job == 0 ? "schedule left a time out" : "schedule made a job")
        judgeOverlap(row, schedule, in: commit)
        guard row.job != 0 else { return }
        if commit.jobs.first(where: { $0.id == row.job }) == nil {
            world.violation("\(row.schedule): job \(row.job) is not in the commit of its time")
        }
        guard !commit.isWallUnsure else { return }
        let slack: Int64 = 1_000_000
        let decidedAt = commit.head.at - (commit.decided.upperBound - commit.decided.lowerBound) / 1_000 - slack
        if row.due > commit.head.at { world.violation("\(row.schedule): job \(row.job) came before its time") }
        switch schedule.missed {
        case .all: break
        case .latest:
            if row.due - before.due > period { world.mark("schedule made up for missed times") }
            if row.due + period < decidedAt {
                world.violation("\(row.schedule): a later time was due than that of job \(row.job)")
            }
        case .none:
            if row.due + 60_000_000 < decidedAt {
                world.violation("\(row.schedule): job \(row.job) came for a time that was missed")
            }
        }
    }

    private func judgeOverlap(
        _ row: CommitBatch.ScheduleRow, _ schedule: Schedule, in commit: SimulatedJournal.Commit
    ) {
        let history = lastJob[row.schedule].flatMap { world.journal.histories[$0] }
        let end = history?.outcomes.first { $0.final != nil }
        switch schedule.overlap {
        case .allow: if row.job == 0 { world.violation("\(row.schedule): \(row.due) has no job") }
        case .skip where row.job == 0:
            // That the database refused a job its owner hears only with the commit's answer.
            let isRefused = lastJob[row.schedule].map(world.database.refusedJobs.contains) ?? false
            let isNews = isRefused && end?.batch == commit.head.batch - 1
            if history == nil || !isNews && end.map({ $0.batch < commit.head.batch }) == true {
                world.violation("\(row.schedule): \(row.due) has no job, and none was open")
            }
        case .skip:
            if history != nil, end == nil { world.violation("\(row.schedule): job \(row.job) came beside an open one") }
        }
    }

    /// Once nothing is wrong any more, nothing that is due was forgotten.
    func atEnd() {
        // It looks every minute, if not sooner.
        guard world.now > world.options.faultsUntil + 65_000_000_000,
            world.schedulers.contains(where: { $0.number == world.journal.owner })
        else { return }
        for schedule in schedules.values.sorted(by: { $0.name < $1.name }) where schedule.missed != .none {
            guard let due = last[schedule.name]?.due else {
                world.violation("\(schedule.name) was never seen")
                continue
            }
            if world.wall - due > period(schedule) + 65_000_000 {
                world.violation("\(schedule.name): nothing for \((world.wall - due) / 1_000_000) s")
            }
        }
    }
}
