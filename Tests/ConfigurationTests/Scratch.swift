import Foundation

@testable import StatexConfiguration

/// A directory of a test's own, removed with it.
final class ScratchFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/statex-config-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String = "statex.yaml") throws -> String {
        let file = path + "/" + name
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        return file
    }
}

/// Loads a configuration from the text of a file, an environment and flags.
func load(
    _ text: String = "", environment: [String: String] = [:], flags: [String: String] = [:]
) throws -> LoadedConfiguration {
    let scratch = try ScratchFolder()
    var sources = ConfigurationSources(file: try scratch.write(text), environment: environment)
    for (key, text) in flags { sources.setFlag("--" + key, key: key, to: text) }
    return try LoadedConfiguration.load(sources)
}

/// What is wrong with a configuration.
func problems(_ text: String = "", environment: [String: String] = [:], flags: [String: String] = [:]) throws
    -> [String]
{
    do {
        _ = try load(text, environment: environment, flags: flags)
        return []
    } catch let error as ConfigurationError {
        return error.problems
    }
}
