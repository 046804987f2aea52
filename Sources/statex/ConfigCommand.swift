import ArgumentParser
import Foundation
import StatexConfiguration

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "The configuration.", subcommands: [Show.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print each value and where it came from: default, file and line, environment or flag.",
            discussion: "Secrets are masked. Every key is explained in config/statex.yaml.")

        @OptionGroup var options: ConfigurationOptions
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let loaded = try options.load()
            json ? try printJSON(loaded) : printTable(loaded)
        }

        private func printTable(_ loaded: LoadedConfiguration) {
            let width = loaded.entries.map(\.key.count).max() ?? 0
            for entry in loaded.entries {
                let key = entry.key.padding(toLength: width, withPad: " ", startingAt: 0)
                let value = entry.value.map { $0.isEmpty ? "(none)" : $0 }
                print("\(key)  \(value ?? "(not set)")  [\(entry.source)]")
            }
            for variable in loaded.ignoredVariables { print("# environment \(variable) names no key and is ignored") }
        }

        private struct Value: Encodable {
            let value: String?
            let source: String

            private enum CodingKeys: CodingKey { case value, source }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(value, forKey: .value)
                try container.encode(source, forKey: .source)
            }
        }

        private func printJSON(_ loaded: LoadedConfiguration) throws {
            let values = loaded.entries.map { ($0.key, Value(value: $0.value, source: $0.source.description)) }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(Dictionary(values) { first, _ in first }), as: UTF8.self))
        }
    }
}
