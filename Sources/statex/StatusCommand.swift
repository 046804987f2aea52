import ArgumentParser
import Foundation
import StatexClient

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show queues, workers, counts, the journal, durability and isolation.",
        discussion: "Exits 4 when the scheduler was not there.")

    @Flag(help: "Print the scheduler's JSON object as it is.") var json = false
    @OptionGroup var options: ClientOptions

    func run() async throws {
        let client = try await options.connect(options.load(), looksOnly: true)
        let text = try await asClient { () throws(ClientError) in try await client.schedulerStatus() }
        await client.close()
        guard !json, let value = try? JSONDecoder().decode(StatusValue.self, from: Data(text.utf8)) else {
            return print(json ? text : printable(text))
        }
        print(value.lines().joined(separator: "\n"))
    }
}
