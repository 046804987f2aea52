import StatexProtocol

/// What the document says of values, by the limits that the code keeps.
enum Schemas {
    static func ref(_ name: String) -> JSONLiteral { ["$ref": "#/components/schemas/\(name)"] }
    static func list(_ name: String) -> JSONLiteral { ["type": "array", "items": ref(name)] }
    static func orNull(_ name: String) -> JSONLiteral { ["anyOf": [ref(name), ["type": "null"]]] }

    static let text: JSONLiteral = ["type": "string"]
    static let textOrNull: JSONLiteral = ["type": ["string", "null"]]
    static let flag: JSONLiteral = ["type": "boolean"]
    static let count: JSONLiteral = ["type": "integer", "minimum": 0]
    static let seconds: JSONLiteral = ["type": "number", "minimum": 0]

    static func names<State>(_ states: [State], _ name: (State) -> String) -> JSONLiteral {
        ["type": "string", "enum": .list(states.map { .text(name($0)) })]
    }

    /// A text of the sender's. (Lengths are bytes in UTF-8; what JSON Schema counts are characters.)
    static func word(_ bytes: Int) -> JSONLiteral {
        ["type": "string", "minLength": 1, "maxLength": .int(bytes), "pattern": #"^[^\u0000]*$"#]
    }

    static func words(_ count: Int, _ bytes: Int) -> JSONLiteral {
        ["type": "array", "maxItems": .int(count), "items": word(bytes)]
    }

    static func whole(_ range: ClosedRange<Int>) -> JSONLiteral {
        ["type": "integer", "minimum": .int(range.lowerBound), "maximum": .int(range.upperBound)]
    }

    /// An object that has these members and no others. Of an answer all of them are there, unless `optional` names
    /// them; of a body only those that `required` names.
    static func answer(_ members: [(String, JSONLiteral)], optional: Set<String> = []) -> JSONLiteral {
        object(members, required: members.map(\.0).filter { !optional.contains($0) })
    }

    static func body(_ members: [(String, JSONLiteral)], required: [String]) -> JSONLiteral {
        object(members, required: required)
    }

    private static func object(_ members: [(String, JSONLiteral)], required: [String]) -> JSONLiteral {
        let object: JSONLiteral = [
            "type": "object", "properties": .object(members), "additionalProperties": false,
        ]
        return required.isEmpty ? object : object.adding([("required", .list(required.map { .text($0) }))])
    }

    /// A list with where to go on.
    static func page(_ name: String, of schema: String) -> JSONLiteral {
        answer([(name, list(schema)), ("next", next)])
    }

    private static let next = orNull("ID").adding([
        ("description", "The `cursor` to go on with; null: nothing is left.")
    ])

    /// Everything that is named.
    static var all: JSONLiteral {
        .object(values + requests + jobs + operators + [("Problem", problem)])
    }

    private static let values: [(String, JSONLiteral)] = [
        (
            "ID",
            [
                "type": "string", "description": "The id of a request or a job: 1 to 2^63-1, in decimal.",
                "pattern": "^([1-9][0-9]{0,17}|[1-8][0-9]{18}|9[01][0-9]{17})$", "examples": ["4387482403384328192"],
            ]
        ),
        (
            "Time",
            [
                "type": "string", "format": "date-time",
                "description": "RFC 3339, from 1970 to 2199, less than 18 hours from UTC.",
                "pattern": "^(19[7-9]|2[01][0-9])[0-9]-.+(Z|[+-](0[0-9]|1[0-7]):[0-5][0-9])$",
                "examples": ["2026-11-26T01:00:00.123456Z"],
            ]
        ),
        (
            "Kind",
            [
                "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$",
                "description": "Who handles it: \(KindName.rule).", "examples": ["text"],
            ]
        ),
        ("JobState", names(JobState.allCases, \.name)),
        ("RequestState", names(RequestState.allCases, \.name)),
    ]

    /// RFC 9457.
    private static let problem = answer(
        [
            ("type", ["type": "string", "pattern": "^urn:statex:problem:[a-z_]+$"]),
            ("title", text), ("status", whole(400...599)), ("detail", text),
            ("code", ["type": "string", "pattern": "^[a-z_]+$", "description": "For programs: the end of `type`."]),
            (
                "errors",
                [
                    "type": "array", "minItems": 1, "description": "Each field that is not as it must be.",
                    "items": answer([
                        ("field", ["type": "string", "examples": ["jobs[2].priority", "limit", "Idempotency-Key"]]),
                        ("message", text),
                    ]),
                ]
            ),
        ], optional: ["errors"])
}
