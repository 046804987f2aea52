import StatexPostgres

/// Whether every acknowledged job has its row, and exactly one final outcome.
package struct JournalCount: Sendable, Equatable {
    package var missing = 0
    package var doubled = 0

    /// - Parameters:
    ///   - jobs: how many were acknowledged.
    ///   - first: only jobs from this id on are looked at.
    package init(of jobs: Int, from first: Int64 = 0, _ url: String) throws(PostgresError) {
        let connection = try Connection(url, name: "statex bench")
        let rows = try connection.query(
            """
            WITH finals AS (
                SELECT job, count(*) AS n FROM statex.outcomes WHERE final AND page >= \(first >> 12) AND job >= \(first)
                GROUP BY job
            ), jobs AS (SELECT id FROM statex.jobs WHERE id >= \(first))
            SELECT count(j.id), count(j.id) FILTER (WHERE f.n IS NULL), count(*) FILTER (WHERE f.n > 1 OR j.id IS NULL)
            FROM jobs j FULL JOIN finals f ON f.job = j.id
            """, doing: "count")
        missing = jobs - Int(rows.integer(0, 0)) + Int(rows.integer(0, 1))
        doubled = Int(rows.integer(0, 2))
    }

    /// The id that the next job gets, or a lower one that none has.
    static func nextID(_ url: String) throws(PostgresError) -> Int64 {
        let connection = try Connection(url, name: "statex bench")
        let rows = try connection.query("SELECT coalesce(max(id) + 1, 0) FROM statex.jobs", doing: "next id")
        return rows.integer(0, 0)
    }
}
