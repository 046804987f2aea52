// Time zones by their names: read from Foundation's tables once, and plain values from then on.

import Foundation
import StatexSchedules

extension ZoneTable {
    /// 2020 to 2060, in seconds since 1970: later on the last offset stays.
    static let covered: ClosedRange<Int64> = 1_577_836_800...2_840_140_800

    /// The zone of an IANA name such as `Europe/Zurich`; nil: there is none.
    init?(named name: String) {
        // Abbreviations such as EST mean different things to different people.
        guard name == "UTC" || name.contains("/"), let zone = TimeZone(identifier: name) else { return nil }
        func offset(_ time: Int64) -> Int64 {
            Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(time))))
        }
        // Day by day, because not every change is a daylight saving one; then the second of the change.
        var changes: [Change] = []
        var before = offset(Self.covered.lowerBound)
        let first = before
        for day in stride(from: Self.covered.lowerBound, to: Self.covered.upperBound, by: 86_400) {
            let after = offset(day + 86_400)
            guard after != before else { continue }
            var (low, high) = (day, day + 86_400)
            while high - low > 1 {
                let middle = (low + high) / 2
                if offset(middle) == before { low = middle } else { high = middle }
            }
            changes.append(Change(at: high, offset: after))
            before = after
        }
        self.init(name: name, first: first, changes: changes)
    }
}

extension ValueFormat<ZoneTable> {
    static var timeZone: Self {
        Self(
            text: { text throws(FormatError) in
                if let zone = ZoneTable(named: text) { return zone }
                let hint = nearMiss(text, among: TimeZone.knownTimeZoneIdentifiers).map { "; did you mean `\($0)`?" }
                throw FormatError(
                    "must be a time zone's name such as Europe/Zurich or UTC, not \(text.shown)\(hint ?? "")")
            }, show: \.name)
    }
}

extension ValueFormat<CronExpression> {
    static var cron: Self {
        Self(
            text: { text throws(FormatError) in
                do throws(CronError) { return try CronExpression(text) } catch { throw FormatError(error.reason) }
            }, show: \.text)
    }
}
