import ArgumentParser
import StatexConfiguration
import StatexPostgres
import StatexStack

/// The flags of every command that reads lists from the journal. It reads only; orders go to the scheduler.
struct JournalOptions: ParsableArguments {
    @Option(help: "The Postgres of the journal, as a libpq URL (key database; default: that of statex up).")
    var database: String?
    @OptionGroup var client: ClientOptions

    func load() throws -> LoadedConfiguration {
        try client.configuration.load(["submit_endpoint": client.endpoint, "database": database])
    }

    /// The journal to ask.
    func open(_ loaded: LoadedConfiguration, as name: String) throws -> JournalLists {
        let configuration = loaded.configuration
        let url = configuration.database ?? PostgresCluster.url(inDataDirectory: configuration.dataDirectory)
        return try JournalLists(url: url, name: name)
    }
}

/// What commands ask of the journal: plain rows of its views.
struct JournalLists: ~Copyable {
    private let connection: Connection

    init(url: String, name: String) throws {
        do throws(PostgresError) { connection = try Self.connect(url, name) } catch {
            throw ending(.unreachable, error.description)
        }
    }

    private static func connect(_ url: String, _ name: String) throws(PostgresError) -> Connection {
        let connection = try Connection(url, name: "statex \(name)")
        // A list is never worth holding anything up.
        try connection.run(
            """
            SET default_transaction_read_only = on; SET statement_timeout = '60s'; SET datestyle = 'ISO';
            SET timezone = 'UTC'; SET search_path = pg_catalog; SET jit = off
            """, doing: "settings")
        return connection
    }

    /// All rows, each a text or nil for each column.
    borrowing func rows(_ sql: String, _ parameters: [String?] = []) throws -> [[String?]] {
        do throws(PostgresError) {
            let rows = try connection.query(sql, parameters, doing: "ask the journal")
            return (0..<rows.rows).map { row in
                (0..<rows.columns).map { rows.isNull(row, $0) ? nil : rows.text(row, $0) }
            }
        } catch {
            throw ending(.unreachable, error.description)
        }
    }
}

extension Sequence<String> {
    /// As an array in SQL; nil if there are none, which means any.
    var sqlArray: String? {
        let items = map { item in
            "\"" + item.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return items.isEmpty ? nil : "{" + items.joined(separator: ",") + "}"
    }
}
