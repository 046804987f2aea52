import StatexReads

/// Rows for people, in columns as wide as they need. What they show may come from anywhere: nothing in it moves
/// the cursor.
struct TextTable {
    private var rows: [[String]]

    init(_ heads: String...) { rows = [heads] }

    var isEmpty: Bool { rows.count == 1 }

    mutating func add(_ cells: [String?]) { rows.append(cells.map { Self.short(printable($0 ?? "")) }) }

    /// One line a row.
    private static func short(_ text: String) -> String { text.count <= 72 ? text : text.prefix(71) + "…" }

    var lines: [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.count + 2)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

/// A time for people: to the second.
func shortTime(_ text: String?) -> String? { text.map { String($0.prefix(19)).replacing("T", with: " ") } }

/// What failed, for people: the first line of its class and its message, as far as it has them.
func shortError(_ errorClass: String?, _ message: String?) -> String? {
    let words = [errorClass, message].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ": ")
    return words.split(separator: "\n").first.map(String.init)
}

extension Listing {
    /// One JSON object, as every list prints it.
    func text(as name: String) -> String { String(decoding: json(name), as: UTF8.self) }
}
