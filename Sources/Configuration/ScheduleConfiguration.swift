import StatexSchedules

/// Jobs that come at certain times.
package struct ScheduleConfiguration: Sendable, Equatable {
    /// What becomes of times that passed while no scheduler ran.
    package enum Missed: String, Sendable, CaseIterable { case latest, all, none }
    /// Whether a job may come while the one before is open.
    package enum Overlap: String, Sendable, CaseIterable { case allow, skip }

    package var cron: CronExpression
    package var zone: ZoneTable
    package var kind: String
    package var tenant: String
    package var payload: String
    package var priority: Int
    package var attempts: Int?
    package var runLimit: Duration?
    /// After they were due.
    package var expiry: Duration?
    package var labels: [String]
    package var tags: [String]
    package var missed: Missed
    package var overlap: Overlap

    init(from values: inout ValueReader) {
        cron = values.require("cron", empty: .never, .cron)
        zone = values.take("time_zone", default: .utc, .timeZone)
        kind = values.require("kind", empty: "", .name)
        tenant = values.take("tenant", default: "default", .name)
        payload = values.take("payload", default: "", .payload)
        priority = values.take("priority", default: 5, .integer(0...9))
        attempts = values.take("attempts", .integer(1...100))
        runLimit = values.take("run_limit_seconds", .seconds(0.001...604_800))
        expiry = values.take("expires_seconds", .seconds(1...31_622_400))
        labels = values.take("labels", default: [], .list(of: .label, count: 0...8))
        tags = values.take("tags", default: [], .list(of: .label, count: 0...8))
        missed = values.take("missed", default: .latest, .choice())
        overlap = values.take("overlap", default: .allow, .choice())
        if cron.next(after: ZoneTable.covered.lowerBound, in: zone) == nil, cron != .never {
            values.refuse("cron", "is never due: no such day comes")
        }
    }
}
