import StatexProtocol

// How everything stands, and what operators order.

extension Schemas {
    static let operators: [(String, JSONLiteral)] =
        [
            ("Alive", answer([("alive", ["const": true])])),
            (
                "Ready",
                answer([
                    ("ready", flag),
                    ("reasons", ["type": "array", "items": answer([("part", text), ("reason", text)])]),
                ])
            ),
        ] + standing + letters + [("Order", order), ("Ordered", ordered)]

    private static func array(_ members: [(String, JSONLiteral)], optional: Set<String> = []) -> JSONLiteral {
        ["type": "array", "items": answer(members, optional: optional)]
    }

    // MARK: How it stands

    private static let standing: [(String, JSONLiteral)] = [
        (
            "Status",
            answer(
                [
                    ("epoch", count), ("uptime_seconds", count),
                    (
                        "journal",
                        answer(
                            [("state", ["enum": ["up", "down"]]), ("reason", text), ("commit_ms", seconds)],
                            optional: ["reason"])
                    ),
                    ("paused", array([("what", text), ("by", text)], optional: ["by"])),
                    ("open_jobs", count), ("delayed_jobs", count), ("blocked_jobs", count), ("clients", count),
                    ("events", ["type": "object"]),
                    ("counts", ["type": "object", "additionalProperties": count]),
                ], optional: ["open_jobs", "delayed_jobs", "blocked_jobs", "clients", "events", "counts"])
        ),
        (
            "Queues",
            answer([
                (
                    "queues",
                    array(
                        [
                            ("kind", text), ("queued", count), ("delayed", count), ("blocked", count),
                            ("leased", count), ("held_retries", count), ("backlog_seconds", seconds),
                            ("oldest_seconds", seconds),
                            ("circuit", ["enum": ["closed", "open", "due", "probing"]]), ("paused", flag),
                            ("paused_by", textOrNull),
                        ], optional: ["held_retries", "backlog_seconds", "oldest_seconds", "circuit", "paused_by"])
                ),
                ("complete", flag.adding([("description", "Of a tenant's jobs the newest are counted.")])),
            ])
        ),
        (
            "Scale",
            answer([
                ("desired", count), ("backlog", count), ("backlog_seconds", seconds), ("oldest_seconds", seconds),
                ("running", count), ("slots", count),
            ])
        ),
        ("Workers", answer([("workers", ["type": "array", "items": worker])])),
        (
            "Schedules",
            answer([
                (
                    "schedules",
                    array([
                        ("name", text), ("cron", text), ("time_zone", text), ("kind", text), ("tenant", text),
                        ("next_at", orNull("Time")), ("last_at", orNull("Time")), ("last_job", orNull("ID")),
                        ("last_open", flag),
                    ])
                )
            ])
        ),
    ]

    /// As the scheduler says it, which may say more.
    private static let worker: JSONLiteral = [
        "type": "object",
        "properties": [
            "name": text, "incarnation": text, "connected": flag, "draining": flag, "slots": count,
            "credit": ["type": "integer"], "leases": count, "succeeded": count, "failed": count,
            "labels": ["type": "array", "items": text],
        ],
        "required": ["name", "incarnation", "connected", "draining", "slots", "leases", "labels", "kinds"],
    ]

    // MARK: Dead letters

    private static let letters: [(String, JSONLiteral)] = [
        (
            "Letter",
            answer([
                ("id", ref("ID")), ("request", ref("ID")), ("kind", text), ("tenant", text),
                ("state", names([JobState.failed, .dead], \.name)), ("ended_at", orNull("Time")),
                ("error_class", textOrNull), ("error", textOrNull),
                ("tags", ["type": ["array", "null"], "items": text]),
                ("retried_as", orNull("ID")), ("dropped", flag),
            ])
        ),
        (
            "LetterGroup",
            answer([
                ("kind", text), ("error_class", textOrNull), ("first_line", textOrNull), ("count", count),
                ("oldest", orNull("Time")), ("newest", orNull("Time")), ("example", ref("ID")),
            ])
        ),
        ("Letters", ["anyOf": [page("letters", of: "Letter"), page("groups", of: "LetterGroup")]]),
        ("LetterOrder", letterOrder),
        (
            "LettersOrdered",
            answer([
                ("matched", count.adding([("description", "As far as they were looked for: see `next`.")])),
                ("reached", count), ("dry_run", flag),
                ("done", flag.adding([("description", "false: it goes on.")])), ("message", textOrNull),
                (
                    "next",
                    orNull("ID").adding([
                        (
                            "description",
                            "The `cursor` of an order that goes on from where this one stopped looking; null: all were looked at."
                        )
                    ])
                ),
            ])
        ),
        (
            "Retried",
            answer([("id", ref("ID")), ("matched", count), ("retried_as", orNull("ID"))])
        ),
    ]

    private static let letterFilter: [(String, JSONLiteral)] = [
        ("kind", word(Limits.nameBytes)), ("tenant", word(Limits.nameBytes)), ("error_class", word(Int(UInt8.max))),
        ("tags", words(JobOptions.tags, JobOptions.tagBytes)), ("since", ref("Time")), ("until", ref("Time")),
    ]

    private static let letterOrder = body(
        letterFilter + [
            ("all", flag.adding([("description", "true: an order without a filter, which reaches all of them.")])),
            (
                "cursor",
                ref("ID").adding([
                    ("description", "Behind which to go on: the `next` of the order before, with the same filter.")
                ])
            ),
            ("dry_run", flag),
            (
                "per_second",
                [
                    "type": "number", "minimum": .number(LetterBody.rates.lowerBound),
                    "maximum": .number(LetterBody.rates.upperBound),
                ]
            ),
            ("note", word(Limits.noteBytes)),
        ], required: []
    ).adding([
        // It may be `all`, or have a filter.
        ("anyOf", .list([["required": ["all"], "properties": ["all": ["const": true]]]] + letterFilter.map(has)))
    ])

    private static func has(_ filter: (String, JSONLiteral)) -> JSONLiteral {
        let has: JSONLiteral = ["required": [.text(filter.0)]]
        return filter.0 == "tags" ? has.adding([("properties", ["tags": ["minItems": 1]])]) : has
    }

    // MARK: Orders

    private static let order = body(
        [
            ("kind", ref("Kind")), ("tenant", word(Limits.nameBytes)), ("all", ["type": "boolean"]),
            ("note", word(Limits.noteBytes)),
        ], required: []
    ).adding([
        (
            "oneOf",
            [
                ["required": ["kind"]], ["required": ["tenant"]],
                ["required": ["all"], "properties": ["all": ["const": true]]],
            ]
        ),
        ("description", "One of kind, tenant and all."),
    ])

    private static let ordered = answer([("matched", count), ("message", textOrNull)])
}
