/// Which orders a list shows.
package struct AuditFilter: Sendable {
    package var action: String?
    package var who: String?
    /// Microseconds since 1970 after which they were given.
    package var since: Int64?

    package init() {}
}

extension JournalReader {
    /// What was ordered, newest first, from before a commit on. It is for those who see everything.
    package borrowing func audit(
        _ filter: AuditFilter, before: String?, limit: Int, for viewer: Viewer
    ) throws(ReadError) -> Listing {
        guard viewer == .everything else { return Listing(auditColumns, []) }
        let rows = try self.rows(
            """
            SELECT \(auditColumns.selection) FROM statex.actions
            WHERE ($1::text IS NULL OR action = $1) AND ($2::text IS NULL OR who = $2)
                AND ($3::bigint IS NULL OR at >= $3) AND ($4::bigint IS NULL OR batch < $4)
            ORDER BY batch DESC LIMIT $5::bigint
            """, [filter.action, filter.who, filter.since.map(String.init), before, String(limit)])
        return Listing(auditColumns, rows, next: rows.count == limit ? rows.last?[0] : nil)
    }
}

// Ids are the texts that JSON has everywhere; a long list is cut, the table has it whole.
private let auditColumns: [Column] = [
    .text("batch"), .time("at", "statex.time(at)"), .text("action"), .text("who"), .json("filter"), .text("note"),
    .number("reached"), .json("ids", "array_to_json(ids[1:100]::text[])"),
]
