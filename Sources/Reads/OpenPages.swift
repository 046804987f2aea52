// Open jobs lie in few pages, however long the history is: which pages hold none any more stands in the chain of commits
// (`pages_closed`), and a list of open jobs jumps over them.

enum OpenPages {
    /// Closed pages that one look passes: some 30 ms. Then it goes on from there, as a list does.
    private static let mostPassed = 2_000

    /// Selects the newest job id from $2 on and below $1 whose page may hold open jobs, or the last one that it came by.
    /// - Parameter spill: whether what belongs to a job of a page may lie in the next one: then that counts too.
    static func newest(spill: Bool = false) -> String {
        let next =
            spill
            ? """
            AND ((l.id >> 12) + 1 IN (SELECT page FROM closed) OR NOT EXISTS (SELECT FROM statex.jobs j
                WHERE j.id >= ((l.id >> 12) + 1) << 12 AND j.id < ((l.id >> 12) + 2) << 12))
            """ : ""
        return """
            WITH RECURSIVE closed AS MATERIALIZED (
                SELECT unnest(pages_closed) AS page FROM statex.commits WHERE pages_closed IS NOT NULL
            ), looked AS (
                SELECT (SELECT max(j.id) FROM statex.jobs j WHERE j.id < $1::bigint AND j.id >= $2::bigint) AS id, 1 AS step
                UNION ALL
                SELECT (SELECT max(j.id) FROM statex.jobs j WHERE j.id < l.id >> 12 << 12 AND j.id >= $2::bigint), l.step + 1
                FROM looked l
                WHERE l.step < \(mostPassed) AND l.id >> 12 IN (SELECT page FROM closed) \(next)
            )
            SELECT id FROM looked ORDER BY step DESC LIMIT 1
            """
    }
}
