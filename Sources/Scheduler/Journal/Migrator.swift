import StatexMigrations
import StatexPostgres

/// Brings the schema up to date; safe to run from several processes at once.
package enum Migrator {
    /// Any number that nothing else uses: "statex" in ASCII.
    private static let lock = 0x7374_6174_6578

    /// All steps, for people who apply them by hand.
    package static var steps: [(number: Int, name: String, sql: String)] {
        Migration.all.map { ($0.number, $0.name, $0.sql) }
    }

    /// - Returns: the numbers of the steps that were applied now.
    @discardableResult
    package static func run(on connection: borrowing Connection) throws(PostgresError) -> [Int] {
        // Migrations may wait for each other longer than a commit may wait for a lock.
        try connection.run(
            "SET lock_timeout = '60s'; BEGIN; SELECT pg_advisory_xact_lock(\(lock))", doing: "migration lock")
        do throws(PostgresError) {
            try connection.run(
                """
                CREATE SCHEMA IF NOT EXISTS statex;
                CREATE TABLE IF NOT EXISTS statex.migrations (
                    number integer PRIMARY KEY, name text NOT NULL, applied timestamptz NOT NULL DEFAULT now())
                """, doing: "migrations")
            let known = try connection.query(
                "SELECT coalesce(max(number), 0) FROM statex.migrations", doing: "migrations")
            let last = Int(known.integer(0, 0))
            guard last <= Migration.all.count else {
                throw PostgresError(
                    doing: "migrations", state: "0A000",
                    message: "the schema has step \(last), this program knows \(Migration.all.count): use a newer one")
            }
            var applied: [Int] = []
            for step in Migration.all where step.number > last {
                try connection.run(step.sql, doing: "migration \(step.number)")
                let inserted = try connection.query(
                    "INSERT INTO statex.migrations (number, name) VALUES ($1::int, $2)",
                    [String(step.number), step.name],
                    doing: "migration \(step.number)")
                _ = consume inserted
                applied.append(step.number)
            }
            try connection.run("COMMIT; SET lock_timeout = '5s'", doing: "migration")
            return applied
        } catch {
            try? connection.run("ROLLBACK; SET lock_timeout = '5s'", doing: "migration")
            throw error
        }
    }
}
