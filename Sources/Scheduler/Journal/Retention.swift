import CLinux
import Glibc
import StatexPostgres
import StatexProtocol

/// One round of retention: finished history leaves by whole partitions, jobs that are still wanted stay.
///
/// A day is due when it ended before what is kept. Jobs of due days that are open, or ended after that, are
/// copied into new *carried* partitions together with those that were carried before; then one short
/// transaction exchanges old for new. Every row has a place at every moment, so a commit never finds its
/// partition gone; that is also why the partitions cannot be detached concurrently, one by one.
///
/// - Copying takes no lock that a commit would wait for, however long it lasts.
/// - The exchange waits 200 ms at most for the commit under way, and takes the other locks only if nobody
///   has them: else it lets go and tries again later. What commits wrote since the copy is added in it.
/// - A round that ends anywhere (a crash, a kill) has either exchanged everything or nothing. What it
///   leaves, tables that belong to no parent, is swept by the next.
package struct Retention: ~Copyable {
    let connection: Connection
    private let shard: UInt8
    private let keeps: Int64

    /// - Parameter days: how long the history of a job stays after its end.
    package init(url: String, shard: UInt8 = 0, days: Int) throws(PostgresError) {
        let opened = try Session.open(url, name: "statex retention")
        try Session.requireDurableCommits(opened)
        // A long copy notices that its scheduler is gone.
        try opened.run("SET client_connection_check_interval = '5s'", doing: "session settings")
        connection = opened
        self.shard = shard
        keeps = Int64(days) * microsecondsADay
    }

    /// - Parameter now: microseconds since 1970; nil: by this machine's clock or the database's, whichever is
    ///   behind, so that no clock that leaps ahead throws history away.
    /// - Returns: what left; nil: nothing is due, or another process is at it.
    package func run(now: Int64? = nil) throws(PostgresError) -> RetiredHistory? {
        let lock = try connection.query(
            "SELECT pg_try_advisory_lock(\(JournalSettings.retentionLockClass), \(shard))", doing: "retention lock")
        guard lock.text(0, 0) == "t" else { return nil }
        let gone = try round(at: now)
        // After an error the end of the connection lets it go.
        try connection.run(
            "SELECT pg_advisory_unlock(\(JournalSettings.retentionLockClass), \(shard))", doing: "retention lock")
        return gone
    }

    private func round(at now: Int64?) throws(PostgresError) -> RetiredHistory? {
        try sweep()
        let now = if let now { now } else { try soberNow() }
        guard let due = try due(at: now) else { return nil }
        let copy = try carry(due)
        try exchange(copy)
        try sweep()
        return copy.retired
    }

    /// Does what is due, again and again, with a connection only while it is at it. It has a thread of its
    /// own: a copy may take minutes, and readers wait for nobody's copy.
    /// - Parameter afterwards: called after each round that went well: what is to be done with what is no longer named.
    package static func keepUp(
        url: String, days: Int, say: (String) -> Void, afterwards: () -> Void = {}
    ) -> Never {
        var said = ""
        while true {
            var trouble = ""
            do throws(PostgresError) {
                if let gone = try Retention(url: url, days: days).run() { say(gone.description) }
                afterwards()
            } catch {
                // Said once, until it is another.
                trouble = error.description
                if trouble != said { say("not now, it is tried again: \(trouble)") }
            }
            said = trouble
            sleep(trouble.isEmpty ? 600 : 60)
        }
    }

    private func soberNow() throws(PostgresError) -> Int64 {
        let database = try connection.query(
            "SELECT (extract(epoch FROM now()) * 1000000)::bigint", doing: "the database's time")
        return min(database.integer(0, 0), clinux_wall_microseconds())
    }

    // MARK: What is due

    /// The partitions that leave in a round, by their tables.
    struct Due {
        /// Jobs that ended before it are no longer kept.
        var cutoff: Int64
        /// The first day that stays whole.
        var day: Int64
        var at: Int64
        var partitions: [(table: String, name: String)] = []
        /// Commits before it leave.
        var firstBatch: Int64

        /// The first id of the first day that stays.
        var low: Int64 { (day * 24) << Int64(JobID.shardBits + JobID.counterBits) }
    }

    func due(at now: Int64) throws(PostgresError) -> Due? {
        let cutoff = now - keeps
        guard cutoff > 0, let end = try Chain.end(connection, shard: shard)?.head else { return nil }
        var due = Due(cutoff: cutoff, day: cutoff / microsecondsADay, at: now, firstBatch: 0)
        let partitions = try partitions()
        for (table, name, suffix) in partitions where CarriedTable(rawValue: table) != nil || table == "keys" {
            if let day = Int64(suffix), day < due.day { due.partitions.append((table, name)) }
        }
        guard !due.partitions.isEmpty else { return nil }
        // The carried rows are made anew with those of the days.
        for (table, name, suffix) in partitions where suffix.hasPrefix(CarriedTable.suffix) {
            due.partitions.append((table, name))
        }
        try addCommits(to: &due, among: partitions, end: Int64(end.batch))
        return due
    }

    /// Commits leave when all the jobs that they may speak of have left or are carried. The last one stays.
    private func addCommits(
        to due: inout Due, among partitions: [(table: String, name: String, suffix: String)], end: Int64
    ) throws(PostgresError) {
        let ranges = partitions.filter { $0.table == "commits" }.compactMap { Int64($0.suffix) }.sorted()
        for range in ranges {
            let next = (range + 1) << Partitions.commitRangeBits
            guard next <= end else { return }
            let last = try connection.query(
                "SELECT next_id <= \(due.low) AND at < \(due.cutoff) FROM statex.commits WHERE shard = \(shard) AND batch = \(next - 1)",
                doing: "commits that are due")
            guard last.rows == 1, last.text(0, 0) == "t" else { return }
            due.firstBatch = next
            for table in ["commits", "submits"]
            where partitions.contains(where: { $0.table == table && $0.suffix == String(range) }) {
                due.partitions.append((table, "\(table)_\(range)"))
            }
        }
    }

    private func partitions() throws(PostgresError) -> [(table: String, name: String, suffix: String)] {
        let rows = try connection.query(
            """
            SELECT p.relname, c.relname, substr(c.relname, length(p.relname) + 2)
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
            WHERE p.relnamespace = 'statex'::regnamespace AND p.relkind = 'p' ORDER BY 1, 2
            """, doing: "partitions")
        return (0..<rows.rows).map { (rows.text($0, 0), rows.text($0, 1), rows.text($0, 2)) }
    }

    // MARK: Exchanging

    private static let tries = 60

    /// Puts the copy in the place of what is due, at once or not at all.
    func exchange(_ copy: Copy) throws(PostgresError) {
        for attempt in 1... {
            do throws(PostgresError) {
                return try tryExchange(copy)
            } catch {
                try connection.run("ROLLBACK", doing: "roll back")
                guard error.isLockTimeout, attempt < Self.tries else { throw error }
                usleep(500_000)
            }
        }
    }

    func tryExchange(_ copy: Copy) throws(PostgresError) {
        let due = copy.due
        let takesCommits = due.partitions.contains { $0.table == "commits" }
        let parents = Set(due.partitions.map(\.table)).union(CarriedTable.allCases.map(\.rawValue)).sorted()
        let locked = parents.map { "ONLY statex.\($0)" } + due.partitions.map { "statex.\($0.name)" }
        // A commit begins with its chain row: who holds that table stands behind a whole commit, and before
        // the next one.
        try connection.run(
            """
            BEGIN; SET LOCAL lock_timeout = '200ms'; SET LOCAL statement_timeout = '3s'; SET LOCAL enable_seqscan = off;
            LOCK TABLE ONLY statex.commits IN \(takesCommits ? "ACCESS" : "SHARE ROW") EXCLUSIVE MODE;
            LOCK TABLE \(locked.joined(separator: ", ")) IN ACCESS EXCLUSIVE MODE NOWAIT
            """, doing: "lock what is due")
        // One round trip, so that the locks are held for the work alone.
        var work = CarriedTable.allCases.map { copy.catchUp($0) }
        for (table, name) in due.partitions {
            work.append("ALTER TABLE statex.\(table) DETACH PARTITION statex.\(name)")
            work.append("ALTER TABLE statex.\(name) RENAME TO \(Self.retired)\(name)")
        }
        work += CarriedTable.allCases.map(copy.attach)
        work += [copy.retired.insertion(due), "COMMIT"]
        try connection.run(work.joined(separator: ";\n"), doing: "exchange partitions")
    }

    // MARK: Sweeping

    static let retired = "retired_"
    static let carrying = "carrying_"

    /// Drops what was exchanged, and what broken rounds left.
    func sweep() throws(PostgresError) {
        let rows = try connection.query(
            """
            SELECT relname FROM pg_class WHERE relnamespace = 'statex'::regnamespace AND relkind = 'r'
              AND NOT relispartition AND relname ~ '^(\(Self.retired)|\(Self.carrying))[a-z_]+_[0-9]+$'
            """, doing: "sweep")
        for row in 0..<rows.rows { try connection.run("DROP TABLE statex.\(rows.text(row, 0))", doing: "sweep") }
    }
}

/// What a round took away.
package struct RetiredHistory: Sendable, Equatable, CustomStringConvertible {
    package var days: Int
    package var jobs: Int64
    package var leases: Int64
    package var outcomes: Int64
    package var results: Int64
    /// Jobs that stay although their day left.
    package var carried: Int64
    var throughBatch: Int64
    var said: [Int64] = [0, 0, 0, 0]

    package var description: String {
        "\(days) day\(days == 1 ? "" : "s") left the journal: \(jobs) jobs, \(outcomes) outcomes; \(carried) jobs of older days stay"
    }

    func insertion(_ due: Retention.Due) -> String {
        """
        INSERT INTO statex.retired (at, low_id, through_batch, jobs, leases, outcomes, results, first_batch,
            said_jobs, said_leases, said_outcomes, said_results)
        VALUES (\(due.at), \(due.low), \(throughBatch), \(jobs), \(leases), \(outcomes), \(results), \(due.firstBatch),
            \(said.map(String.init).joined(separator: ", ")))
        """
    }
}

private let microsecondsADay: Int64 = 86_400_000_000
