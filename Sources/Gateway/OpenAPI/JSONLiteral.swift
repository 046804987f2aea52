import StatexProtocol

/// A JSON value as it stands in the source; members keep their order.
enum JSONLiteral: Sendable {
    case null
    case bool(Bool)
    case int(Int)
    case number(Double)
    case text(String)
    case list([JSONLiteral])
    case object([(String, JSONLiteral)])

    var json: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .number(let value): value.description
        case .text(let value): JSONText.quoted(value)
        case .list(let values): "[" + values.map(\.json).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { "\(JSONText.quoted($0.0)):\($0.1.json)" }.joined(separator: ",") + "}"
        }
    }

    /// An object with more members; what is none stays as it is.
    func adding(_ more: [(String, JSONLiteral)]) -> JSONLiteral {
        guard case .object(let members) = self else { return self }
        return .object(members + more)
    }
}

extension JSONLiteral: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringInterpolation,
    ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByNilLiteral
{
    init(dictionaryLiteral elements: (String, JSONLiteral)...) { self = .object(elements) }
    init(arrayLiteral elements: JSONLiteral...) { self = .list(elements) }
    init(stringLiteral value: String) { self = .text(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(integerLiteral value: Int) { self = .int(value) }
    init(floatLiteral value: Double) { self = .number(value) }
    init(nilLiteral: ()) { self = .null }
}
