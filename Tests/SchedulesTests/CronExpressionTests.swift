import Testing

@testable import StatexConfiguration
@testable import StatexSchedules

/// Times are compared as people write them, read by Foundation: not by what is tested.
@Suite("Cron expressions")
struct CronExpressionTests {
    private static func zone(_ name: String) throws -> ZoneTable { try #require(ZoneTable(named: name)) }

    @Test(arguments: [
        ("* * * * *", "2026-03-01 00:00", ["2026-03-01 00:01", "2026-03-01 00:02"]),
        ("*/20 8-9 * * *", "2026-03-01 08:20", ["2026-03-01 08:40", "2026-03-01 09:00", "2026-03-01 09:20"]),
        ("5/25 0 * * *", "2026-03-01 00:00", ["2026-03-01 00:05", "2026-03-01 00:30", "2026-03-01 00:55"]),
        ("0 0 1,15 * *", "2026-03-01 00:00", ["2026-03-15 00:00", "2026-04-01 00:00"]),
        ("30 6 * * mon-fri", "2026-03-06 12:00", ["2026-03-09 06:30", "2026-03-10 06:30"]),
        ("0 12 * * 7", "2026-03-01 12:00", ["2026-03-08 12:00", "2026-03-15 12:00"]),
        ("0 12 * * SUN", "2026-03-01 12:00", ["2026-03-08 12:00"]),
        // Either day will do when both are given.
        ("0 0 13 * fri", "2026-03-01 00:00", ["2026-03-06 00:00", "2026-03-13 00:00", "2026-03-20 00:00"]),
        ("0 0 */10 * fri", "2026-03-01 00:00", ["2026-05-01 00:00"]),
        ("0 0 29 feb *", "2026-03-01 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 31 */2 *", "2026-01-01 00:00", ["2026-01-31 00:00", "2026-03-31 00:00", "2026-05-31 00:00"]),
        ("@hourly", "2026-12-31 23:30", ["2027-01-01 00:00", "2027-01-01 01:00"]),
        ("@daily", "2026-02-28 00:00", ["2026-03-01 00:00"]), ("@weekly", "2026-03-02 00:00", ["2026-03-08 00:00"]),
        ("@monthly", "2026-01-31 00:00", ["2026-02-01 00:00"]),
        ("@yearly", "2026-01-01 00:00", ["2027-01-01 00:00", "2028-01-01 00:00"]),
    ])
    func `is due when cron says`(text: String, after: String, due: [String]) throws {
        let cron = try CronExpression(text)
        #expect(try dueTimes(cron, after: after, count: due.count, in: .utc) == due)
    }

    @Test(arguments: [
        ("", "has 0 fields"), ("* * * *", "has 4 fields"), ("* * * * * *", "has 6 fields"),
        ("60 * * * *", "minute '60' takes 0 to 59"), ("* 24 * * *", "hour '24' takes 0 to 23"),
        ("* * 0 * *", "day of the month '0' takes 1 to 31"), ("* * * 13 *", "month '13' takes 1 to 12"),
        ("* * * jnu *", "or jan, feb"), ("* * * * 8", "day of the week '8' takes 0 to 7"),
        ("5-1 * * * *", "minute '5-1' ends before it begins"), ("*/0 * * * *", "a step takes 1 to 60"),
        ("*/61 * * * *", "a step takes 1 to 60"), ("1,,2 * * * *", "minute '' takes"),
        ("1-2-3 * * * *", "minute '1-2-3'"), ("+5 * * * *", "minute '+5'"), ("-5 * * * *", "minute '-5'"),
        ("1/2/3 * * * *", "minute '1/2/3'"), ("99999999999999999999 * * * *", "minute"), ("a * * * *", "minute 'a'"),
        ("*5 * * * *", "minute '*5'"), ("@sometimes", "is no name; there are @annually"),
    ])
    func `says what is wrong`(text: String, reason: String) {
        do throws(CronError) {
            _ = try CronExpression(text)
            Issue.record("'\(text)' was read")
        } catch {
            #expect(error.reason.contains(reason), "\(error.reason)")
        }
    }

    @Test func `a day that never comes is never due`() throws {
        #expect(try CronExpression("0 0 30 2 *").next(after: 0, in: .utc) == nil)
    }

    @Test func `a time that the clock skips is due when the gap ends, once`() throws {
        let zurich = try Self.zone("Europe/Zurich")
        // 2026-03-29: 02:00 becomes 03:00, which is 01:00 UTC.
        for text in ["30 2 * * *", "0 2 * * *", "*/15 2 * * *"] {
            let due = try dueTimes(try CronExpression(text), after: "2026-03-29 00:00", count: 2, in: zurich)
            #expect(due[0] == "2026-03-29 01:00", "\(text)")
            #expect(due[1].hasPrefix("2026-03-30 00:"), "\(text)")
        }
    }

    @Test func `a time that the clock shows twice is due the first time only`() throws {
        let zurich = try Self.zone("Europe/Zurich")
        // 2026-10-25: at 03:00 it becomes 02:00, which is 01:00 UTC.
        #expect(
            try dueTimes(try CronExpression("30 2 * * *"), after: "2026-10-24 12:00", count: 2, in: zurich) == [
                "2026-10-25 00:30", "2026-10-26 01:30",
            ])
        #expect(
            try dueTimes(try CronExpression("0 */2 * * *"), after: "2026-10-24 22:30", count: 3, in: zurich) == [
                "2026-10-25 00:00", "2026-10-25 03:00", "2026-10-25 05:00",
            ])
    }

    @Test func `a schedule of every hour goes by time that passes`() throws {
        let zurich = try Self.zone("Europe/Zurich")
        #expect(
            try dueTimes(try CronExpression("30 * * * *"), after: "2026-03-29 00:00", count: 3, in: zurich) == [
                "2026-03-29 00:30", "2026-03-29 01:30", "2026-03-29 02:30",
            ])
        #expect(
            try dueTimes(try CronExpression("30 * * * *"), after: "2026-10-25 00:00", count: 3, in: zurich) == [
                "2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30",
            ])
    }

    /// In each of these the clock changes at another hour, by another amount, or over midnight.
    @Test(arguments: [
        "Europe/Zurich", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Africa/Casablanca",
        "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns", "Asia/Beirut", "UTC",
    ])
    func `over years each day has its time once, and each hour too`(name: String) throws {
        let zone = try Self.zone(name)
        let start = try seconds("2026-01-01 00:00")
        let end = try seconds("2028-01-01 00:00")
        func times(_ text: String) throws -> [Int64] {
            let cron = try CronExpression(text)
            var times: [Int64] = []
            var time = start
            while let next = cron.next(after: time, in: zone), next <= end {
                times.append(next)
                time = next
            }
            return times
        }
        for text in ["30 2 * * *", "0 0 * * *", "59 23 * * *", "15 1 * * *"] {
            let daily = try times(text)
            #expect((729...731).contains(daily.count), "\(text): \(daily.count)")
            let steps = zip(daily, daily.dropFirst()).map { $1 - $0 }
            #expect(steps.allSatisfy { (79_200...93_600).contains($0) }, "\(text): \(steps.max() ?? 0)")
        }
        let hourly = try times("0 * * * *")
        let steps = zip(hourly, hourly.dropFirst()).map { $1 - $0 }
        // Lord Howe changes by half an hour.
        #expect(steps.allSatisfy { $0 == 3_600 || (name == "Australia/Lord_Howe" && [1_800, 5_400].contains($0)) })
        #expect(abs(hourly.count - 730 * 24) <= 3)
    }

    @Test func `the latest of many times that passed is found`() throws {
        let zurich = try Self.zone("Europe/Zurich")
        let start = try seconds("2026-01-01 00:00")
        for (text, now) in [
            ("* * * * *", "2027-06-01 10:00"), ("30 2 * * *", "2026-03-29 00:59"), ("0 0 1 1 *", "2026-12-31 12:00"),
            ("0 3 * * mon", "2026-07-01 00:00"),
        ] {
            let cron = try CronExpression(text)
            let time = try seconds(now)
            let latest = cron.latest(until: time, after: start, in: zurich)
            var expected: Int64?
            // One of every minute has no need of more than an hour.
            var from = text.hasPrefix("*") ? time - 3_600 : start
            while let due = cron.next(after: from, in: zurich), due <= time {
                expected = due
                from = due
            }
            #expect(latest == expected, "\(text)")
        }
    }
}
