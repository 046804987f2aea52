import ArgumentParser
import Foundation
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
        if found.isOpen, let why = await waitingReasons(of: [id], journal.client, loaded)[id] {
            var member = JSONText()
            member.object { $0.member("waiting_because", why) }
            text = text.dropLast() + "," + String(decoding: member.bytes.dropFirst(), as: UTF8.self)
        }
        guard !json, let value = try? JSONDecoder().decode(StatusValue.self, from: Data(text.utf8)) else {
            return print(text)
        }
        print(value.lines().joined(separator: "\n"))
    }
}
