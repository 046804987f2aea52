// How everything stands, for operators and those who watch.

extension Schemas {
    static let operators: [(String, JSONLiteral)] = [
        ("Alive", answer([("alive", ["const": true])])),
        (
            "Ready",
            answer([
                ("ready", flag),
                (
                    "reasons",
                    ["type": "array", "items": answer([("part", text), ("reason", text)])]
                ),
            ])
        ),
    ]
}
