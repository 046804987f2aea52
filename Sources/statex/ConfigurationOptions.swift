import ArgumentParser
import Foundation
import StatexConfiguration

/// The flags of every command that reads the configuration.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .customLong("config"), help: ArgumentHelp("The configuration file.", valueName: "file"))
    var file: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Set any key of config/statex.yaml.", valueName: "key=value"))
    var settings: [String] = []

    /// - Parameter flags: the command's own, by the key that each sets; a flag has its key's name, or stands before
    ///   it: `endpoint:submit_endpoint`.
    func sources(_ flags: KeyValuePairs<String, String?> = [:]) throws -> ConfigurationSources {
        var sources = ConfigurationSources(file: file, environment: ProcessInfo.processInfo.environment)
        for setting in settings {
            guard let sign = setting.firstIndex(of: "=") else {
                throw ValidationError("--set takes KEY=VALUE, not '\(setting)'")
            }
            let key = String(setting[..<sign])
            sources.setFlag("--set \(key)", key: key, to: String(setting[setting.index(after: sign)...]))
        }
        for (names, text) in flags {
            let parts = names.split(separator: ":")
            guard let name = parts.first, let key = parts.last else { continue }
            sources.setFlag("--" + name.replacing("_", with: "-"), key: String(key), to: text)
        }
        return sources
    }

    /// What is wrong in the configuration ends the command.
    func load(_ flags: KeyValuePairs<String, String?> = [:]) throws -> LoadedConfiguration {
        do { return try .load(sources(flags)) } catch let error as ConfigurationError {
            throw ending(.usage, error.description)
        }
    }
}
