/// Which orders a list shows.
package struct AuditFilter: Sendable {
    package var action: String?
    package var who: String?
    /// Microseconds since 1970 after which they were given.
    package var since: Int64?

    package init() {}
}

/// Where a list of orders goes on: a commit may hold more of them than a list shows.
package struct AuditCursor: Sendable, CustomStringConvertible {
    private let batch: Int64
    /// Of the commit's orders, the newest, which were shown; nil: all.
    private let shown: Int?

    /// - Parameter text: `4711`: before that commit; `4711.35`: in it, after its newest 35.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let batch = parts.first.flatMap({ Int64($0) }), batch >= 0 else { return nil }
        self.batch = batch
        guard parts.count == 2 else {
            shown = nil
            return
        }
        guard let shown = Int32(parts[1]), shown >= 0 else { return nil }
        self.shown = Int(shown)
    }

    /// Behind the last of these rows, of which the first follows `start`.
    fileprivate init?(behind rows: some BidirectionalCollection<JournalReader.Row>, from start: Self?) {
        guard let last = rows.last?.first, let batch = last.flatMap({ Int64($0) }) else { return nil }
        let before = start?.batch == batch ? start?.shown ?? 0 : 0
        self.batch = batch
        shown = before + rows.reversed().prefix { $0.first == last }.count
    }

    package var description: String { "\(batch)" + (shown.map { ".\($0)" } ?? "") }

    /// The commit from which on rows are read, and how many of those are left out.
    fileprivate var parameters: (batch: Int64, skip: Int) { shown.map { (batch, $0) } ?? (batch - 1, 0) }
}

extension JournalReader {
    /// What was ordered, newest first. It is for those who see everything.
    package borrowing func audit(
        _ filter: AuditFilter, from start: AuditCursor?, limit: Int, for viewer: Viewer
    ) throws(ReadError) -> Listing {
        guard viewer == .everything else { return Listing(auditColumns, []) }
        // Orders of one commit stand in the table in their order, for nothing in it is ever changed. One row more
        // says whether there is more.
        let rows = try self.rows(
            """
            SELECT \(auditColumns.selection) FROM statex.actions
            WHERE ($1::text IS NULL OR action = $1) AND ($2::text IS NULL OR who = $2)
                AND ($3::bigint IS NULL OR at >= $3) AND ($4::bigint IS NULL OR batch <= $4)
            ORDER BY batch DESC, ctid DESC OFFSET $5::bigint LIMIT $6::bigint
            """,
            [
                filter.action, filter.who, filter.since.map(String.init), (start?.parameters.batch).map(String.init),
                String(start?.parameters.skip ?? 0), String(limit + 1),
            ])
        let shown = rows.prefix(limit)
        let next = rows.count > limit ? AuditCursor(behind: shown, from: start) : nil
        return Listing(auditColumns, Array(shown), next: next?.description)
    }
}

// Ids are the texts that JSON has everywhere; a long list is cut, the table has it whole.
private let auditColumns: [Column] = [
    .text("batch"), .time("at", "statex.time(at)"), .text("action"), .text("who"), .json("filter"), .text("note"),
    .number("reached"), .json("ids", "array_to_json(ids[1:100]::text[])"),
]
