import StatexProtocol

/// One column of a list: how the journal is asked for it, and what it is in JSON. A row's NULLs are left out.
struct ListColumn {
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
    /// As JSON has times everywhere: `2026-11-26T01:00:00+00:00`.
    static func time(_ name: String, _ sql: String? = nil) -> Self { text(name, "to_jsonb(\(sql ?? name)) #>> '{}'") }
}

extension [ListColumn] {
    /// What stands between SELECT and FROM.
    var selection: String { map(\.sql).joined(separator: ", ") }

    /// One JSON object: the rows under `name`, and where to go on.
    func json(_ name: String, _ rows: [[String?]], next: String? = nil) -> String {
        var text = JSONText()
        text.object {
            $0.array(name, rows) { row, text in
                for (column, value) in zip(self, row) {
                    guard let value else { continue }
                    switch column.kind {
                    case .text: text.member(column.name, value)
                    case .number: text.member(column.name, Int(value) ?? 0)
                    case .flag: text.member(column.name, value == "t")
                    case .json: text.raw("\"\(column.name)\":\(value)")
                    }
                }
            }
            if let next { $0.member("next", next) }
        }
        return String(decoding: text.bytes, as: UTF8.self)
    }
}

/// A time for people: to the second.
func shortTime(_ text: String?) -> String? { text.map { String($0.prefix(19)).replacing("T", with: " ") } }
