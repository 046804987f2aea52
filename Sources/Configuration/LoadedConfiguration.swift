import Glibc

/// What the command line, the environment and the file say, before it is understood.
package struct ConfigurationSources: Sendable {
    /// The file named by `--config`; nil: `STATEX_CONFIG`, else `/etc/statex/statex.yaml` if it is there.
    package var file: String?
    package var environment: [String: String]
    /// By key: the flag's name as the user typed it, and its text.
    private(set) var flags: [String: ValueReader.Flag] = [:]

    package init(file: String? = nil, environment: [String: String]) {
        self.file = file
        self.environment = environment
    }

    package mutating func setFlag(_ name: String, key: String, to text: String?) {
        if let text { flags[key] = ValueReader.Flag(name: name, text: text) }
    }

    /// The environment with what was given by flags, for processes that read the same configuration.
    package var environmentWithFlags: [String: String] {
        environment.merging(flags.map { (ValueReader.variable(of: $0.key), $0.value.text) }) { _, flag in flag }
    }
}

/// The configuration, and where each value came from.
package struct LoadedConfiguration: Sendable {
    package struct Entry: Sendable, Equatable {
        package let key: String
        /// nil: not set, and without a default. Secrets are masked.
        package let value: String?
        package let source: Source
    }

    package let configuration: Configuration
    package let entries: [Entry]
    /// The file that was read, if any.
    package let file: String?
    /// Variables that begin with `STATEX_` and name no key.
    package let ignoredVariables: [String]

    static let standardFile = "/etc/statex/statex.yaml"

    /// Reads and checks everything; throws all problems at once.
    package static func load(_ sources: ConfigurationSources) throws(ConfigurationError) -> LoadedConfiguration {
        let path = try file(sources)
        var values = ValueReader(
            file: try path.map { path throws(ConfigurationError) in try ConfigurationFile.read(path) } ?? [],
            filePath: path ?? "",
            environment: sources.environment, flags: sources.flags, directory: currentDirectory())
        let configuration = Configuration(from: &values, environment: sources.environment)
        values.refuseUnknownKeys()
        let ignored = values.unknownVariables()
        guard values.problems.isEmpty else { throw ConfigurationError(problems: values.problems) }
        let entries = values.entries.map { Entry(key: $0.key, value: $0.value, source: $0.source) }
        return LoadedConfiguration(
            configuration: configuration, entries: entries, file: path, ignoredVariables: ignored)
    }

    private static func file(_ sources: ConfigurationSources) throws(ConfigurationError) -> String? {
        let named = sources.file ?? sources.environment["STATEX_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        if let named { return named.hasPrefix("/") ? named : currentDirectory() + "/" + named }
        return access(standardFile, F_OK) == 0 ? standardFile : nil
    }

    private static func currentDirectory() -> String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }
}
