import ArgumentParser
import Foundation
import Testing

@testable import statex

/// README.md and docs/operations.md against the commands themselves.
@Suite struct DocumentedCommandTests {
    private struct Command {
        /// As it is typed after `statex`.
        var name: String
        var type: any ParsableCommand.Type
    }

    private static let all = Statex.configuration.subcommands.flatMap { commands($0, under: "") }

    private static func commands(_ type: any ParsableCommand.Type, under parent: String) -> [Command] {
        let name = parent + (type.configuration.commandName ?? "")
        return [Command(name: name, type: type)]
            + type.configuration.subcommands.flatMap { commands($0, under: name + " ") }
    }

    private func document(_ path: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..")
        return try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    private func names(in text: Substring) -> [String] {
        text.matches(of: /`([a-z ]+)`/).map { String($0.1) }
    }

    @Test func `the table of exit codes names every command that says 5`() throws {
        let row = try #require(
            document("docs/operations.md").split(separator: "\n").first { $0.hasPrefix("| 5 | ") })
        let said = names(in: row)
        let saying = Self.all.filter { $0.type.configuration.discussion.contains(/\b5\s+when/) }.map(\.name)
        #expect(saying.count > 3)
        for name in saying { #expect(said.contains(name), "\(name): \(row)") }
    }

    @Test func `the README names every command that finds a journal by --database or --data-dir`() throws {
        let sentence = try #require(
            try document("README.md").firstMatch(of: /Commands that read the journal itself[^.]+\./))
        let named = names(in: sentence.output)
        // They take a journal as a setting among others.
        let others = ["up", "scheduler", "worker", "gateway", "doctor"]
        let finding = Self.all.filter { command in
            let help = command.type.helpMessage()
            return help.contains("--database") && help.contains("--data-dir") && !others.contains(command.name)
        }
        #expect(finding.count > 3)
        for command in finding {
            let parent = command.name.prefix { $0 != " " }
            #expect(named.contains(command.name) || named.contains(String(parent)), "\(command.name): \(named)")
        }
        for name in named {
            #expect(finding.contains { "\($0.name) ".hasPrefix(name + " ") }, "\(name) takes them not")
        }
    }
}
