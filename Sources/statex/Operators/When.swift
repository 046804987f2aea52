import ArgumentParser
import Foundation
import StatexClient

/// A time as people write it: how long ago, or how long from now (`90s`, `15m`, `2h`, `1d`), or a moment
/// (`2026-11-26T01:00:00Z`).
struct When: ExpressibleByArgument {
    private enum Value {
        case moment(Date)
        case distance(Duration)
    }
    private let value: Value

    init?(argument: String) {
        if let distance = Span(argument: argument) {
            value = .distance(distance.duration)
        } else if let moment = try? Date(argument, strategy: .iso8601) {
            value = .moment(moment)
        } else {
            return nil
        }
    }

    var before: Date { date(-1) }
    var after: Date { date(1) }

    private func date(_ sign: Double) -> Date {
        switch value {
        case .moment(let moment): moment
        case .distance(let distance): Date().addingTimeInterval(sign * distance.inSeconds)
        }
    }

    /// Refuses a time of an option that the protocol and the journal do not have.
    static func check(_ times: (date: Date?, option: String)...) throws {
        for (date, option) in times {
            guard let date, !JobSpec.mayName(date) else { continue }
            throw ValidationError("\(option) takes a time from 1970 to 2199")
        }
    }

    static var format: String { "90s, 15m, 2h, 1d, or 2026-11-26T01:00:00Z" }
}

/// How long: a number with its unit (`500ms`, `90s`, `15m`, `2h`, `1d`); without one it is seconds.
struct Span: ExpressibleByArgument {
    let duration: Duration
    var defaultValueDescription: String { "\(duration.components.seconds)s" }

    private static let units: [(name: String, milliseconds: Double)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    init(seconds: Int) { duration = .seconds(seconds) }

    init?(argument: String) {
        let unit = Self.units.first { argument.hasSuffix($0.name) }
        let number = unit.map { String(argument.dropLast($0.name.count)) } ?? argument
        guard let value = Double(number), value >= 0 else { return nil }
        let milliseconds = value * (unit?.milliseconds ?? 1_000)
        // A century is for ever, and far from where sums overflow.
        guard milliseconds <= 3_155_760_000_000 else { return nil }
        duration = .milliseconds(Int64(milliseconds.rounded()))
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

extension Date {
    /// Microseconds since 1970, as the journal has times. It was checked, or is about now: what Foundation reads as a date
    /// may be of a year that no integer holds.
    var microseconds: Int64 { Int64((timeIntervalSince1970 * 1_000_000).rounded()) }
}
