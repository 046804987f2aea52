import StatexMetrics
import StatexPage
import StatexProtocol

/// Every route's operation, by its method and path.
enum Operations {
    static let all: [String: Operation] = open.merging(requests) { $1 }.merging(jobs) { $1 }.merging(streams) { $1 }
        .merging(standing) { $1 }.merging(orders) { $1 }

    private static let open: [String: Operation] = [
        "GET /": Operation(
            id: "page", summary: "The page", parameters: [ifNoneMatch],
            answers: [
                .init(
                    status: 200, description: "The page.", content: [("text/html; charset=utf-8", Schemas.text)],
                    headers: ["ETag"]), notModified,
            ]),
        "GET /assets/{name}": Operation(
            id: "asset", summary: "A file of the page", parameters: [ifNoneMatch],
            answers: [
                .init(
                    status: 200, description: "The file.",
                    content: Set(PageFile.assets.map(\.type)).sorted().map { ($0, Schemas.text) }, headers: ["ETag"]),
                notModified,
            ], problems: [404]),
        "GET /openapi.json": Operation(
            id: "document", summary: "This document",
            answers: [
                .init(
                    status: 200, description: "OpenAPI 3.1.",
                    content: [("application/json", ["type": "object", "required": ["openapi", "paths"]])])
            ]),
        "GET /metrics": Operation(
            id: "metrics", summary: "Figures for Prometheus",
            description: "To a token that reads everything also how many workers each kind needs.",
            answers: [
                .init(
                    status: 200, description: "Its text format.", content: [(MetricsText.contentType, Schemas.text)])
            ], problems: [401, 403, 429]),
        "GET /livez": Operation(
            id: "alive", summary: "Whether it lives", answers: [.json(200, "It does.", "Alive")]),
        "GET /readyz": Operation(
            id: "ready", summary: "Whether it can do its work",
            answers: [.json(200, "It can.", "Ready"), .json(503, "It cannot: why not.", "Ready")]),
    ]

    private static let requests: [String: Operation] = [
        "POST /v1/requests": Operation(
            id: "submit", summary: "Submit jobs that complete together",
            description: "Answered once it is durable. A form's files go into the object store as they arrive.",
            parameters: [
                Parameter.header(
                    "Idempotency-Key",
                    [
                        "type": "string", "minLength": 1, "maxLength": .int(Limits.userKeyBytes),
                        "pattern": "^[ -~]*$",
                    ], "A repeat under the same key is the same request."),
                Parameter.header(
                    "traceparent", Schemas.text, "Of every job that names none. One that is none is passed over."),
            ], body: submitted,
            answers: [
                .json(201, "It is new.", "Receipt", headers: ["Location"]),
                .json(200, "It was there before.", "Receipt", headers: ["Location"]),
            ], problems: [408, 409]),
        "GET /v1/requests": Operation(
            id: "requests", summary: "Requests, newest first",
            description: "A page is looked for during 50 ms: it may be short or empty and still have a `next`.",
            parameters: [
                Parameter.queries(
                    "state", Schemas.ref("RequestState"), atMost: RequestState.allCases.count, "Any of them."),
                Parameter.query("kind", Parameter.filter, "Of one of its jobs."),
                Parameter.query("tenant", Parameter.filter),
            ] + Parameter.times + Parameter.paging, answers: [.json(200, "A page.", "Requests")]),
        "GET /v1/requests/{id}": Operation(
            id: "request", summary: "A request with its jobs", answers: [.json(200, "The request.", "Request")]),
        "POST /v1/requests/{id}/cancel": Operation(
            id: "cancelRequest", summary: "Cancel a request's open jobs",
            answers: [.json(202, "It is ordered.", "Matched")]),
    ]

    private static let jobs: [String: Operation] = [
        "GET /v1/jobs": Operation(
            id: "jobs", summary: "Jobs, newest first",
            description: "A page is looked for during 50 ms: it may be short or empty and still have a `next`.",
            parameters: [
                Parameter.queries(
                    "state", Schemas.ref("JobState"), atMost: JobState.allCases.count, "Any of them."),
                Parameter.query("kind", Parameter.filter), Parameter.query("tenant", Parameter.filter),
                Parameter.queries("tag", Parameter.filter, atMost: JobOptions.tags, "All of them."),
            ] + Parameter.times + Parameter.paging, answers: [.json(200, "A page.", "Jobs")]),
        "GET /v1/jobs/{id}": Operation(
            id: "job", summary: "A job with its attempts, and why it waits",
            answers: [.json(200, "The job.", "JobExplained")]),
        "GET /v1/jobs/{id}/result": content("result", "The bytes of a result"),
        "GET /v1/jobs/{id}/payload": content("payload", "The bytes that were submitted"),
        "POST /v1/jobs/{id}/retry": Operation(
            id: "retryJob", summary: "Try a dead letter again, as a new job",
            answers: [.json(202, "It is ordered.", "Retried")], problems: [409]),
        "POST /v1/jobs/{id}/cancel": Operation(
            id: "cancelJob", summary: "Cancel a job", answers: [.json(202, "It is ordered.", "Matched")]),
    ]

    private static let streams: [String: Operation] = [
        "POST /v1/tickets": Operation(
            id: "ticket", summary: "A ticket that opens one stream",
            description: "For browsers, whose EventSource sends no token.",
            answers: [.json(200, "The ticket.", "Ticket")], asksOthers: false),
        "GET /v1/requests/{id}/events": stream("requestEvents", "What happens to a request"),
        "GET /v1/jobs/{id}/events": stream("jobEvents", "What happens to a job, how far it is and what it puts out"),
        "GET /v1/events": stream(
            "events", "What happens from now on",
            [Parameter.query("kind", Parameter.filter), Parameter.query("tenant", Parameter.filter)]),
    ]

    // MARK: What several have

    private static let ifNoneMatch = Parameter.header(
        "If-None-Match", Schemas.text, "The ETag of what is there already.")
    private static let notModified = Operation.Answer(
        status: 304, description: "It is there already.", headers: ["ETag"])

    private static let submitted: JSONLiteral = [
        "required": true,
        "content": [
            "application/json": ["schema": Schemas.ref("Submit")],
            "multipart/form-data": [
                "schema": [
                    "type": "object",
                    "properties": [
                        "request": [
                            "type": "string", "contentMediaType": "application/json",
                            "contentSchema": Schemas.ref("FormSubmit"),
                        ],
                        "text": [
                            "type": "string", "pattern": #"^[^\u0000]*$"#,
                            "description": "Without `request`: a job of kind `text`. An empty one is passed over.",
                        ],
                        "file": file,
                    ],
                    "additionalProperties": file,
                ],
                "encoding": ["request": ["contentType": "application/json"]],
            ],
        ],
    ]

    private static let file: JSONLiteral = [
        "type": "string", "format": "binary", "contentMediaType": "application/octet-stream",
        "description":
            "Any field of 1 to \(PartHead.nameBytes) bytes whose part has a `filename`: a job of its own, or of the job of `request` that names the field.",
    ]

    private static func content(_ id: String, _ summary: JSONLiteral) -> Operation {
        let types = ContentKind.all.map { ($0, [:] as JSONLiteral) }
        let headers = ["ETag", "Repr-Digest", "Accept-Ranges", "Content-Disposition"]
        return Operation(
            id: id, summary: summary, description: "With the type that the bytes have, whatever was said of them.",
            parameters: [
                Parameter.header("Range", Schemas.text, "One range of bytes; of what is none the whole is answered."),
                Parameter.header("If-Range", Schemas.text, "The ETag of what the range is of."),
            ],
            answers: [
                .init(status: 200, description: "All of it.", content: types, headers: headers),
                .init(
                    status: 206, description: "The range.", content: [("*/*", [:])],
                    headers: headers + ["Content-Range"]),
            ], problems: [416])
    }

    private static func stream(_ id: String, _ summary: JSONLiteral, _ query: [JSONLiteral] = []) -> Operation {
        Operation(
            id: id, summary: summary,
            description:
                "Server-sent events (the schema is that of one), with a token or, in a browser, a ticket.",
            parameters: query + [
                Parameter.header(
                    "Last-Event-ID",
                    [
                        "type": "string",
                        // The index is below 2^32 - 1; a heartbeat has the last one, behind all events of a commit.
                        "pattern":
                            "^([1-9a-f][0-9a-f]{0,15}-(0|[1-9][0-9]{0,17})-(0|[1-9][0-9]{0,8}|[1-3][0-9]{9}|4294967294))?$",
                    ], "Goes on behind that event.")
            ],
            answers: [
                .init(
                    status: 200, description: "Events, as they happen.",
                    content: [("text/event-stream", Schemas.ref("StreamEvent"))]),
                .init(status: 204, description: "It is over, and nothing was missed."),
            ])
    }
}
