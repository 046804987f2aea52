import ArgumentParser
import Foundation
import StatexClient
import StatexConfiguration
import StatexProtocol
import StatexReads

struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Show one job: its attempts, leases, workers, errors and times.",
        discussion:
            "Read from the journal; why it waits is asked of the scheduler, if it is there. Exits 4 when the database was not there, 5 when it knows no such job."
    )

    @Argument(help: "The job's id; of a request it is that of its first job.") var id: String
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var journal: JournalOptions

    func run() async throws {
        let id = try jobIDs([id])[0]
        let loaded = try journal.load()
        let found = try journal.read(loaded, as: "job") { (reader) throws(ReadError) in
            try reader.jobRecord(id, for: .everything)
        }
        guard let found else {
            throw ending(.unknown, "no job \(id) is known: it was never submitted, or its retention is over")
        }
        var text = found.json
        if found.isOpen, let why = await waitingBecause(id, loaded) {
            var member = JSONText()
            member.object { $0.member("waiting_because", why) }
            text = text.dropLast() + "," + String(decoding: member.bytes.dropFirst(), as: UTF8.self)
        }
        guard !json, let value = try? JSONDecoder().decode(StatusValue.self, from: Data(text.utf8)) else {
            return print(text)
        }
        print(value.lines().joined(separator: "\n"))
    }

    /// Only the scheduler knows; without one the rest is shown all the same.
    private func waitingBecause(_ id: JobID, _ loaded: LoadedConfiguration) async -> String? {
        var options = journal.client
        options.timeout = options.timeout ?? 2
        guard let client = try? await options.connect(loaded) else { return nil }
        let explanation = try? await client.explain(job: id)
        await client.close()
        guard let explanation, explanation.state != nil, explanation.reason != .none else { return nil }
        return explanation.sentence
    }
}
