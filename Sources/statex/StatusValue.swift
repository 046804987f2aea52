import Foundation

/// Any status object as lines for people: values first, then each object and each table under its name. So a
/// member that a newer scheduler adds is shown too.
enum StatusValue: Decodable {
    case text(String)
    case object([String: StatusValue])
    case list([StatusValue])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let flag = try? value.decode(Bool.self) {
            self = .text(flag ? "yes" : "no")
        } else if let number = try? value.decode(Int.self) {
            self = .text(String(number))
        } else if let number = try? value.decode(Double.self) {
            self = .text(String(format: "%.3f", number))
        } else if let text = try? value.decode(String.self) {
            self = .text(printable(text))
        } else if let members = try? value.decode([String: StatusValue].self) {
            self = .object(members)
        } else if let items = try? value.decode([StatusValue].self) {
            self = .list(items)
        } else {
            self = .text("none")
        }
    }

    func lines(indent: String = "") -> [String] {
        guard case .object(let members) = self else { return [indent + inOneLine] }
        let sorted = members.sorted { $0.key < $1.key }
        let values = sorted.filter { !$0.value.isObject && $0.value.rows == nil }
        let width = values.map(\.key.count).max() ?? 0
        var lines = values.map { indent + Self.padded(printable($0.key), width) + "  " + $0.value.inOneLine }
        for (key, value) in sorted {
            if let rows = value.rows {
                lines += [indent + printable(key)] + Self.table(rows).map { indent + "    " + $0 }
            } else if value.isObject {
                lines += [indent + printable(key)] + value.lines(indent: indent + "    ")
            }
        }
        return lines
    }

    private var isObject: Bool { if case .object = self { true } else { false } }

    /// The objects of a list that is a table.
    private var rows: [[String: StatusValue]]? {
        guard case .list(let items) = self, !items.isEmpty else { return nil }
        let rows = items.compactMap { item in if case .object(let members) = item { members } else { nil } }
        return rows.count == items.count ? rows : nil
    }

    private var inOneLine: String {
        switch self {
        case .text(let text): text
        case .list(let items): items.isEmpty ? "none" : items.map(\.inOneLine).joined(separator: ", ")
        case .object(let members):
            members.count == 1
                ? members.values.map(\.inOneLine).joined()
                : members.sorted { $0.key < $1.key }.map { "\(printable($0.key)) \($0.value.inOneLine)" }
                    .joined(separator: " ")
        }
    }

    /// What names a row stands first.
    private static func table(_ rows: [[String: StatusValue]]) -> [String] {
        let columns = Set(rows.flatMap(\.keys)).sorted {
            (["name", "kind"].contains($0) ? 0 : 1, $0) < (["name", "kind"].contains($1) ? 0 : 1, $1)
        }
        let cells = [columns.map { printable($0) }] + rows.map { row in columns.map { row[$0]?.inOneLine ?? "" } }
        let widths = columns.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { row in
            let line = zip(row, widths).map { padded($0, $1) }.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}
