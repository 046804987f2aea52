import StatexProtocol
import StatexSchedules

// Schedules: a job for each due time, exactly once. The row that says that a time is settled stands in the
// same commit as its job; so a scheduler that dies around a due time leaves both or neither.

extension SchedulerCore {
    /// Times that are later than this were missed: nobody looked.
    private static var punctual: Int64 { 60 }
    /// At most so many jobs of one schedule in one look, so that a look does not take long.
    private static var jobsInLook: Int { 100 }

    /// What the journal has of schedules: before `recovered`.
    package mutating func recoveredSchedule(_ name: String, _ progress: ScheduleProgress) {
        scheduled[name] = progress
    }

    /// The schedules that are to be kept are known: a new one counts from now on.
    mutating func followSchedules(at now: Now) {
        for schedule in policies.schedules where scheduled[schedule.name] == nil {
            settle(schedule.name, due: now.wall, job: 0)
        }
        planSchedules(at: now)
    }

    /// Looks again when the next is due, and every minute: the wall clock may be set.
    private mutating func planSchedules(at now: Now) {
        guard !policies.schedules.isEmpty else {
            nextLookAtSchedules = nil
            return
        }
        var wait: Int64 = 60_000_000_000
        for schedule in policies.schedules {
            guard let due = nextDue(schedule) else { continue }
            wait = min(wait, max(0, due * 1_000_000 - now.wall) * 1_000)
        }
        nextLookAtSchedules = now.monotonic + wait
    }

    private func nextDue(_ schedule: Schedule) -> Int64? {
        guard let progress = scheduled[schedule.name] else { return nil }
        return schedule.cron.next(after: progress.settled.flooredSeconds, in: schedule.zone)
    }

    /// Makes the jobs that are due.
    mutating func lookAtSchedules(at now: Now) {
        var isBehind = false
        for schedule in policies.schedules {
            for _ in 0..<Self.jobsInLook {
                guard let due = dueNow(schedule, at: now) else { break }
                guard take(schedule, due: due, at: now) else {
                    isBehind = true
                    break
                }
            }
        }
        planSchedules(at: now)
        // Nothing more is admitted now; and again soon.
        if isBehind { nextLookAtSchedules = now.monotonic + 1_000_000_000 }
    }

    /// The due time that is to be settled next, if one has passed.
    private mutating func dueNow(_ schedule: Schedule, at now: Now) -> Int64? {
        let time = now.wall.flooredSeconds
        guard let first = nextDue(schedule), first <= time, let progress = scheduled[schedule.name] else { return nil }
        guard schedule.missed != .all else { return first }
        let latest =
            schedule.cron.latest(until: time, after: progress.settled.flooredSeconds, in: schedule.zone) ?? first
        if schedule.missed == .none, time - latest > Self.punctual {
            // Not journaled: a new owner comes to the same.
            scheduled[schedule.name]?.settled = latest * 1_000_000
            return nil
        }
        return latest
    }

    /// Settles a due time: with a job, unless the one before is open and may not be joined.
    /// - Returns: false if no job is admitted now.
    private mutating func take(_ schedule: Schedule, due: Int64, at now: Now) -> Bool {
        if schedule.overlap == .skip, let last = scheduled[schedule.name]?.job, last != 0,
            let slot = jobs.slot(of: last), !jobs[slot].state.isFinal
        {
            settle(schedule.name, due: due * 1_000_000, job: 0)
            return true
        }
        let tenant = tenantIndex(schedule.tenant, at: now)
        let request = Backlog(jobs: 1, bytes: schedule.payload.count)
        let refusal = admissionRefusal(request, of: tenant) ?? backlog.refusal(request, policies.bounds, of: "")
        if let refusal {
            // A time whose job no bound would ever admit passes without one.
            if refusal.isForGood { settle(schedule.name, due: due * 1_000_000, job: 0) }
            return refusal.isForGood
        }
        let id = allocateIDs(1, at: now)
        let job = SubmitJob(
            kind: 0, tenant: 0, priority: schedule.priority, attempts: schedule.attempts,
            payloadLength: UInt32(schedule.payload.count))
        addJob(
            job, schedule.payload.span.bytes, id, JobNames(kind: kindIndex(schedule.kind, at: now), tenant: tenant), 0,
            isInGraph: false, options: schedule.options(due: due), now)
        settle(schedule.name, due: due * 1_000_000, job: id)
        return true
    }

    private mutating func settle(_ name: String, due: Int64, job: UInt64) {
        precondition(due > scheduled[name]?.settled ?? .min, "a due time is settled twice")
        scheduled[name, default: ScheduleProgress(settled: due)].settled = due
        if job != 0 {
            scheduled[name]?.job = job
            scheduled[name]?.jobDue = due
        }
        gathering.schedules.append(CommitBatch.ScheduleRow(schedule: name, due: due, job: job))
    }

    // MARK: Looking

    package struct ScheduleStatus: Sendable {
        package var schedule: Schedule
        /// Microseconds since 1970; nil: none in the next ten years.
        package var next: Int64?
        package var progress: ScheduleProgress
        package var isOpen: Bool
    }

    package mutating func scheduleStatus() -> [ScheduleStatus] {
        var status: [ScheduleStatus] = []
        for schedule in policies.schedules {
            guard let progress = scheduled[schedule.name] else { continue }
            status.append(
                ScheduleStatus(
                    schedule: schedule, next: nextDue(schedule).map { $0 * 1_000_000 }, progress: progress,
                    isOpen: progress.job != 0 && jobs.slot(of: progress.job) != nil))
        }
        return status
    }
}

extension Int64 {
    /// Whole seconds of microseconds.
    fileprivate var flooredSeconds: Int64 {
        let seconds = self / 1_000_000
        return self % 1_000_000 < 0 ? seconds - 1 : seconds
    }
}
