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

    /// Conditions on `statex.dead_letters`; the tenant or null is the parameter of this number, and behind it come
    /// `parameters`.
    fileprivate static func condition(from tenant: Int) -> String {
        let (kind, tags, errorClass, since, until) = (tenant + 1, tenant + 2, tenant + 3, tenant + 4, tenant + 5)
        return """
            ($\(tenant)::text IS NULL OR tenant = $\(tenant)) AND ($\(kind)::text IS NULL OR kind = $\(kind))
                AND ($\(tags)::text[] IS NULL OR tags @> $\(tags))
                AND ($\(errorClass)::text IS NULL OR error_class = $\(errorClass))
                AND ($\(since)::bigint IS NULL OR ended_at >= statex.time($\(since)))
                AND ($\(until)::bigint IS NULL OR ended_at < statex.time($\(until)))
            """
    }

    fileprivate var parameters: [String?] {
        [kind, tags.sqlArray, errorClass, since.map(String.init), until.map(String.init)]
    }

    fileprivate static let untouched = "retried_as IS NULL AND NOT dropped"
}

extension JournalReader {
    /// Dead letters, newest first.
    /// - Parameter all: also those that were retried or dropped.
    package borrowing func deadLetters(
        _ filter: LetterFilter, all: Bool, _ walk: Walk, for viewer: Viewer
    ) throws(ReadError) -> Listing {
        try self.walk(walk, Self.letters(letterColumns, filter, all: all), tenant: filter.tenant, for: viewer)
    }

    /// Dead letters by kind, class and first line of the error, the largest groups first: of so many of the newest as
    /// the walk comes by.
    /// - Parameter limit: groups that are shown.
    package borrowing func deadLetterGroups(
        _ filter: LetterFilter, all: Bool, limit: Int, _ walk: Walk, for viewer: Viewer
    ) throws(ReadError) -> Listing {
        let letters = try self.walk(
            walk, Self.letters(LetterGroups.letterColumns, filter, all: all), tenant: filter.tenant, for: viewer)
        return Listing(LetterGroups.columns, LetterGroups(letters.rows).rows(limit), next: letters.next)
    }

    private static func letters(_ columns: [Column], _ filter: LetterFilter, all: Bool) -> PageQuery {
        PageQuery(
            columns: columns,
            // Pages without one are jumped over, along an index.
            newest: """
                WITH newest AS (SELECT max(page) AS page FROM statex.outcome_chunks
                    WHERE not_succeeded > 0 AND page <= ($1::bigint - 1) >> 12 AND page >= $2::bigint >> 12)
                SELECT least(n.page << 12 | 4095, $1::bigint - 1), n.page << 12 | 4095 FROM newest n
                """,
            rows: """
                SELECT \(columns.selection) FROM statex.dead_letters
                WHERE page = $1::bigint >> 12 AND id BETWEEN $1::bigint AND least($2::bigint, $3::bigint)
                    AND \(all ? "true" : LetterFilter.untouched) AND \(LetterFilter.condition(from: 5))
                ORDER BY \(byID) DESC LIMIT $4::bigint
                """,
            // They ended after they were submitted, however long after.
            filter: filter.parameters, since: nil, until: filter.until)
    }

    /// Ids of dead letters that fit and that nobody retried or dropped, oldest first, as far as the search comes.
    package borrowing func deadLetterIDs(
        _ filter: LetterFilter, _ search: LetterSearch, for viewer: Viewer
    ) throws(ReadError) -> FoundLetters {
        guard let parameters = Self.parameters(of: filter, for: viewer) else { return FoundLetters() }
        var found = FoundLetters()
        var after = search.after
        let deadline = ContinuousClock.now + search.patience
        // Page by page, as lists walk: one statement over all of them takes as long as the history is. Whether a letter
        // was retried or dropped costs most, and is looked up (behind OFFSET) for those alone that fit.
        while found.ids.count < search.limit {
            guard found.next == nil || ContinuousClock.now < deadline else { return found }
            let first = (after + 1) >> JobID.pageBits
            guard let page = try firstPage(from: String(first), endedBefore: filter.until) else {
                found.next = nil
                return found
            }
            let ids = Self.ids(
                try rows(
                    """
                    SELECT id FROM (
                        SELECT id, retried_as, dropped FROM statex.dead_letters
                        WHERE page = $7::bigint AND id > $8::bigint AND \(LetterFilter.condition(from: 1)) OFFSET 0
                    ) AS letters WHERE \(LetterFilter.untouched) ORDER BY id LIMIT $9::bigint
                    """, parameters + [String(page), String(after), String(search.limit - found.ids.count)]))
            found.ids += ids
            let last = page << JobID.pageBits | (1 << JobID.pageBits - 1)
            after = found.ids.count < search.limit ? last : ids.last?.rawValue ?? last
            found.next = JobID(rawValue: after)
        }
        return found
    }

    /// Of the dead letters that fit and that nobody retried or dropped those that are named, by their own ids or by their
    /// request's.
    package borrowing func deadLetterIDs(
        _ filter: LetterFilter, of ids: [JobID], limit: Int, for viewer: Viewer
    ) throws(ReadError) -> [JobID] {
        guard let parameters = Self.parameters(of: filter, for: viewer) else { return [] }
        var found: [JobID] = []
        for id in ids where found.count < limit {
            // A request's jobs have ids in a row: at most two pages.
            found += Self.ids(
                try rows(
                    """
                    SELECT id FROM statex.dead_letters
                    WHERE \(LetterFilter.condition(from: 1)) AND \(LetterFilter.untouched)
                        AND page BETWEEN $7::bigint >> 12 AND ($7::bigint >> 12) + 1 AND (id = $7 OR request = $7)
                    ORDER BY \(byID) LIMIT $8::bigint
                    """, parameters + [id.description, String(limit - found.count)]))
        }
        return found
    }

    /// Of `LetterFilter.condition`, the tenant first; nil: what was asked for is others'.
    private static func parameters(of filter: LetterFilter, for viewer: Viewer) -> [String?]? {
        switch viewer.narrowed(to: filter.tenant) {
        case .nothing: nil
        case .one(let tenant): [tenant] + filter.parameters
        case .all: [nil] + filter.parameters
        }
    }

    /// The first page, from one on, in which something did not succeed.
    private borrowing func firstPage(from page: String, endedBefore time: Int64?) throws(ReadError) -> UInt64? {
        // It ended after it was submitted.
        let last = JobID.highest(submittedBefore: time) >> JobID.pageBits
        let found = try rows(
            """
            SELECT min(page) FROM statex.outcome_chunks
            WHERE not_succeeded > 0 AND page >= $1::bigint AND page <= $2::bigint
            """, [page, String(last)])
        return found.first?[0].flatMap(UInt64.init)
    }

    private static func ids(_ rows: [Row]) -> [JobID] {
        rows.compactMap { $0[0].flatMap(UInt64.init).map(JobID.init(rawValue:)) }
    }
}

/// An order that no index has. By an index of jobs a look that wants few letters would go through all jobs from the history's
/// beginning, each against all letters of the page: 25 s instead of 0.2 s with 200,000 letters.
private let byID = "id + 0"

private let letterColumns: [Column] = [
    .text("id"), .text("request"), .text("kind"), .text("tenant"), .text("state"), .time("ended_at"),
    .text("error_class"), .text("error"), .list("tags"), .text("retried_as"), .flag("dropped"),
]
