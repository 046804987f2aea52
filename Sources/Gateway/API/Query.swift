import FoundationEssentials
import HTTPTypes
import Hummingbird
import StatexProtocol
import StatexReads

/// The query of a request, read strictly: a parameter that nobody knows, or one twice, is a mistake of the sender and
/// said so.
struct Query {
    private var values: [String: [String]] = [:]

    /// - Parameters:
    ///   - repeatable: what may stand there several times.
    ///   - withTicket: whether a ticket may stand there, which was looked at before.
    init(
        _ request: Request, _ names: [String], repeatable: Set<String> = [], withTicket: Bool = false
    ) throws(Problem) {
        for (name, value) in request.uri.queryParameters where !withTicket || name != "ticket" {
            let name = String(name)
            let value = String(value)
            guard names.contains(name) else {
                throw .field(Problem.shown(name), "is no parameter here; there are \(names.joined(separator: ", "))")
            }
            guard value.utf8.count <= GatewayLimits.filterBytes,
                value.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
            else {
                throw .field(
                    name, "must be a text of at most \(GatewayLimits.filterBytes) bytes without control characters")
            }
            guard values[name] == nil || repeatable.contains(name) else { throw .field(name, "stands there twice") }
            values[name, default: []].append(value)
        }
    }

    func text(_ name: String) throws(Problem) -> String? {
        guard let text = values[name]?.first else { return nil }
        guard !text.isEmpty else { throw .field(name, "must not be empty; leave it out") }
        return text
    }

    func texts(_ name: String, count: Int) throws(Problem) -> [String] {
        let texts = values[name] ?? []
        guard texts.count <= count, texts.allSatisfy({ !$0.isEmpty }) else {
            throw .field(name, "may stand there up to \(count) times, and must not be empty")
        }
        return texts
    }

    func integer(_ name: String, _ range: ClosedRange<Int>, default standard: Int) throws(Problem) -> Int {
        guard let text = values[name]?.first else { return standard }
        guard let value = Int(text), range.contains(value) else {
            throw .field(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// How far a list goes, and from where on: its `limit` and its `cursor`.
    func walk() throws(Problem) -> Walk {
        let limit = try integer("limit", 1...GatewayLimits.listMaximum, default: GatewayLimits.listLength)
        var walk = Walk(limit: limit, patience: GatewayLimits.listPatience)
        guard let text = values["cursor"]?.first else { return walk }
        guard let id = JobID(text) else { throw .field("cursor", "must be what a list answered as `next`") }
        walk.below = id.rawValue
        return walk
    }

    /// Microseconds since 1970.
    func time(_ name: String) throws(Problem) -> Int64? {
        guard let text = values[name]?.first else { return nil }
        // In a query a plus that was not escaped is a space.
        guard let time = Timestamp(text.replacing(" ", with: "+")) else { throw .field(name, Timestamp.rule) }
        return time.microseconds
    }

    func flag(_ name: String) throws(Problem) -> Bool {
        switch values[name]?.first {
        case nil, "false": return false
        case "true": return true
        default: throw .field(name, "must be true or false")
        }
    }

    func states<State>(of all: [State], named name: (State) -> String) throws(Problem) -> [State] {
        var states: [State] = []
        for wanted in try texts("state", count: all.count) {
            guard let state = all.first(where: { name($0) == wanted }) else {
                throw .field("state", "must be one of \(all.map(name).joined(separator: ", "))")
            }
            states.append(state)
        }
        return states
    }
}

/// A moment as RFC 3339 writes it.
struct Timestamp {
    static let rule = "must be a time such as 2026-11-26T01:00:00Z, from 1970 to 2199"

    let date: Date
    var microseconds: Int64 { Int64((date.timeIntervalSince1970 * 1_000_000).rounded()) }

    init(date: Date) { self.date = date }

    /// Foundation reads a time and leaves what stands behind it, and takes 30 February for 2 March and minute 99.
    // Made once: a literal in a function is parsed at each call, which took a tenth of a busy gateway's time. Nothing
    // changes it; what a match compiles of it is put in place atomically.
    nonisolated(unsafe) private static let form =
        #/
        ([0-9]{4})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,12})?
        (Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])
        /#

    init?(_ text: String) {
        guard let parts = text.wholeMatch(of: Self.form)?.output,
            Self.isDay(Int(parts.1) ?? 0, Int(parts.2) ?? 0, Int(parts.3) ?? 0)
        else { return nil }
        let whole = Date.ISO8601FormatStyle()
        let date =
            (try? Date(text, strategy: whole))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        guard let date, (0..<7_258_118_400).contains(date.timeIntervalSince1970) else { return nil }
        self.date = date
    }

    private static func isDay(_ year: Int, _ month: Int, _ day: Int) -> Bool {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return (1...12).contains(month) && (1...days[month - 1]).contains(day)
    }
}
