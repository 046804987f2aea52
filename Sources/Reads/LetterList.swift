import StatexProtocol

/// Which dead letters are meant.
package struct LetterFilter: Sendable, Equatable {
    package var kind: String?
    package var tenant: String?
    /// All of them.
    package var tags: [String] = []
    package var errorClass: String?
    /// Microseconds since 1970 between which they ended.
    package var since: Int64?
    package var until: Int64?

    package init() {}

    /// Conditions on `statex.dead_letters`; their parameters are `parameters`, from $1 on.
    fileprivate static let condition = """
        ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR tenant = $2) AND ($3::text[] IS NULL OR tags @> $3)
            AND ($4::text IS NULL OR error_class = $4) AND ($5::bigint IS NULL OR ended_at >= statex.time($5))
            AND ($6::bigint IS NULL OR ended_at < statex.time($6))
        """

    fileprivate func parameters(_ tenant: String?) -> [String?] {
        [kind, tenant, tags.sqlArray, errorClass, since.map(String.init), until.map(String.init)]
    }

    /// The tenant to narrow to, in one more layer of optional: nil: nothing of this is for `viewer`.
    fileprivate func narrowed(for viewer: Viewer) -> String?? {
        switch viewer.narrowed(to: tenant) {
        case .all: .some(nil)
        case .one(let tenant): .some(tenant)
        case .nothing: nil
        }
    }
}

extension JournalReader {
    /// Dead letters, newest first, from below an id on.
    /// - Parameter all: also those that were retried or dropped.
    package borrowing func deadLetters(
        _ filter: LetterFilter, all: Bool, below: UInt64, limit: Int, for viewer: Viewer
    ) throws(ReadError) -> Listing {
        guard let tenant = filter.narrowed(for: viewer) else { return Listing(letterColumns, []) }
        let rows = try self.rows(
            """
            SELECT \(letterColumns.selection) FROM statex.dead_letters WHERE \(condition(all))
            ORDER BY id DESC LIMIT $8::bigint
            """, filter.parameters(tenant) + [String(below), String(limit)])
        return Listing(letterColumns, rows, next: rows.count == limit ? rows.last?[0] : nil)
    }

    /// The newest 100,000 of them by kind, class and first line of the error.
    package borrowing func deadLetterGroups(
        _ filter: LetterFilter, all: Bool, below: UInt64, limit: Int, for viewer: Viewer
    ) throws(ReadError) -> Listing {
        guard let tenant = filter.narrowed(for: viewer) else { return Listing(groupColumns, []) }
        let rows = try self.rows(
            """
            SELECT \(groupColumns.selection)
            FROM (SELECT * FROM statex.dead_letters WHERE \(condition(all)) ORDER BY id DESC LIMIT 100000) d
            GROUP BY 1, 2, 3 ORDER BY count(*) DESC, 1, 2, 3 LIMIT $8::bigint
            """, filter.parameters(tenant) + [String(below), String(limit)])
        return Listing(groupColumns, rows)
    }

    /// Ids of dead letters that nobody retried or dropped: those that fit, or of them those that are named, by
    /// their own ids or by their request's; oldest first.
    /// - Parameter ids: none: all that fit.
    package borrowing func deadLetterIDs(
        _ filter: LetterFilter, of ids: [JobID], limit: Int, for viewer: Viewer
    ) throws(ReadError) -> [JobID] {
        guard let tenant = filter.narrowed(for: viewer) else { return [] }
        let parameters = filter.parameters(tenant)
        let wanted = "\(LetterFilter.condition) AND retried_as IS NULL AND NOT dropped"
        guard !ids.isEmpty else {
            return Self.ids(
                try rows(
                    "SELECT id FROM statex.dead_letters WHERE \(wanted) ORDER BY id LIMIT $7::bigint",
                    parameters + [String(limit)]))
        }
        var found: [JobID] = []
        for id in ids where found.count < limit {
            // A request's jobs have ids in a row: at most two pages.
            found += Self.ids(
                try rows(
                    """
                    SELECT id FROM statex.dead_letters WHERE \(wanted)
                        AND page BETWEEN $7::bigint >> 12 AND ($7::bigint >> 12) + 1 AND (id = $7 OR request = $7)
                    ORDER BY id LIMIT $8::bigint
                    """, parameters + [id.description, String(limit - found.count)]))
        }
        return found
    }

    private static func ids(_ rows: [Row]) -> [JobID] {
        rows.compactMap { $0[0].flatMap(UInt64.init).map(JobID.init(rawValue:)) }
    }

    /// The id to go on below is $7.
    private borrowing func condition(_ all: Bool) -> String {
        LetterFilter.condition + " AND page <= $7::bigint >> 12 AND id < $7::bigint"
            + (all ? "" : " AND retried_as IS NULL AND NOT dropped")
    }
}

private let letterColumns: [Column] = [
    .text("id"), .text("request"), .text("kind"), .text("tenant"), .text("state"), .time("ended_at"),
    .text("error_class"), .text("error"), .list("tags"), .text("retried_as"), .flag("dropped"),
]
private let groupColumns: [Column] = [
    .text("kind"), .text("error_class"), .text("first_line", "split_part(error, E'\\n', 1)"),
    .number("count", "count(*)"), .time("oldest", "min(ended_at)"), .time("newest", "max(ended_at)"),
    .text("example", "max(id)"),
]
