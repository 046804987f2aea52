// `Retry-After` (RFC 9110, 10.2.3): a number of seconds or a date.

/// How long a server asks to be left alone, in milliseconds; nil when it says nothing, nothing sensible,
/// or a time that is over.
/// - Parameter now: seconds since 1970, for a server that does not say what time it has.
func retryDelayMilliseconds(_ head: ResponseHead, now: Int) -> Int? {
    guard let text = head.value("retry-after"), !text.isEmpty else { return nil }
    let seconds: Int
    if text.utf8.allSatisfy(isDigit) {
        seconds = Int(text) ?? longestDelaySeconds
    } else {
        guard let date = secondsSince1970(httpDate: text) else { return nil }
        // Both by the server's clock, whatever ours shows.
        let server = head.value("date").flatMap(secondsSince1970) ?? now
        seconds = date - server
    }
    return seconds > 0 ? min(seconds, longestDelaySeconds) * 1_000 : nil
}

/// A longer delay is a mistake, or a server that is gone: a day later the job may as well be tried.
private let longestDelaySeconds = 86_400

/// Reads the three forms of RFC 9110, 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`,
/// `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`. The day of the week is not looked at.
func secondsSince1970(httpDate text: String) -> Int? {
    guard text.utf8.count <= 40 else { return nil }
    var words = text.split { " ,-".contains($0) }.map(String.init)
    guard words.count == 6 || words.count == 5 else { return nil }
    if words.count == 5 {
        // The third form: month day time year.
        words = [words[0], words[2], words[1], words[4], words[3], "GMT"]
    }
    guard words[5] == "GMT", let day = number(words[1], 1...31), let month = months.firstIndex(of: words[2]),
        var year = number(words[3], 0...9_999), let time = secondsOfDay(words[4])
    else { return nil }
    // Two digits: the century that RFC 9110 means, as long as it is near.
    if words[3].utf8.count == 2 { year += year < 70 ? 2_000 : 1_900 }
    guard year >= 1_970 else { return nil }
    return days(year: year, month: month + 1, day: day) * 86_400 + time
}

private let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

private func number(_ text: String, _ range: ClosedRange<Int>) -> Int? {
    guard text.utf8.allSatisfy(isDigit), let value = Int(text), range.contains(value) else { return nil }
    return value
}

private func secondsOfDay(_ text: String) -> Int? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3, let hour = number(parts[0], 0...23), let minute = number(parts[1], 0...59),
        let second = number(parts[2], 0...60)
    else { return nil }
    return hour * 3_600 + minute * 60 + second
}

/// Days since 1970-01-01 in the Gregorian calendar: years begin in March, so that the leap day is the last.
private func days(year: Int, month: Int, day: Int) -> Int {
    let year = month <= 2 ? year - 1 : year
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
}
