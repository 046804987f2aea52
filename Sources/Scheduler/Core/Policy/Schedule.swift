import StatexProtocol
import StatexSchedules

/// Jobs that come by themselves: what an operator ordered for which times.
package struct Schedule: Sendable, Equatable {
    /// What becomes of times that passed while nobody could look.
    package enum Missed: String, Sendable, CaseIterable {
        /// The last of them is made up for.
        case latest
        /// Each is.
        case all
        /// None is.
        case none
    }
    /// Whether a job may come while the one before is open.
    package enum Overlap: String, Sendable, CaseIterable {
        case allow
        /// Its time passes without a job.
        case skip
    }

    package var name: String
    package var cron: CronExpression
    package var zone: ZoneTable
    package var kind: String
    package var tenant = "default"
    package var payload: [UInt8] = []
    package var priority = UInt8(Limits.defaultPriority)
    /// 0: as its kind says.
    package var attempts: UInt8 = 0
    package var runLimitMilliseconds: UInt32?
    /// Its jobs expire if they are not final so long after they were due.
    package var expiresAfterSeconds: Int64?
    package var labels: [String] = []
    package var tags: [String] = []
    package var missed = Missed.latest
    package var overlap = Overlap.allow

    package init(name: String, cron: CronExpression, zone: ZoneTable, kind: String) {
        self.name = name
        self.cron = cron
        self.zone = zone
        self.kind = kind
    }

    /// What its job for a due time (in seconds since 1970) asks for; nil: nothing.
    func options(due: Int64) -> JobOptions? {
        var options = JobOptions()
        options.runLimitMilliseconds = runLimitMilliseconds
        options.deadline = expiresAfterSeconds.map { (due + $0) * 1_000_000 }
        options.labels = labels
        options.tags = tags
        return options.isEmpty ? nil : options
    }
}

/// What a schedule did so far: the journal has it, so that each due time has one job whoever owns it.
package struct ScheduleProgress: Sendable, Equatable {
    /// The last time that is settled, in microseconds since 1970: it has its job, or none for a reason, or
    /// it is when the schedule was first seen.
    package var settled: Int64
    /// Its last job and when that was due; 0: none yet.
    package var job: UInt64
    package var jobDue: Int64

    package init(settled: Int64, job: UInt64 = 0, jobDue: Int64 = 0) {
        self.settled = settled
        self.job = job
        self.jobDue = jobDue
    }
}
