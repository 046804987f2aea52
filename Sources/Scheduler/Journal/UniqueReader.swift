import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// Looks up who holds unique keys.
enum UniqueReader {
    /// The latest request of each key, as far back as history is kept.
    static func uses(of keys: [UniqueKeys.Key], _ connection: borrowing Connection) throws(PostgresError)
        -> [UniqueKeys.Key: UniqueKeys.Use]
    {
        var uses: [UniqueKeys.Key: UniqueKeys.Use] = [:]
        for key in keys {
            let rows = try connection.queryBinary(
                """
                SELECT o.id, j.opts, j.created FROM statex.job_options o
                JOIN statex.jobs j ON j.id = o.id
                JOIN statex.names t ON t.number = j.tenant AND t.family = \(NameFamily.tenant.rawValue) AND t.name = $1
                JOIN statex.names k ON k.number = j.kind AND k.family = \(NameFamily.kind.rawValue) AND k.name = $2
                WHERE o.unique_key = $3::bytea ORDER BY o.id DESC LIMIT 1
                """, [key.tenant, key.kind, byteaText(key.rule)], doing: "unique keys")
            guard rows.rows == 1 else { continue }
            uses[key] = UniqueKeys.Use(
                request: UInt64(bitPattern: rows.binaryInteger(0, 0)),
                jobs: JobOpts.count(UInt64(bitPattern: rows.binaryInteger(0, 1))), at: rows.binaryInteger(0, 2),
                batch: 0)
        }
        return uses
    }
}

/// Bytes as Postgres reads them in a text.
func byteaText(_ bytes: [UInt8]) -> String {
    "\\x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
