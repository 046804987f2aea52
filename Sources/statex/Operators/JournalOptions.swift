import ArgumentParser
import StatexConfiguration
import StatexReads
import StatexStack

/// The flags of every command that reads lists from the journal. It reads only; orders go to the scheduler.
struct JournalOptions: ParsableArguments {
    @Option(help: ArgumentHelp(JournalPlace.databaseHelp)) var database: String?
    @OptionGroup var client: ClientOptions

    /// How long a list looks back.
    static let patience = Duration.seconds(2)

    func load() throws -> LoadedConfiguration {
        try client.configuration.load([
            "endpoint:submit_endpoint": client.endpoint, "database": database, "data_dir": client.dataDir,
            "peer_key": client.keys.peerKey, "server_public_key": client.keys.serverPublicKey,
        ])
    }

    /// Asks the journal.
    func read<T>(
        _ loaded: LoadedConfiguration, as name: String, _ body: (borrowing JournalReader) throws(ReadError) -> T
    ) throws -> T {
        do throws(ReadError) { return try body(JournalReader(url: loaded.journalURL, name: name)) } catch {
            if case .unreachable = error { throw ending(.unreachable, loaded.unreachable(error)) }
            throw ending(.unreachable, error.description)
        }
    }
}

/// Where the journal is, of commands that do not speak to a scheduler as a client.
struct JournalPlace: ParsableArguments {
    @Option(help: ArgumentHelp(JournalPlace.databaseHelp)) var database: String?
    @Option(
        help: ArgumentHelp("The folder of the statex up whose journal is meant (key data_dir).", valueName: "folder"))
    var dataDir: String?

    static let databaseHelp =
        "The Postgres of the journal, as a libpq URL (key database; default: that of statex up)."
}

extension LoadedConfiguration {
    /// A database that is configured, or that `statex up` keeps in the data directory.
    var journalURL: String {
        configuration.database ?? PostgresCluster.url(inDataDirectory: configuration.dataDirectory)
    }

    /// What to do about a journal that is not there.
    func unreachable(_ error: some CustomStringConvertible) -> String {
        let place = configuration.database == nil ? "of the data directory \(configuration.dataDirectory) " : ""
        return "the journal \(place)was not there: \(error); --database or --data-dir say where it is"
    }
}
