import CLinux
import StatexPostgres

/// The object references that the journal holds: payloads of jobs, and results. A sweep of the object stores asks.
package struct NamedObjects: ~Copyable {
    private let connection: Connection

    package init(url: String) throws(PostgresError) {
        let opened = try Session.open(url, name: "statex objects")
        try opened.run("SET default_transaction_read_only = on", doing: "session settings")
        connection = opened
    }

    /// Microseconds since 1970, by this machine's clock or the database's, whichever is behind: so no clock that leaps
    /// ahead makes an object old.
    package func soberNow() throws(PostgresError) -> Int64 {
        let database = try connection.query(
            "SELECT (extract(epoch FROM now()) * 1000000)::bigint", doing: "the database's time")
        return min(database.integer(0, 0), clinux_wall_microseconds())
    }

    /// Gives the text of each reference, as of one moment, in bounded memory. Whatever the journal still holds is
    /// wanted: also what was carried, and finished history within its retention.
    package func forEach(_ body: ([UInt8]) -> Void) throws(PostgresError) {
        try connection.run(
            """
            BEGIN; DECLARE named NO SCROLL CURSOR FOR
                SELECT payload FROM statex.jobs WHERE (opts >> 41) & 15 = 1
                UNION ALL SELECT body FROM statex.results WHERE encoding = 1
            """, doing: "read what is named")
        while true {
            let rows = try connection.queryBinary("FETCH 5000 FROM named", doing: "read what is named")
            if rows.rows == 0 { break }
            for row in 0..<rows.rows { rows.withBytes(row, 0) { body($0.array(0..<$0.byteCount)) } }
        }
        try connection.run("COMMIT", doing: "read what is named")
    }
}
