import StatexProtocol

// What operators look at and order.

extension Operations {
    static let standing: [String: Operation] = [
        "GET /v1/status": Operation(
            id: "status", summary: "How the scheduler stands",
            description: "A token of a tenant sees what concerns it.",
            answers: [.json(200, "So it stands.", "Status")]),
        "GET /v1/queues": Operation(
            id: "queues", summary: "What waits and runs, by kind", answers: [.json(200, "The queues.", "Queues")]),
        "GET /v1/scale": Operation(
            id: "scale", summary: "How many workers a kind needs",
            description: "For autoscalers: zeros for what is unknown or has nothing to do.",
            parameters: [
                Parameter.query("kind", Parameter.filter).adding([("required", true)]),
                Parameter.query("label", Parameter.filter, "Only jobs that require it and workers that have it."),
            ], answers: [.json(200, "So many, and why.", "Scale")]),
        "GET /v1/workers": Operation(
            id: "workers", summary: "Workers", answers: [.json(200, "The workers.", "Workers")]),
        "GET /v1/schedules": Operation(
            id: "schedules", summary: "Schedules", answers: [.json(200, "The schedules.", "Schedules")]),
        "GET /v1/dead-letters": Operation(
            id: "letters", summary: "Dead letters, newest first, or groups of them by their error",
            parameters: [
                Parameter.query("kind", Parameter.filter), Parameter.query("tenant", Parameter.filter),
                Parameter.query("error_class", Parameter.filter),
                Parameter.queries("tag", Parameter.filter, atMost: JobOptions.tags, "All of them."),
                Parameter.query("all", Schemas.flag, "Also those that were retried or dropped."),
                Parameter.query(
                    "group", Schemas.flag,
                    "Groups, of those that one look sees: with `next`, others of the same error may be older."),
            ] + Parameter.times + Parameter.paging, answers: [.json(200, "A page.", "Letters")]),
    ]

    static let orders: [String: Operation] = [
        "POST /v1/dead-letters/retry": letters("retryLetters", "Retry the dead letters that fit"),
        "POST /v1/dead-letters/drop": letters("dropLetters", "Drop the dead letters that fit"),
        "POST /v1/pause": order("pause", "Hold back a kind, a tenant or all", body: json("Order")),
        "POST /v1/resume": order("resume", "Let it go on", body: json("Order")),
        "POST /v1/workers/{name}/drain": order("drain", "Give a worker no more jobs"),
    ]

    private static func json(_ schema: String) -> JSONLiteral {
        ["required": true, "content": ["application/json": ["schema": Schemas.ref(schema)]]]
    }

    private static func letters(_ id: String, _ summary: JSONLiteral) -> Operation {
        Operation(
            id: id, summary: summary,
            description: .text(
                "They are looked for from the oldest on, for half a second: `next` says where to go on. "
                    + "An order with `per_second` takes at most \(GatewayLimits.letterOrderSeconds) s, else it is refused; "
                    + "a subject has \(GatewayLimits.letterOrdersOfSubject) under way."),
            body: json("LetterOrder"),
            answers: [
                .json(200, "A dry run: how many fit.", "LettersOrdered"),
                .json(202, "It is ordered, and perhaps goes on.", "LettersOrdered"),
            ])
    }

    private static func order(_ id: String, _ summary: JSONLiteral, body: JSONLiteral? = nil) -> Operation {
        Operation(
            id: id, summary: summary, body: body, answers: [.json(202, "It is ordered.", "Ordered")],
            problems: [409])
    }
}
