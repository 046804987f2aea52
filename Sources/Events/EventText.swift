// How events are written as JSON: one form for the command line and for the gateway's streams.

import StatexClient
import StatexProtocol

extension EventNews {
    /// What it is called where it stands beside others.
    package var name: String {
        switch self {
        case .event(let event): event.type.name
        case .worker(let event): event.type.name
        case .gap: "gap"
        case .journalChanged: "journal.changed"
        }
    }

    /// As one JSON object.
    /// - Parameter trouble: why a gap could not be filled.
    package func json(because trouble: String? = nil) -> [UInt8] {
        var json = JSONText()
        json.object { json in
            json.member("event", name)
            switch self {
            case .event(let event): event.write(to: &json)
            case .worker(let event): event.write(to: &json)
            case .gap(let gap):
                json.member("from", gap.sequence(of: gap.from))
                json.member("to", gap.sequence(of: gap.to))
                if let trouble { json.member("reason", trouble) }
            case .journalChanged(let before, let after):
                json.member("from", String(before, radix: 16))
                json.member("to", String(after, radix: 16))
            }
        }
        return json.bytes
    }
}

extension JobEvent {
    fileprivate func write(to json: inout JSONText) {
        json.member("id", id.description)
        json.member("request", request.description)
        if let index { json.member("index", index) }
        json.member("kind", kind)
        json.member("tenant", tenant)
        if let attempt { json.member("attempt", attempt) }
        if let jobs { json.member("jobs", jobs) }
        if let worker { json.member("worker", worker) }
        if let ending { json.member("ending", ending.name) }
        json.member("at", timeText(at))
        json.member("sequence", sequence.description)
    }
}

extension WorkerEvent {
    fileprivate func write(to json: inout JSONText) {
        json.member("worker", worker)
        json.member("slots", slots)
        json.member("at", timeText(at))
        // The journal does not have it.
        json.member("fillable", false)
    }
}

extension EventGap {
    fileprivate func sequence(of position: EventPosition) -> String {
        EventSequence(incarnation: incarnation, batch: position.batch, index: position.index).description
    }
}

/// Microseconds since 1970 as RFC 3339 in UTC; from 1970 on. (Foundation's formatter takes ten times as long, and a
/// stream has thousands a second.)
package func timeText(_ microseconds: Int64) -> String {
    let time = max(0, microseconds)
    let (days, ofDay) = (time / 86_400_000_000, time % 86_400_000_000)
    // Howard Hinnant's civil_from_days: years begin in March, so that leap days come last.
    let shifted = days + 719_468
    let (era, ofEra) = (shifted / 146_097, shifted % 146_097)
    let year = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * year + year / 4 - year / 100)
    let month = (5 * ofYear + 2) / 153
    let day = ofYear - (153 * month + 2) / 5 + 1
    let civilMonth = month < 10 ? month + 3 : month - 9
    let civilYear = year + era * 400 + (civilMonth <= 2 ? 1 : 0)
    let (hour, minute) = (ofDay / 3_600_000_000, ofDay / 60_000_000 % 60)
    let (second, fraction) = (ofDay / 1_000_000 % 60, ofDay % 1_000_000)
    return digits(civilYear, 4) + "-" + digits(civilMonth, 2) + "-" + digits(day, 2) + "T" + digits(hour, 2) + ":"
        + digits(minute, 2) + ":" + digits(second, 2) + "." + digits(fraction, 6) + "Z"
}

private func digits(_ number: Int64, _ count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
}
