import ArgumentParser
import Foundation
import StatexClient
import StatexConfiguration

/// The flags of every command that speaks to a scheduler as a client.
struct ClientOptions: ParsableArguments {
    @Option(help: "Where the scheduler takes submits (key submit_endpoint).") var endpoint: String?
    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: "Seconds that a busy or absent scheduler is waited for.") var timeout = 30.0

    /// - Parameter objects: the folder that a flag names instead of the configured ones.
    func connect(objects: String? = nil) async throws -> Client {
        guard timeout > 0, timeout <= 86_400 else {
            throw ending(.usage, "--timeout takes more than 0 to 86400 seconds")
        }
        let loaded: LoadedConfiguration
        do {
            loaded = try configuration.load(["submit_endpoint": endpoint, "objects": objects])
        } catch let error as ConfigurationError { throw ending(.usage, error.description) }
        var settings = ClientSettings(name: "statex", patience: .seconds(timeout))
        settings.connectTimeout = .seconds(timeout)
        // Unless an operator says otherwise, the folder is the one that this scheduler names.
        let isNamed = loaded.entries.contains { $0.key == "objects" && $0.source != .standard }
        settings.objectFolders = isNamed ? loaded.configuration.objectRoots : nil
        return try await asClient { () throws(ClientError) in
            try await Client(loaded.configuration.submitEndpoint, settings: settings)
        }
    }
}

/// How a command that speaks to a scheduler may end, for scripts.
enum ClientExit: Int32 {
    /// With `--wait`: at least one job did not succeed.
    case failed = 1
    case usage = 2
    case refused = 3
    case unreachable = 4
    case unknown = 5
}

/// Says why on stderr.
func ending(_ code: ClientExit, _ message: String) -> ExitCode {
    complain(message)
    return ExitCode(code.rawValue)
}

/// Turns the client's errors into exit codes.
func asClient<T>(_ body: () async throws(ClientError) -> T) async throws -> T {
    do { return try await body() } catch {
        switch error {
        case .invalid, .object: throw ending(.usage, error.description)
        case .keyConflict, .refused, .busy: throw ending(.refused, error.description)
        case .unreachable, .cancelled, .closed: throw ending(.unreachable, error.description)
        case .unknown: throw ending(.unknown, error.description)
        }
    }
}
