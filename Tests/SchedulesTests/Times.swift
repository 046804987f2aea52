import Foundation
import Testing

@testable import StatexSchedules

private func format() -> DateFormatter {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(secondsFromGMT: 0)
    format.dateFormat = "yyyy-MM-dd HH:mm"
    return format
}

/// Seconds since 1970 of a time in UTC such as `2026-03-01 08:00`.
func seconds(_ text: String) throws -> Int64 {
    Int64(try #require(format().date(from: text), "\(text)").timeIntervalSince1970)
}

/// The next due times, in UTC.
func dueTimes(_ cron: CronExpression, after: String, count: Int, in zone: ZoneTable) throws -> [String] {
    var times: [String] = []
    var time = try seconds(after)
    for _ in 0..<count {
        guard let next = cron.next(after: time, in: zone) else { return times }
        times.append(format().string(from: Date(timeIntervalSince1970: TimeInterval(next))))
        time = next
    }
    return times
}
