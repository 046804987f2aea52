import StatexClient
import StatexEvents
import StatexPostgres
import StatexProtocol
import StatexWebhooks

/// What the relay keeps in Postgres: how far it is, and the URLs that requests named. One connection, for one thread.
struct WebhookLedger: ~Copyable {
    private let connection: Connection

    private static let shard = 0
    /// Any number that nothing else locks: "webhooks" in ASCII.
    private static let lock = 0x7765_6268_6F6F_6B73
    /// What was not named for so long, and by no job that is kept, goes.
    private static let targetDays = 1

    init(url: String) throws(PostgresError) {
        let opened = try Connection(url, name: "statex webhooks")
        try opened.run(
            """
            SET synchronous_commit = on; SET statement_timeout = '10s'; SET lock_timeout = '5s';
            SET search_path = pg_catalog; SET jit = off
            """, doing: "settings")
        connection = opened
    }

    private borrowing func query(
        _ sql: String, _ parameters: [String?] = []
    ) throws(PostgresError) -> StatexPostgres.Result {
        try connection.query(sql, parameters, doing: "webhooks")
    }

    /// - Returns: whether this connection has the relay's lock: one gateway relays, the others stand by.
    borrowing func takeLock() throws(PostgresError) -> Bool {
        try query("SELECT pg_try_advisory_lock(\(Self.lock))").text(0, 0) == "t"
    }

    // MARK: How far it is

    /// Where to go on. The first time: at the journal's end, from where on nothing is missed.
    /// - Returns: nil: there is no journal yet.
    borrowing func cursor() throws(PostgresError) -> EventPlace? {
        _ = try query(
            """
            INSERT INTO statex.webhook_cursor (shard, incarnation, batch, index)
            SELECT shard, incarnation, batch + 1, 0 FROM statex.commits WHERE shard = \(Self.shard)
            ORDER BY batch DESC LIMIT 1 ON CONFLICT DO NOTHING
            """)
        let rows = try query(
            "SELECT incarnation, batch, index FROM statex.webhook_cursor WHERE shard = \(Self.shard)")
        guard rows.rows == 1 else { return nil }
        return EventPlace(
            incarnation: UInt64(bitPattern: rows.integer(0, 0)),
            position: EventPosition(
                batch: UInt64(bitPattern: rows.integer(0, 1)), index: UInt32(clamping: rows.integer(0, 2))))
    }

    borrowing func advance(to place: EventPlace) throws(PostgresError) {
        _ = try query(
            """
            UPDATE statex.webhook_cursor SET incarnation = $1::bigint, batch = $2::bigint, index = $3::bigint
            WHERE shard = \(Self.shard)
            """,
            [
                String(Int64(bitPattern: place.incarnation)), String(place.position.batch),
                String(place.position.index),
            ])
    }

    // MARK: What requests named

    /// Returns once it is durable.
    borrowing func remember(_ name: String, tenant: String, url: String) throws(PostgresError) {
        _ = try query(
            """
            INSERT INTO statex.webhook_targets (name, tenant, url, used) VALUES ($1, $2, $3, now())
            ON CONFLICT (name) DO UPDATE SET used = now()
            """, [name, tenant, url])
    }

    /// The URLs that these requests named.
    borrowing func targets(of requests: [JobID]) throws(PostgresError) -> [JobID: Target] {
        let ids = "{" + requests.map(\.description).joined(separator: ",") + "}"
        let rows = try query(
            """
            SELECT o.id, t.tenant, t.url FROM statex.job_options o, unnest(o.tags) AS tag, statex.webhook_targets t
            WHERE o.id = ANY ($1::bigint[]) AND starts_with(tag, '\(Target.tagPrefix)')
                AND t.name = substr(tag, \(Target.tagPrefix.utf8.count + 1))
            """, [ids])
        var targets: [JobID: Target] = [:]
        for row in 0..<rows.rows {
            guard let id = JobID(rows.text(row, 0)) else { continue }
            targets[id] = Target(tenant: rows.text(row, 1), url: rows.text(row, 2))
        }
        return targets
    }

    /// Forgets URLs that no kept job names.
    borrowing func sweep() throws(PostgresError) {
        _ = try query(
            """
            DELETE FROM statex.webhook_targets t WHERE used < now() - interval '\(Self.targetDays) days'
                AND NOT EXISTS (
                    SELECT FROM statex.job_options o WHERE o.tags @> ARRAY['\(Target.tagPrefix)' || t.name])
            """)
    }

    /// A URL that a request named.
    struct Target: Sendable, Equatable {
        let tenant: String
        let url: String

        /// Of the tag that names it.
        static let tagPrefix = "webhook:"
    }
}
