import ArgumentParser
import Foundation
import StatexProtocol

struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "Show one job: its attempts, leases, workers, errors and times.",
        discussion: "Read from the journal. Exits 4 when the database was not there, 5 when it knows no such job.")

    @Argument(help: "The job's id; of a request it is that of its first job.") var id: String
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var journal: JournalOptions

    func run() async throws {
        let id = try jobIDs([id])[0]
        let lists = try journal.open(journal.load(), as: "job")
        let rows = try lists.rows("SELECT statex.job($1::bigint)", [id.description])
        guard let text = rows.first?.first ?? nil else {
            throw ending(.unknown, "no job \(id) is known: it was never submitted, or its retention is over")
        }
        guard !json, let value = try? JSONDecoder().decode(StatusValue.self, from: Data(text.utf8)) else {
            return print(text)
        }
        print(value.lines().joined(separator: "\n"))
    }
}
