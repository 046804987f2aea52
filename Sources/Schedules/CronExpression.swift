// When a schedule is due, as cron writes it. Pure: text and time in, times out.

/// Why a text is no cron expression, said so that it can follow "key: ".
package struct CronError: Error, Equatable {
    package let reason: String
}

/// Five fields (minute, hour, day of the month, month, day of the week), or a name for them.
///
/// A field is `*`, a number, a range `1-5`, a list `1,15`, each with a step `*/10` or `8-18/2`. Months and
/// days of the week have names too (`jan`, `mon`); 0 and 7 are Sunday. When both days are given, either
/// one will do; a day that begins with `*` is not given. Names: `@hourly`, `@daily` (`@midnight`),
/// `@weekly`, `@monthly`, `@yearly` (`@annually`).
package struct CronExpression: Sendable, Equatable {
    package let text: String
    /// A bit for each value.
    let minutes: UInt64
    let hours: UInt64
    let days: UInt64
    let months: UInt64
    /// 0 is Sunday.
    let weekdays: UInt64
    private let daysAreGiven: Bool
    private let weekdaysAreGiven: Bool

    /// A schedule of every hour goes by time that passes; one of certain hours by what the clock shows.
    var isOfEveryHour: Bool { hours == 0xFF_FFFF }

    /// Is never due: stands in for one that cannot be read.
    package static let never = CronExpression()

    private init() {
        text = ""
        minutes = 0
        hours = 0
        days = 0
        months = 0
        weekdays = 0
        daysAreGiven = false
        weekdaysAreGiven = false
    }

    package init(_ text: String) throws(CronError) {
        self.text = text
        let named = text.hasPrefix("@")
        guard let expanded = named ? Self.names[text.lowercased()] : text else {
            throw CronError(
                reason: "'\(text)' is no name; there are \(Self.names.keys.sorted().joined(separator: ", "))")
        }
        let fields = expanded.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        guard fields.count == 5 else {
            throw CronError(
                reason:
                    "has \(fields.count) fields, it takes 5 (minute, hour, day of the month, month, day of the week), such as `30 2 * * mon-fri`"
            )
        }
        minutes = try CronField("minute", 0...59).values(fields[0])
        hours = try CronField("hour", 0...23).values(fields[1])
        days = try CronField("day of the month", 1...31).values(fields[2])
        months = try CronField("month", 1...12, names: Self.monthNames, firstName: 1).values(fields[3])
        let week = try CronField("day of the week", 0...7, names: Self.dayNames, firstName: 0).values(fields[4])
        weekdays = (week | week >> 7) & 0x7F
        daysAreGiven = !fields[2].hasPrefix("*")
        weekdaysAreGiven = !fields[4].hasPrefix("*")
    }

    private static let names = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
    ]
    private static let monthNames = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    func matches(_ date: CivilDate) -> Bool {
        guard months >> UInt64(date.month) & 1 == 1 else { return false }
        let byDay = days >> UInt64(date.day) & 1 == 1
        let byWeekday = weekdays >> UInt64(date.weekday) & 1 == 1
        return daysAreGiven && weekdaysAreGiven ? byDay || byWeekday : byDay && byWeekday
    }

    package static func == (left: Self, right: Self) -> Bool { left.text == right.text }
}

/// One of the five fields: what its numbers and names may be.
private struct CronField {
    let name: String
    let range: ClosedRange<Int>
    let names: [String]
    let firstName: Int

    init(_ name: String, _ range: ClosedRange<Int>, names: [String] = [], firstName: Int = 0) {
        self.name = name
        self.range = range
        self.names = names
        self.firstName = firstName
    }

    /// A bit for each value of a list.
    func values(_ text: String) throws(CronError) -> UInt64 {
        var bits: UInt64 = 0
        for part in text.lowercased().split(separator: ",", omittingEmptySubsequences: false) {
            bits |= try values(part)
        }
        return bits
    }

    /// `*`, a value or a range, maybe with a step.
    private func values(_ part: Substring) throws(CronError) -> UInt64 {
        let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
        let ends = pieces[0].split(separator: "-", omittingEmptySubsequences: false)
        guard pieces.count <= 2, ends.count <= 2 else { throw refusal(part) }
        var step = 1
        if pieces.count == 2 {
            guard let width = Self.number(pieces[1]), (1...range.count).contains(width) else {
                throw CronError(reason: "\(name) '\(part)': a step takes 1 to \(range.count)")
            }
            step = width
        }
        var value = range.lowerBound
        var last = range.upperBound
        if pieces[0] != "*" {
            value = try self.value(ends[0], of: part)
            // `5/10` goes on to the end, as cron has it.
            last = ends.count == 2 ? try self.value(ends[1], of: part) : pieces.count == 2 ? last : value
        }
        guard value <= last else { throw CronError(reason: "\(name) '\(part)' ends before it begins") }
        var bits: UInt64 = 0
        while value <= last {
            bits |= 1 << UInt64(value)
            value += step
        }
        return bits
    }

    private func value(_ text: Substring, of part: Substring) throws(CronError) -> Int {
        if let index = names.firstIndex(of: String(text)) { return firstName + index }
        guard let number = Self.number(text), range.contains(number) else { throw refusal(part) }
        return number
    }

    /// Digits only: no sign.
    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    private func refusal(_ part: Substring) -> CronError {
        let words = names.isEmpty ? "" : ", or \(names.joined(separator: ", "))"
        return CronError(reason: "\(name) '\(part)' takes \(range.lowerBound) to \(range.upperBound)\(words)")
    }
}
