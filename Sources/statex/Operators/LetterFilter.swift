import ArgumentParser
import StatexProtocol

/// Which dead letters a command means.
struct LetterFilter: ParsableArguments {
    @Option(help: "Of this kind.") var kind: String?
    @Option(help: "Of this tenant.") var tenant: String?
    @Option(help: "That have this tag; repeatable: all of them.") var tag: [String] = []
    @Option(help: ArgumentHelp("Whose error is of this class.", valueName: "class")) var error: String?
    @Option(help: ArgumentHelp("Ended after: \(When.format).", valueName: "time")) var since: When?
    @Option(help: ArgumentHelp("Ended before.", valueName: "time")) var until: When?

    var isEmpty: Bool {
        kind == nil && tenant == nil && tag.isEmpty && error == nil && since == nil && until == nil
    }

    /// Conditions on `statex.dead_letters`; their parameters are `parameters`, from $1 on.
    static let condition = """
        ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR tenant = $2) AND ($3::text[] IS NULL OR tags @> $3)
            AND ($4::text IS NULL OR error_class = $4) AND ($5::bigint IS NULL OR ended_at >= statex.time($5))
            AND ($6::bigint IS NULL OR ended_at < statex.time($6))
        """

    var parameters: [String?] {
        [
            kind, tenant, tag.sqlArray, error, since.map { String($0.before.microseconds) },
            until.map { String($0.before.microseconds) },
        ]
    }

    /// Ids of dead letters that nobody retried or dropped: those that fit, or of them those that are named, by
    /// their own ids or by their request's; oldest first.
    /// - Parameter ids: none: all that fit.
    func letters(_ ids: [JobID], limit: Int, in lists: borrowing JournalLists) throws -> [JobID] {
        guard !ids.isEmpty else {
            return try Self.ids(
                lists.rows(
                    """
                    SELECT id FROM statex.dead_letters WHERE \(Self.condition) AND retried_as IS NULL AND NOT dropped
                    ORDER BY id LIMIT \(limit)
                    """, parameters))
        }
        var found: [JobID] = []
        for id in ids where found.count < limit {
            // A request's jobs have ids in a row: at most two pages.
            found += try Self.ids(
                lists.rows(
                    """
                    SELECT id FROM statex.dead_letters WHERE \(Self.condition) AND retried_as IS NULL AND NOT dropped
                        AND page BETWEEN $7::bigint >> 12 AND ($7::bigint >> 12) + 1 AND (id = $7 OR request = $7)
                    ORDER BY id LIMIT \(limit - found.count)
                    """, parameters + [id.description]))
        }
        return found
    }

    private static func ids(_ rows: [[String?]]) throws -> [JobID] {
        rows.compactMap { $0[0].flatMap(UInt64.init).map(JobID.init(rawValue:)) }
    }
}
