import ArgumentParser
import Foundation
import StatexConfiguration

/// The flags of every command that reads the configuration.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: .customLong("config"), help: ArgumentHelp("The configuration file.", valueName: "file"))
    var file: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Set any key of config/statex.yaml.", valueName: "key=value"))
    var settings: [String] = []

    /// - Parameter flags: the command's own, by the key that each sets.
    func sources(_ flags: KeyValuePairs<String, String?> = [:]) throws -> ConfigurationSources {
        var sources = ConfigurationSources(file: file, environment: ProcessInfo.processInfo.environment)
        for setting in settings {
            guard let sign = setting.firstIndex(of: "=") else {
                throw ValidationError("--set takes KEY=VALUE, not '\(setting)'")
            }
            let key = String(setting[..<sign])
            sources.setFlag("--set \(key)", key: key, to: String(setting[setting.index(after: sign)...]))
        }
        for (key, text) in flags { sources.setFlag("--" + key.replacing("_", with: "-"), key: key, to: text) }
        return sources
    }

    func load(_ flags: KeyValuePairs<String, String?> = [:]) throws -> LoadedConfiguration { try .load(sources(flags)) }
}

/// Ends the command with a message on standard error and an exit code.
func failure(_ code: Int32, _ message: String) -> ExitCode {
    FileHandle.standardError.write(Data("statex: \(message)\n".utf8))
    return ExitCode(code)
}
