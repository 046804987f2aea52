import ArgumentParser
import StatexConfiguration
import StatexReads
import StatexStack

/// The flags of every command that reads lists from the journal. It reads only; orders go to the scheduler.
struct JournalOptions: ParsableArguments {
    @OptionGroup var place: JournalPlace
    @OptionGroup var client: ClientOptions

    /// How long a list looks back.
    static let patience = Duration.seconds(2)

    func load() throws -> LoadedConfiguration {
        try client.configuration.load([
            "endpoint:submit_endpoint": client.endpoint, "database": place.database, "data_dir": place.dataDir,
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
    func unreachable(_ error: some CustomStringConvertible) -> String {
        let place = configuration.database == nil ? "of the data directory \(configuration.dataDirectory) " : ""
        return "the journal \(place)was not there: \(error); --database or --data-dir say where it is"
    }
}
