import Foundation

/// The moment from which a key is not allowed, in whole seconds.
package struct KeyEnd: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Since 1970.
    package let seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    /// A day (`2027-01-01`: from its beginning on, in UTC) or a moment (`2027-01-01T12:00:00Z`).
    package init(reading text: some StringProtocol) throws(KeyError) {
        let text = String(text)
        let moment = text.utf8.count == 10 ? text + "T00:00:00Z" : text
        // What reads as a moment and is written otherwise is none, such as the 30th of February.
        guard let date = try? Date(moment, strategy: .iso8601), date.formatted(.iso8601) == moment else {
            throw KeyError(
                "\(text.prefix(40)) is no end of a key: give a day (2027-01-01), or a moment (2027-01-01T12:00:00Z)")
        }
        seconds = Int64(date.timeIntervalSince1970)
    }

    package static var now: KeyEnd { KeyEnd(seconds: Int64(Date().timeIntervalSince1970)) }

    package func earlier(bySeconds seconds: Int64) -> KeyEnd { KeyEnd(seconds: self.seconds - seconds) }

    package static func < (one: KeyEnd, other: KeyEnd) -> Bool { one.seconds < other.seconds }

    package var description: String { Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601) }
}
