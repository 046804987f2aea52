import StatexPostgres

/// Keeps partitions ready ahead of the rows that need them.
package enum Partitions {
    /// Days beyond today: a maintenance that fails for a day stops nothing.
    static let daysAhead = 2
    /// Prepares the next range of commits this many commits before it is needed.
    static let commitsAhead: UInt64 = 2_000_000

    /// A partition holds 2^24 commits.
    static let commitRangeBits: UInt64 = 24

    /// Makes what is missing for a time (microseconds since 1970) and a batch number.
    ///
    /// Each partition is a transaction of its own, so that a lock is held for one only.
    package static func prepare(
        on connection: borrowing Connection, at time: Int64, hour: UInt64, batch: UInt64
    ) throws(PostgresError) {
        let today = Int(max(time, 0) / 86_400_000_000)
        // The clock may have stepped back behind the chain's hour.
        let chainDay = Int(hour / 24)
        let start = max(today, chainDay)
        // Keys go by the clock, wherever the ids are.
        if today < start { try call("SELECT statex.add_day(\(today))", on: connection) }
        for day in start...start + daysAhead { try call("SELECT statex.add_day(\(day))", on: connection) }
        for range in batch >> commitRangeBits...(batch + commitsAhead) >> commitRangeBits {
            try call("SELECT statex.add_commit_range(\(range))", on: connection)
        }
    }

    private static func call(_ sql: String, on connection: borrowing Connection) throws(PostgresError) {
        try connection.run(sql, doing: "partitions")
    }
}
