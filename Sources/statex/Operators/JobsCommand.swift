import ArgumentParser
import Foundation
import StatexProtocol
import StatexReads

struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "List jobs, newest first.",
        discussion: """
            Read from the journal, a page of ids at a time, for about two seconds at most: when that was not enough \
            it says from which id to go on (--before). Why jobs wait is asked of the scheduler, if it is there. Exits 4 when the database was not there.
            """)

    @Option(help: "Jobs in this state; repeatable: any of them.") var state: [String] = []
    @Option(help: "Jobs of this kind.") var kind: String?
    @Option(help: "Jobs of this tenant.") var tenant: String?
    @Option(help: "Jobs that have this tag; repeatable: all of them.") var tag: [String] = []
    @Option(help: ArgumentHelp("Submitted after: \(When.format).", valueName: "time")) var since: When?
    @Option(help: ArgumentHelp("Submitted before.", valueName: "time")) var until: When?
    @Option(help: "How many, 1 to 10000.") var limit = 50
    @Option(help: ArgumentHelp("Go on below this id.", valueName: "id")) var before: String?
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var journal: JournalOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit takes 1 to 10000") }
        try When.check((since?.before, "--since"), (until?.before, "--until"))
    }

    func run() async throws {
        var filter = JobFilter()
        filter.states = try states()
        filter.kind = kind
        filter.tenant = tenant
        filter.tags = tag
        filter.since = since?.before.microseconds
        filter.until = until?.before.microseconds
        let wanted = filter
        let start = try before.map { try jobIDs([$0])[0].rawValue } ?? UInt64.max >> 1
        let loaded = try journal.load()
        let list = try journal.read(loaded, as: "jobs") { (reader) throws(ReadError) in
            try reader.jobs(
                wanted, Walk(below: start, limit: limit, patience: JournalOptions.patience), for: .everything)
        }
        let open = list.rows.filter { Self.openNames.contains($0[4] ?? "") }.compactMap(Self.id)
        let reasons = await waitingReasons(of: open, journal.client, loaded)
        let shown = list.adding("waiting_because") { row in Self.id(row).flatMap { reasons[$0] } }
        print(json ? shown.text(as: "jobs") : Self.text(shown.rows, shown.next))
    }

    private static let openNames = Set(JobState.allCases.filter { !$0.isFinal }.map(\.name))

    private static func id(_ row: JournalReader.Row) -> JobID? {
        row.first.flatMap { $0 }.flatMap(UInt64.init).map(JobID.init(rawValue:))
    }

    private func states() throws -> [JobState] {
        try state.map { name in
            guard let state = JobState.allCases.first(where: { $0.name == name }) else {
                let names = JobState.allCases.map(\.name).joined(separator: ", ")
                throw ending(.usage, "--state \(printable(name)): it takes one of \(names)")
            }
            return state
        }
    }

    private static func text(_ rows: [[String?]], _ next: String?) -> String {
        guard !rows.isEmpty else { return next.map { "none yet; go on with --before \($0)" } ?? "no such job" }
        var table = TextTable("ID", "STATE", "KIND", "TENANT", "ATTEMPTS", "SUBMITTED", "WORKER, REASON OR ERROR")
        for row in rows {
            table.add([
                row[0], row[4], row[2], row[3], "\(row[6] ?? "0")/\(row[7] ?? "0")",
                shortTime(row[8]),
                row[4] == "leased" ? row[12] : row[17] ?? shortError(row[15], row[16]),
            ])
        }
        return (table.lines + (next.map { ["more: --before \($0)"] } ?? [])).joined(separator: "\n")
    }
}
