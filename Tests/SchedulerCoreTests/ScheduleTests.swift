import StatexProtocol
import StatexSchedules
import Testing

@testable import StatexSchedulerCore

@Suite("Schedules")
struct ScheduleTests {
    private static let minute = 60 * TestScheduler.second
    private static let hour = 60 * minute
    /// As in Zurich, from the start of the tests' clock (October 2024) on.
    private static let zone = ZoneTable(
        name: "test", first: 7_200,
        changes: [
            .init(at: 1_729_990_800, offset: 3_600), .init(at: 1_743_296_400, offset: 7_200),
            .init(at: 1_761_440_400, offset: 3_600),
        ])

    private func schedule(
        _ text: String, name: String = "s", missed: Schedule.Missed = .latest, overlap: Schedule.Overlap = .allow
    ) throws -> Schedule {
        var schedule = Schedule(name: name, cron: try CronExpression(text), zone: Self.zone, kind: "report")
        schedule.missed = missed
        schedule.overlap = overlap
        return schedule
    }

    private func scheduler(_ schedules: Schedule...) -> TestScheduler {
        let scheduler = TestScheduler { $0.policies.schedules = schedules }
        scheduler.core.recovered([], workerNames: [:], at: scheduler.now)
        scheduler.settle()
        return scheduler
    }

    /// The due times that got a job, in order, in whole seconds since 1970.
    private func fired(_ scheduler: TestScheduler, _ name: String = "s") -> [Int64] {
        scheduler.journal.flatMap(\.schedules).filter { $0.schedule == name && $0.job != 0 }.map { $0.due / 1_000_000 }
    }

    private func tick(_ scheduler: TestScheduler, after nanoseconds: Int64) {
        scheduler.tick(after: nanoseconds)
        scheduler.settle()
    }

    private func next(_ schedule: Schedule, _ scheduler: TestScheduler) -> Int64 {
        schedule.cron.next(after: scheduler.now.wall / 1_000_000, in: schedule.zone) ?? .max
    }

    @Test("Its job comes when it is due, in the same commit as the row that says so, as it was ordered")
    func due() throws {
        var schedule = try schedule("*/10 * * * *")
        schedule.tenant = "acme"
        schedule.payload = [1, 2, 3, 4]
        schedule.priority = 7
        schedule.attempts = 2
        schedule.tags = ["digest"]
        schedule.expiresAfterSeconds = 30
        let scheduler = scheduler(schedule)
        #expect(scheduler.journal.flatMap(\.schedules).map(\.job) == [0])
        let due = next(schedule, scheduler)
        let wait = (due * 1_000_000 - scheduler.now.wall) * 1_000
        #expect(fired(scheduler).isEmpty)
        #expect((scheduler.core.nextDeadline ?? .max) - scheduler.now.monotonic <= min(wait, Self.minute))
        tick(scheduler, after: wait - 1_000)
        #expect(fired(scheduler).isEmpty)
        tick(scheduler, after: 1_000)
        #expect(fired(scheduler) == [due])
        let commit = try #require(scheduler.journal.first { !$0.jobs.isEmpty })
        #expect(commit.schedules.map(\.job) == commit.jobs.map(\.id))
        let opts = commit.jobs[0].opts
        #expect(JobOpts.priority(opts) == 7 && JobOpts.attempts(opts) == 2 && commit.jobs[0].payloadLength == 4)
        // It expires as ordered: no worker came.
        tick(scheduler, after: 30 * TestScheduler.second)
        #expect(scheduler.outcomes.map(\.final) == [.expired])
    }

    @Test("Of times that passed unseen the latest is made up for, or all, or none", arguments: Schedule.Missed.allCases)
    func missed(_ missed: Schedule.Missed) throws {
        let schedule = try schedule("*/10 * * * *", missed: missed)
        let before = scheduler(schedule)
        let first = next(schedule, before)
        tick(before, after: 25 * Self.minute)
        let seen = fired(before).count
        let scheduler = before.restarted { $0.policies.schedules = [schedule] }
        scheduler.adopt(before)
        let last = scheduler.now.wall / 1_000_000 / 600 * 600
        scheduler.now.wall += 3 * 3_600 * 1_000_000 + 120_000_000
        tick(scheduler, after: Self.minute)
        let times = fired(scheduler)
        switch missed {
        case .latest: #expect(times.count == seen + 1 && times.last == last + 3 * 3_600)
        case .all:
            #expect(times == stride(from: first, through: last + 3 * 3_600, by: 600).map { $0 })
        case .none: #expect(times.count == seen)
        }
        // From then on it goes on as usual.
        tick(scheduler, after: Self.minute)
        #expect(fired(scheduler).last == last + 3 * 3_600 + 600)
    }

    @Test("While the job before is open the time passes without another, if so ordered", arguments: [true, false])
    func overlap(skips: Bool) throws {
        let schedule = try schedule("*/10 * * * *", overlap: skips ? .skip : .allow)
        var scheduler = scheduler(schedule)
        for _ in 0..<3 { tick(scheduler, after: 10 * Self.minute) }
        #expect(fired(scheduler).count == (skips ? 1 : 3))
        if skips {
            #expect(scheduler.journal.flatMap(\.schedules).filter { $0.job == 0 }.count == 3)
            // A new owner knows what was skipped, and that the job is open.
            let next = scheduler.restarted { $0.policies.schedules = [schedule] }
            next.adopt(scheduler)
            scheduler = next
            tick(scheduler, after: 1)
            #expect(fired(scheduler).count == 1)
            tick(scheduler, after: 10 * Self.minute)
            #expect(fired(scheduler).count == 1)
            let worker = scheduler.worker(1, kinds: ["report"])
            scheduler.settle()
            let lease = try #require(scheduler.leases.last)
            scheduler.report(lease, by: worker)
            scheduler.settle()
            tick(scheduler, after: 10 * Self.minute)
            #expect(fired(scheduler).count == 2)
        }
    }

    @Test("Over a year with schedulers that die around due times each time has exactly one job", arguments: 1...2)
    func year(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let schedules = [
            try schedule("30 2 * * *", name: "night", missed: .all),
            try schedule("0 */12 * * *", name: "half", missed: .all),
            try schedule("15 1 * * sun", name: "week", missed: .all),
        ]
        var life = Life(schedules)
        let start = life.scheduler.now.wall / 1_000_000
        let end = start + 400 * 86_400
        while life.scheduler.now.wall / 1_000_000 < end {
            let scheduler = life.scheduler
            // To just before, at or after the next due time, or anywhere.
            let due = schedules.map { next($0, scheduler) }.min() ?? end
            let wait = (due * 1_000_000 - scheduler.now.wall) * 1_000
            let step = [wait, wait - 1_000, wait + 1_000, Int64.random(in: 0...30 * Self.hour, using: &random)]
            scheduler.tick(after: max(0, step.randomElement(using: &random) ?? 0))
            // It dies before its commit, while that is under way (it happens, or not), or after it.
            switch UInt8.random(in: 0..<16, using: &random) {
            case 0: life.end()
            case 1:
                scheduler.take()
                life.end()
            case 2:
                if scheduler.take() != nil { scheduler.loseCommit() }
                life.end()
            case 3:
                scheduler.settle()
                life.end()
            default: scheduler.settle()
            }
        }
        tick(life.scheduler, after: Self.minute)
        life.end()
        let now = life.scheduler.now.wall / 1_000_000
        for schedule in schedules {
            var expected: [Int64] = []
            var time = start
            while let due = schedule.cron.next(after: time, in: schedule.zone), due <= now {
                expected.append(due)
                time = due
            }
            let rows = life.rows.filter { $0.schedule == schedule.name && $0.job != 0 }
            #expect(rows.map { $0.due / 1_000_000 } == expected, "\(schedule.name)")
        }
        let made = life.rows.map(\.job).filter { $0 != 0 }
        #expect(made == life.jobs && Set(made).count == made.count)
        #expect(life.lives > 20)
    }

    /// One journal, and the schedulers that own it one after the other. (What became of the jobs does not
    /// matter here: a successor is told of schedules only.)
    private struct Life {
        let schedules: [Schedule]
        var scheduler: TestScheduler
        var head = TestScheduler.emptyJournal
        var rows: [CommitBatch.ScheduleRow] = []
        var jobs: [UInt64] = []
        var lives = 1

        init(_ schedules: [Schedule]) {
            self.schedules = schedules
            scheduler = TestScheduler { $0.policies.schedules = schedules }
            scheduler.core.recovered([], workerNames: [:], at: scheduler.now)
            scheduler.settle()
        }

        mutating func end() {
            rows += scheduler.journal.flatMap(\.schedules)
            jobs += scheduler.journal.flatMap(\.jobs).map(\.id)
            if let last = scheduler.journal.last?.head {
                head = ChainHead(
                    batch: last.batch + 1, incarnation: last.incarnation, epoch: last.epoch + 1, nextID: last.nextID,
                    nextToken: last.nextToken, nextName: last.nextName)
            }
            let now = scheduler.now
            scheduler = TestScheduler(head: head) { [schedules] in $0.policies.schedules = schedules }
            scheduler.now = now
            for schedule in schedules {
                let own = rows.filter { $0.schedule == schedule.name }
                guard let settled = own.map(\.due).max() else { continue }
                let job = own.last { $0.job != 0 }
                scheduler.core.recoveredSchedule(
                    schedule.name, ScheduleProgress(settled: settled, job: job?.job ?? 0, jobDue: job?.due ?? 0))
            }
            scheduler.core.recovered([], workerNames: [:], at: now)
            lives += 1
        }
    }

    @Test("A new one counts from when it was first seen, whoever owns the journal then")
    func firstSeen() throws {
        let schedule = try schedule("0 0 * * *")
        let before = scheduler()
        var policies = Policies()
        policies.schedules = [schedule]
        before.core.reconfigured(policies, by: "file", changes: "…", at: before.now)
        before.settle()
        let due = next(schedule, before)
        #expect(fired(before).isEmpty)
        let scheduler = before.restarted { $0.policies.schedules = [schedule] }
        scheduler.adopt(before)
        tick(scheduler, after: 40 * Self.hour)
        #expect(fired(scheduler).count == 1 && (fired(scheduler).first ?? 0) >= due)
        // Taken away it does nothing; its history stays.
        scheduler.core.follow(Policies(), at: scheduler.now)
        #expect(scheduler.core.nextLookAtSchedules == nil)
        tick(scheduler, after: 40 * Self.hour)
        #expect(fired(scheduler).count == 1)
    }

    @Test("One that is not admitted comes when there is room; one that never will be does not hold others up")
    func bounds() throws {
        var large = try schedule("*/10 * * * *", name: "large")
        large.payload = [UInt8](repeating: 1, count: 100)
        let small = try schedule("*/10 * * * *", name: "small")
        let scheduler = TestScheduler {
            $0.policies.schedules = [large, small]
            $0.policies.bounds = .init(jobs: 1, bytes: 99)
        }
        scheduler.core.recovered([], workerNames: [:], at: scheduler.now)
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        tick(scheduler, after: 10 * Self.minute)
        #expect(fired(scheduler, "small").isEmpty && fired(scheduler, "large").isEmpty)
        let worker = scheduler.worker(1, kinds: ["text"])
        scheduler.settle()
        scheduler.report(scheduler.leases[0], by: worker)
        scheduler.settle()
        tick(scheduler, after: TestScheduler.second)
        #expect(fired(scheduler, "small").count == 1 && fired(scheduler, "large").isEmpty)
    }

    @Test("A wall clock that is set forward is noticed within a minute")
    func clockSet() throws {
        let schedule = try schedule("0 0 1 1 *")
        let scheduler = scheduler(schedule)
        let due = next(schedule, scheduler)
        scheduler.now.wall = due * 1_000_000
        tick(scheduler, after: Self.minute)
        #expect(fired(scheduler) == [due])
    }
}
