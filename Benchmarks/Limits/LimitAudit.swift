import StatexPostgres

/// What the journal says of how a kind's limits were held: its leases, and nothing that the scheduler counted.
package struct LimitAudit: Sendable, Equatable {
    package var leases = 0
    /// Attempts whose worker went.
    package var lost = 0
    /// Live leases after the commit that left most of them.
    package var mostRunning = 0
    /// In the second that has most: leases by when they were committed, and attempts by when they began (of a lost
    /// one: when it was leased).
    package var mostLeased = 0
    package var mostStarted = 0

    package init() {}

    package init(ofKind kind: String, _ url: String) throws(PostgresError) {
        let connection = try Connection(url, name: "statex bench")
        try connection.run(Self.lives(kind), doing: "read leases")
        mostRunning = Int(
            try connection.query(
                """
                WITH changes AS (
                    SELECT batch, 1 AS change FROM lives UNION ALL SELECT over, -1 FROM lives WHERE over IS NOT NULL
                ), after AS (SELECT sum(sum(change)) OVER (ORDER BY batch) AS live FROM changes GROUP BY batch)
                SELECT coalesce(max(live), 0) FROM after
                """, doing: "count live leases"
            ).integer(0, 0))
        // What came back unstarted was no start: its worker never had it, or gave it away.
        let rows = try connection.query(
            "SELECT ending, leased_us, started_us FROM lives WHERE ending IS DISTINCT FROM 'returned'",
            doing: "read starts")
        leases = rows.rows
        lost = (0..<rows.rows).count { rows.text($0, 0) == "lost" }
        let second: Int64 = 1_000_000
        mostLeased = Self.most((0..<rows.rows).map { rows.integer($0, 1) }, in: second)
        mostStarted = Self.most((0..<rows.rows).map { rows.integer($0, 2) }, in: second)
    }

    /// Every lease of the kind, with the commit that ended it.
    private static func lives(_ kind: String) -> String {
        """
        CREATE TEMPORARY TABLE lives AS
        SELECT l.batch, min(o.batch) AS over, min(o.ending) AS ending,
            (extract(epoch FROM l.leased_at) * 1000000)::bigint AS leased_us,
            (extract(epoch FROM coalesce(min(o.started_at) FILTER (WHERE o.ending IN ('succeeded', 'failed')), l.leased_at))
                * 1000000)::bigint AS started_us
        FROM statex.leases l
        JOIN statex.jobs j ON j.id = l.job
        JOIN statex.names n ON n.number = j.kind AND n.name = '\(kind)'
        LEFT JOIN statex.outcomes o ON o.page = l.page AND o.job = l.job AND o.token = l.token
        GROUP BY l.job, l.token, l.batch, l.leased_at
        """
    }

    /// How many of these moments lie in one span of so long at most, both ends included.
    package static func most(_ moments: [Int64], in span: Int64) -> Int {
        let moments = moments.sorted()
        var most = 0
        var first = 0
        for (index, moment) in moments.enumerated() {
            while moment - moments[first] > span { first += 1 }
            most = max(most, index - first + 1)
        }
        return most
    }
}
