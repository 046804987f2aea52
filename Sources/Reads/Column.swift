import StatexProtocol

/// One column of a list: how the journal is asked for it, and what it is in JSON.
package struct Column: Sendable {
    enum Kind {
        case text, number, flag, json
    }

    let name: String
    let sql: String
    let kind: Kind

    static func text(_ name: String, _ sql: String? = nil) -> Self { Self(name: name, sql: sql ?? name, kind: .text) }
    static func number(_ name: String, _ sql: String? = nil) -> Self {
        Self(name: name, sql: sql ?? name, kind: .number)
    }
    static func flag(_ name: String) -> Self { Self(name: name, sql: name, kind: .flag) }
    static func json(_ name: String, _ sql: String? = nil) -> Self { Self(name: name, sql: sql ?? name, kind: .json) }
    static func list(_ name: String) -> Self { json(name, "array_to_json(\(name))") }
    /// As JSON has times everywhere: `2026-11-26T01:00:00.123456+00:00`.
    static func time(_ name: String, _ sql: String? = nil) -> Self { text(name, "to_jsonb(\(sql ?? name)) #>> '{}'") }
}

extension [Column] {
    /// What stands between SELECT and FROM.
    var selection: String { map(\.sql).joined(separator: ", ") }

    func index(of name: String) -> Int? { firstIndex { $0.name == name } }
}

/// Rows of one list, as text for tables and as JSON.
package struct Listing: Sendable {
    package let columns: [Column]
    package let rows: [JournalReader.Row]
    /// Where to go on; nil: nothing is left.
    package let next: String?

    init(_ columns: [Column], _ rows: [JournalReader.Row], next: String? = nil) {
        self.columns = columns
        self.rows = rows
        self.next = next
    }

    /// The same with one more text at the end of each row.
    package func adding(_ name: String, _ value: (JournalReader.Row) -> String?) -> Listing {
        Listing(columns + [.text(name)], rows.map { $0 + [value($0)] }, next: next)
    }

    /// One JSON object: the rows under `name`, and where to go on.
    /// - Parameter nulls: whether what a row has not is written as null; else it is left out.
    package func json(_ name: String, nulls: Bool = false) -> [UInt8] {
        var text = JSONText()
        text.object {
            $0.array(name, rows) { row, text in write(row, to: &text, nulls: nulls) }
            if let next { $0.member("next", next) } else if nulls { $0.raw("\"next\":null") }
        }
        return text.bytes
    }

    /// The members of one row's object.
    package func write(_ row: JournalReader.Row, to text: inout JSONText, nulls: Bool) {
        for (column, value) in zip(columns, row) {
            guard let value else {
                if nulls { text.raw("\"\(column.name)\":null") }
                continue
            }
            switch column.kind {
            case .text: text.member(column.name, value)
            case .number: text.member(column.name, Int(value) ?? 0)
            case .flag: text.member(column.name, value == "t")
            case .json: text.raw("\"\(column.name)\":\(value)")
            }
        }
    }
}
