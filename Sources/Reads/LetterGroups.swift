/// Dead letters that failed in the same way.
struct LetterGroups {
    private struct Key: Hashable {
        let kind: String?
        let errorClass: String?
        let firstLine: String?

        var words: [String] { [kind ?? "", errorClass ?? "", firstLine ?? ""] }
    }

    private struct Group {
        var count = 0
        var oldest: String?
        var newest: String?
        /// The newest of them.
        var example: String?

        /// (Times are texts of one form, which are ordered as they are.)
        mutating func add(_ id: String?, _ endedAt: String?) {
            count += 1
            example = example ?? id
            guard let endedAt else { return }
            oldest = min(oldest ?? endedAt, endedAt)
            newest = max(newest ?? endedAt, endedAt)
        }
    }

    /// What groups are made of. A line may be as long as an error: its beginning tells them apart, and thousands fit in
    /// memory.
    static let letterColumns: [Column] = [
        .text("id"), .text("kind"), .text("error_class"),
        .text("first_line", "left(split_part(error, E'\\n', 1), 500)"), .time("ended_at"),
    ]

    static let columns: [Column] = [
        .text("kind"), .text("error_class"), .text("first_line"), .number("count"), .text("oldest"), .text("newest"),
        .text("example"),
    ]

    private var groups: [Key: Group] = [:]

    /// - Parameter letters: rows of `letterColumns`, newest first.
    init(_ letters: [JournalReader.Row]) {
        for row in letters {
            groups[Key(kind: row[1], errorClass: row[2], firstLine: row[3]), default: Group()].add(row[0], row[4])
        }
    }

    /// Rows of `columns`, the largest groups first.
    func rows(_ limit: Int) -> [JournalReader.Row] {
        let sorted = groups.sorted { left, right in
            left.value.count != right.value.count
                ? left.value.count > right.value.count : left.key.words.lexicographicallyPrecedes(right.key.words)
        }
        return sorted.prefix(limit).map { key, group in
            [
                key.kind, key.errorClass, key.firstLine, String(group.count), group.oldest, group.newest, group.example,
            ]
        }
    }
}
