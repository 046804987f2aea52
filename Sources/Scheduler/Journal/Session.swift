import StatexPostgres

/// What durability means in the Postgres at hand.
package struct Durability: Sendable, Equatable {
    package var fsync: Bool
    package var synchronousCommit: String
    package var fullPageWrites: Bool
    package var dataChecksums: Bool
    package var serverVersion: String

    /// What breaks the promise that an acknowledged job is never lost; empty: nothing.
    package var faults: [String] {
        var faults: [String] = []
        if !fsync { faults.append("fsync is off: a crash of the machine loses acknowledged jobs; set fsync = on") }
        if !fullPageWrites {
            faults.append("full_page_writes is off: a crash may tear pages; set full_page_writes = on")
        }
        if !["on", "remote_write", "remote_apply"].contains(synchronousCommit) {
            faults.append("synchronous_commit is \(synchronousCommit); set it to on")
        }
        return faults
    }
}

/// How the journal's connections are set up.
enum Session {
    /// Opens a connection whose settings do not depend on the role's or the database's defaults.
    static func open(_ url: String, name: String) throws(PostgresError) -> Connection {
        let connection = try Connection(url, name: name)
        // No statement timeout: a cancelled COMMIT is the one thing whose end nobody knows (P5, P11 in
        // the reliability study). A lock is waited for 5 s at most; an owner that vanished in
        // mid-transaction frees its locks after 10 s.
        try connection.run(
            """
            SET statement_timeout = 0; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '10s';
            SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3;
            SET client_min_messages = error; SET plan_cache_mode = force_generic_plan; SET jit = off;
            SET datestyle = 'ISO'; SET timezone = 'UTC'; SET search_path = pg_catalog
            """, doing: "session settings")
        return connection
    }

    /// Never less than `on`; a stronger level stays.
    static func requireDurableCommits(_ connection: borrowing Connection) throws(PostgresError) {
        try connection.run(
            """
            SELECT set_config('synchronous_commit', 'on', false)
            WHERE current_setting('synchronous_commit') IN ('off', 'local')
            """, doing: "synchronous_commit")
    }

    static func durability(_ connection: borrowing Connection) throws(PostgresError) -> Durability {
        let row = try connection.query(
            """
            SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes'),
                   current_setting('data_checksums'), current_setting('server_version')
            """, doing: "durability")
        return Durability(
            fsync: row.text(0, 0) == "on", synchronousCommit: row.text(0, 1), fullPageWrites: row.text(0, 2) == "on",
            dataChecksums: row.text(0, 3) == "on", serverVersion: row.text(0, 4))
    }
}

/// A connection that its owner may lose and open anew.
final class Link {
    let connection: Connection
    init(_ connection: consuming Connection) { self.connection = connection }
}
