import ArgumentParser
import StatexConfiguration
import StatexPostgres
import StatexStack

/// The flags of every command that reads lists from the journal. It reads only; orders go to the scheduler.
struct JournalOptions: ParsableArguments {
    @OptionGroup var place: JournalPlace
    @OptionGroup var client: ClientOptions

    func load() throws -> LoadedConfiguration {
        try client.configuration.load([
            "endpoint:submit_endpoint": client.endpoint, "database": place.database, "data_dir": place.dataDir,
        ])
    }

    /// The journal to ask.
    func open(_ loaded: LoadedConfiguration, as name: String) throws -> JournalLists {
        let url = loaded.journalURL
        do throws(PostgresError) { return try JournalLists(url: url, name: name) } catch {
            throw ending(.unreachable, loaded.unreachable(error))
        }
    }
}

/// Where the journal is.
struct JournalPlace: ParsableArguments {
    @Option(help: "The Postgres of the journal, as a libpq URL (key database; default: that of statex up).")
    var database: String?
    @Option(
        help: ArgumentHelp("The folder of the statex up whose journal is meant (key data_dir).", valueName: "folder"))
    var dataDir: String?
}

extension LoadedConfiguration {
    /// A database that is configured, or that `statex up` keeps in the data directory.
    var journalURL: String {
        configuration.database ?? PostgresCluster.url(inDataDirectory: configuration.dataDirectory)
    }

    /// What to do about a journal that is not there.
    func unreachable(_ error: PostgresError) -> String {
        let place = configuration.database == nil ? "of the data directory \(configuration.dataDirectory) " : ""
        return "the journal \(place)was not there: \(error); --database or --data-dir say where it is"
    }
}

/// What commands ask of the journal: plain rows of its views.
struct JournalLists: ~Copyable {
    private let connection: Connection

    init(url: String, name: String) throws(PostgresError) {
        connection = try Self.connect(url, name)
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
