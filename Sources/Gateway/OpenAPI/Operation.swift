import StatexProtocol

/// What one route takes and answers, beside what holds for all of them.
struct Operation: Sendable {
    /// An answer that is no problem.
    struct Answer: Sendable {
        let status: Int
        let description: JSONLiteral
        var content: [(type: String, schema: JSONLiteral)] = []
        /// Header fields by the names of their components.
        var headers: [String] = []

        static func json(_ status: Int, _ description: JSONLiteral, _ schema: String, headers: [String] = []) -> Answer
        {
            Answer(
                status: status, description: description, content: [("application/json", Schemas.ref(schema))],
                headers: headers)
        }
    }

    let id: String
    let summary: JSONLiteral
    var description: JSONLiteral?
    /// Beside those in the path.
    var parameters: [JSONLiteral] = []
    var body: JSONLiteral?
    var answers: [Answer]
    /// Statuses of problems beside those that follow from what it takes.
    var problems: Set<Int> = []
    /// Whether it asks the journal or the scheduler, which may be away.
    var asksOthers = true
}

/// Parameters as the document has them.
enum Parameter {
    static func path(_ name: JSONLiteral, _ schema: JSONLiteral) -> JSONLiteral {
        ["name": name, "in": "path", "required": true, "schema": schema]
    }

    static func query(_ name: JSONLiteral, _ schema: JSONLiteral, _ description: JSONLiteral? = nil) -> JSONLiteral {
        given("query", name, schema, description)
    }

    /// One that may stand there several times.
    static func queries(
        _ name: JSONLiteral, _ items: JSONLiteral, atMost count: Int, _ description: JSONLiteral
    ) -> JSONLiteral {
        query(name, ["type": "array", "items": items, "maxItems": .int(count)], description)
    }

    static func header(_ name: JSONLiteral, _ schema: JSONLiteral, _ description: JSONLiteral? = nil) -> JSONLiteral {
        given("header", name, schema, description)
    }

    private static func given(
        _ place: JSONLiteral, _ name: JSONLiteral, _ schema: JSONLiteral, _ description: JSONLiteral?
    ) -> JSONLiteral {
        let parameter: JSONLiteral = ["name": name, "in": place, "schema": schema]
        return description.map { parameter.adding([("description", $0)]) } ?? parameter
    }

    /// What a filter compares with.
    static let filter: JSONLiteral = [
        "type": "string", "minLength": 1, "maxLength": .int(GatewayLimits.filterBytes),
        "pattern": #"^[^\u0000-\u001F\u007F]*$"#,
    ]

    static let times: [JSONLiteral] = [
        query("since", Schemas.ref("Time"), "From then on."), query("until", Schemas.ref("Time"), "Before then."),
    ]

    static let paging: [JSONLiteral] = [
        query(
            "limit",
            Schemas.whole(1...GatewayLimits.listMaximum).adding([("default", .int(GatewayLimits.listLength))])),
        query("cursor", Schemas.ref("ID"), "`next` of the page before."),
    ]
}
