import ArgumentParser
import Foundation
import StatexClient
import StatexConfiguration
import StatexProtocol

/// The flags of every command that speaks to a scheduler as a client.
struct ClientOptions: ParsableArguments {
    @Option(help: "Where the scheduler takes submits (key submit_endpoint).") var endpoint: String?
    @Option(help: ArgumentHelp("The folder of the statex up that is meant (key data_dir).", valueName: "folder"))
    var dataDir: String?
    @OptionGroup var keys: PeerKeyOptions
    @OptionGroup var configuration: ConfigurationOptions
    @Option(
        help: ArgumentHelp(
            "How long a busy or absent scheduler is waited for (default: 30); of submit --wait, also the results (default: for ever).",
            valueName: "seconds"))
    var timeout: Double?

    func validate() throws {
        guard timeout.map({ $0 > 0 && $0 <= 86_400 }) ?? true else {
            throw ValidationError("--timeout takes more than 0 to 86400 seconds")
        }
    }

    /// - Parameter objects: the folder that a flag names instead of the configured ones.
    func load(objects: String? = nil) throws -> LoadedConfiguration {
        try configuration.load([
            "endpoint:submit_endpoint": endpoint, "data_dir": dataDir, "objects": objects, "peer_key": keys.peerKey,
            "server_public_key": keys.serverPublicKey,
        ])
    }

    /// - Parameter looksOnly: it neither submits nor orders, and connects also while the journal is away.
    func connect(_ loaded: LoadedConfiguration, looksOnly: Bool = false) async throws -> Client {
        let patience = Duration.seconds(timeout ?? 30)
        var settings = ClientSettings(name: "statex", patience: patience)
        settings.connectTimeout = patience
        settings.looksOnly = looksOnly
        settings.keyFile = loaded.configuration.peerKey
        settings.schedulerKeyFile = loaded.configuration.serverPublicKey
        settings.largestObject = loaded.configuration.maximumObjectBytes
        // Unless an operator says otherwise, objects lie where this scheduler says.
        let isNamed = loaded.entries.contains { $0.key == "objects" && $0.source != .standard }
        settings.objects = isNamed ? loaded.configuration.objectRoots : nil
        settings.s3 = S3Access(loaded.configuration.s3)
        return try await asClient { () throws(ClientError) in
            try await Client(loaded.configuration.submitEndpoint, settings: settings)
        }
    }
}

/// Turns the client's errors into exit codes.
func asClient<T>(_ body: () async throws(ClientError) -> T) async throws -> T {
    do { return try await body() } catch {
        switch error {
        case .invalid, .object: throw ending(.usage, error.description)
        case .keyConflict: throw ending(.conflict, error.description)
        case .refused(WireError.Code.unknown.rawValue, let text): throw ending(.unknown, text)
        case .refused, .busy: throw ending(.refused, error.description)
        case .unreachable, .unsent, .cancelled, .closed: throw ending(.unreachable, error.description)
        case .unknown: throw ending(.unknown, error.description)
        }
    }
}
