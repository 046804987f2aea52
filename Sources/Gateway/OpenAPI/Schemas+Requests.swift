import StatexProtocol
import StatexWebhooks

// What is submitted, and what requests and jobs look like.

extension Schemas {
    static let requests: [(String, JSONLiteral)] = [
        ("Submit", submit(of: "Job")), ("Job", job([])),
        ("FormSubmit", submit(of: "FormJob")), ("FormJob", job([file])),
        (
            "Receipt",
            answer([
                ("id", ref("ID")), ("tenant", text), ("job_ids", list("ID")),
                ("repeated", flag.adding([("description", "It was submitted before, under the same key.")])),
                ("duplicate", flag.adding([("description", "Another one stands in its place (`unique`).")])),
            ])
        ),
        ("Request", answer(request + [("jobs", list("JobSeen"))])),
        (
            "Matched",
            answer([
                ("id", ref("ID")),
                ("matched", count.adding([("description", "Open jobs that were reached.")])),
            ])
        ),
    ]

    /// What lists of requests say of one too.
    static let request: [(String, JSONLiteral)] = [
        ("id", ref("ID")), ("tenant", text), ("state", ref("RequestState")), ("created_at", orNull("Time")),
        ("ended_at", orNull("Time")),
    ]

    private static func submit(of job: String) -> JSONLiteral {
        body(submitMembers(job), required: ["jobs"]).adding([
            (
                "examples",
                [
                    [
                        "jobs": [
                            ["kind": "text", "payload": "Hello"], ["kind": "text", "payload": "World", "after": [0]],
                        ]
                    ]
                ]
            )
        ])
    }

    private static func submitMembers(_ job: String) -> [(String, JSONLiteral)] {
        [
            (
                "jobs",
                [
                    "type": "array", "items": ref(job), "minItems": 1, "maxItems": .int(Limits.jobsInRequest),
                ]
            ),
            (
                "tenant",
                word(Limits.nameBytes).adding([
                    ("description", "That of the token, or left out; for a token without one `default`.")
                ])
            ),
            (
                "on_dependency_failure",
                [
                    "type": "string", "enum": ["cancel", "fail"], "default": "cancel",
                    "description": "What becomes of a job when one that it waits for did not succeed.",
                ]
            ),
            (
                "unique",
                body(
                    [
                        ("key", word(Limits.userKeyBytes)),
                        (
                            "seconds",
                            whole(1...Int(Limits.uniqueSeconds)).adding([
                                ("description", "For so long; left out: while the earlier one is not finished.")
                            ])
                        ),
                    ], required: ["key"]
                ).adding([("description", "It is not taken while or after another one of this key.")])
            ),
            (
                "webhook",
                word(WebhookURL.bytes).adding([
                    (
                        "description",
                        "A URL that is sent a signed message when the request ends; of tenants that an operator gave a secret."
                    )
                ])
            ),
        ]
    }

    private static let earlier: JSONLiteral = [
        "type": "array", "uniqueItems": true, "items": whole(0...Limits.jobsInRequest - 2),
        "description": "Indices of jobs that stand before this one in the request.",
    ]

    private static func bytes(_ description: JSONLiteral) -> JSONLiteral {
        ["type": "string", "pattern": #"^[^\u0000]*$"#, "description": description]
    }

    /// Where `one` stands, the others must not.
    private static func alone(_ one: String, _ others: [String]) -> (String, JSONLiteral) {
        (one, ["properties": .object(others.map { ($0, false) })])
    }

    private static let file = (
        "file", word(PartHead.nameBytes).adding([("description", "The field of the form that has the payload.")])
    )

    private static func job(_ more: [(String, JSONLiteral)]) -> JSONLiteral {
        let given = ["payload", "payload_base64"] + more.map(\.0)
        return body(jobToDo + more, required: ["kind"]).adding([
            (
                "dependentSchemas",
                .object(
                    given.map { name in alone(name, given.filter { $0 != name }) } + [
                        alone("run_at", ["delay_seconds"])
                    ])
            )
        ])
    }

    private static let jobToDo: [(String, JSONLiteral)] =
        [
            ("kind", ref("Kind")),
            ("payload", bytes("A text; more than \(Limits.inlineBytes) bytes become an object.")),
            (
                "payload_base64",
                [
                    "type": "string", "contentEncoding": "base64",
                    "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
                ]
            ),
            (
                "priority",
                whole(0...Limits.priorities - 1).adding([
                    ("default", .int(Limits.defaultPriority)), ("description", "0 is first."),
                ])
            ),
            ("attempts", whole(1...Limits.attempts)), ("run_at", ref("Time")),
            ("delay_seconds", ["type": "number", "minimum": 0, "maximum": .int(JobBody.longestDelay)]),
            (
                "deadline",
                ref("Time").adding([("description", "After it the job has expired.")])
            ),
            (
                "run_limit_seconds",
                [
                    "type": "number", "minimum": .number(JobBody.runLimits.lowerBound),
                    "maximum": .number(JobBody.runLimits.upperBound),
                ]
            ),
            ("tags", words(JobOptions.tags, JobOptions.tagBytes)),
            ("labels", words(Limits.labels, Limits.labelBytes)), ("affinity", word(Limits.affinityBytes)),
            ("after", earlier),
            ("inputs", earlier.adding([("maxItems", .int(Limits.inputs))])),
            (
                "traceparent",
                [
                    "type": "string",
                    "pattern": "^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$",
                    "description": "As W3C Trace Context has it.",
                ]
            ),
        ]

    // MARK: Jobs that are looked at

    static let jobs: [(String, JSONLiteral)] = [
        ("JobSeen", answer(jobMembers)),
        (
            "JobExplained",
            answer(
                jobMembers + [
                    ("attempts", list("Attempt"))
                ])
        ),
        ("Jobs", page("jobs", of: "JobSeen")), ("Requests", page("requests", of: "RequestSeen")),
        (
            "RequestSeen",
            answer(
                request + [
                    ("jobs", ["type": "integer", "minimum": 1]),
                    ("kinds", ["type": "array", "items": text, "description": "Of its jobs."]),
                ])
        ),
        (
            "Attempt",
            answer([
                ("attempt", count), ("worker", textOrNull), ("leased_at", orNull("Time")),
                ("started_at", orNull("Time")), ("ended_at", orNull("Time")),
                ("ending", ["anyOf": [names(Ending.allCases, \.name), ["type": "null"]]]),
                ("retry_at", orNull("Time")), ("error_class", textOrNull), ("error", textOrNull),
            ])
        ),
        (
            "StreamEvent",
            answer(
                [
                    ("event", ["type": "string", "examples": ["job.succeeded", "job.output", "sampled"]]),
                    ("data", ["type": "string", "contentMediaType": "application/json"]),
                    (
                        "id",
                        ["type": "string", "pattern": "^[0-9a-f]+-[0-9]+-[0-9]+$", "description": "For Last-Event-ID."]
                    ),
                    ("retry", count),
                ], optional: ["event", "data", "id", "retry"])
        ),
        (
            "Ticket",
            answer([
                ("ticket", ["type": "string", "pattern": "^[A-Za-z0-9._-]+$"]),
                ("expires_seconds", ["type": "integer", "minimum": 1]),
            ])
        ),
    ]

    private static let jobMembers: [(String, JSONLiteral)] = [
        ("id", ref("ID")), ("request", ref("ID")), ("index", count),
        ("request_jobs", ["type": "integer", "minimum": 1]), ("after", ["type": "array", "items": count]),
        ("kind", text), ("tenant", text), ("state", ref("JobState")), ("priority", whole(0...Limits.priorities - 1)),
        ("attempts_begun", count), ("attempts_allowed", count), ("created_at", ref("Time")),
        ("run_at", orNull("Time")), ("deadline", orNull("Time")), ("leased_at", orNull("Time")),
        ("started_at", orNull("Time")), ("ended_at", orNull("Time")), ("retry_at", orNull("Time")),
        ("worker", textOrNull), ("tags", ["type": "array", "items": text]),
        ("labels", ["type": "array", "items": text]), ("traceparent", textOrNull), ("retry_of", orNull("ID")),
        ("retried_as", orNull("ID")),
        ("error_class", textOrNull), ("error", textOrNull),
        (
            "waiting_reason",
            ["type": ["string", "null"], "pattern": "^[a-z_]+$", "description": "Why it waits, for programs."]
        ),
        ("waiting_because", textOrNull.adding([("description", "And for people.")])),
    ]
}
