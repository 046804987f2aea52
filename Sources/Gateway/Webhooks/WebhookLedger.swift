import StatexClient
import StatexEvents
import StatexPostgres
import StatexProtocol
import StatexWebhooks

/// What the relay keeps in Postgres: how far it is, and the URLs that requests named. One connection, for one thread.
struct WebhookLedger: ~Copyable {
    private let connection: Connection

    private static let shard = 0
    private static let missingTable = "42P01"
    /// Any number that nothing else locks: "webhooks" in ASCII.
    private static let lock = 0x7765_6268_6F6F_6B73
    /// Three times as long as a relay looks after its place at least.
    static let silenceSeconds = 15
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

    /// - Returns: whether this connection has the relay's lock.
    borrowing func takeLock() throws(PostgresError) -> Bool {
        try query("SELECT pg_try_advisory_lock(\(Self.lock))").text(0, 0) == "t"
    }

    /// Whether nobody looked after the place for a while, whoever has the lock.
    borrowing func isAbandoned() throws(PostgresError) -> Bool {
        try query(
            """
            SELECT FROM statex.webhook_cursor
            WHERE shard = \(Self.shard) AND at < now() - interval '\(Self.silenceSeconds) seconds'
            """
        ).rows == 1
    }

    // MARK: How far it is

    /// Where to go on. The first time: at the journal's end, from where on nothing is missed.
    /// - Returns: nil: there is no journal yet.
    borrowing func cursor() throws(PostgresError) -> EventPlace? {
        do throws(PostgresError) { return try findOrMakeCursor() } catch {
            // A scheduler makes the tables at its first start, which may be later than ours.
            guard error.state == Self.missingTable else { throw error }
            return nil
        }
    }

    private borrowing func findOrMakeCursor() throws(PostgresError) -> EventPlace? {
        if let place = try findCursor() { return place }
        _ = try query(
            """
            INSERT INTO statex.webhook_cursor (shard, incarnation, batch, index, at)
            SELECT shard, incarnation, batch + 1, 0, now() FROM statex.commits WHERE shard = \(Self.shard)
            ORDER BY batch DESC LIMIT 1 ON CONFLICT DO NOTHING
            """)
        return try findCursor()
    }

    private borrowing func findCursor() throws(PostgresError) -> EventPlace? {
        let rows = try query(
            "SELECT incarnation, batch, index FROM statex.webhook_cursor WHERE shard = \(Self.shard)")
        guard rows.rows == 1 else { return nil }
        return EventPlace(
            incarnation: UInt64(bitPattern: rows.integer(0, 0)),
            position: EventPosition(
                batch: UInt64(bitPattern: rows.integer(0, 1)), index: UInt32(clamping: rows.integer(0, 2))))
    }

    /// - Returns: false: it is not where it was left. Another gateway relays.
    borrowing func advance(from old: EventPlace, to new: EventPlace) throws(PostgresError) -> Bool {
        try query(
            """
            UPDATE statex.webhook_cursor
            SET incarnation = $1::bigint, batch = $2::bigint, index = $3::bigint, at = now()
            WHERE shard = \(Self.shard) AND incarnation = $4::bigint AND batch = $5::bigint AND index = $6::bigint
            """, [new, old].flatMap(Self.parameters)
        ).tag == "UPDATE 1"
    }

    private static func parameters(_ place: EventPlace) -> [String] {
        [String(Int64(bitPattern: place.incarnation)), String(place.position.batch), String(place.position.index)]
    }

    // MARK: What requests named

    /// Returns once it is durable.
    borrowing func remember(_ name: String, tenant: String, url: String) throws(PostgresError) {
        // Mostly it is there: then nothing is written.
        let known = try query(
            "SELECT FROM statex.webhook_targets WHERE name = $1 AND used > now() - interval '1 hour'", [name])
        guard known.rows == 0 else { return }
        _ = try query(
            """
            INSERT INTO statex.webhook_targets (name, tenant, url, used) VALUES ($1, $2, $3, now())
            ON CONFLICT (name) DO UPDATE SET used = now()
            """, [name, tenant, url])
    }

    /// What the first jobs of these requests have beside their events; nothing of those that have neither.
    borrowing func details(of requests: [JobID]) throws(PostgresError) -> [JobID: Details] {
        let ids = "{" + requests.map(\.description).joined(separator: ",") + "}"
        let rows = try query(
            """
            SELECT o.id, o.traceparent, t.tenant, t.url FROM statex.job_options o
            LEFT JOIN LATERAL (SELECT substr(tag, \(Target.tagPrefix.utf8.count + 1)) AS name FROM unnest(o.tags) AS tag
                WHERE starts_with(tag, '\(Target.tagPrefix)') LIMIT 1) named ON true
            LEFT JOIN statex.webhook_targets t USING (name)
            WHERE o.id = ANY ($1::bigint[])
            """, [ids])
        var details: [JobID: Details] = [:]
        for row in 0..<rows.rows {
            guard let id = JobID(rows.text(row, 0)) else { continue }
            details[id] = Details(
                trace: TraceContext(rows.text(row, 1)),
                target: rows.isNull(row, 3) ? nil : Target(tenant: rows.text(row, 2), url: rows.text(row, 3)))
        }
        return details
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

    struct Details: Sendable, Equatable {
        let trace: TraceContext?
        let target: Target?
    }

    /// A URL that a request named.
    struct Target: Sendable, Equatable {
        let tenant: String
        let url: String

        /// Of the tag that names it.
        static let tagPrefix = "webhook:"
    }
}
