import ArgumentParser
import Foundation
import StatexProtocol

struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "List jobs, newest first.",
        discussion: """
            Read from the journal, a page of ids at a time, for about two seconds at most: when that was not enough \
            it says from which id to go on (--before). Exits 4 when the database was not there.
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

    private static let patience = Duration.seconds(2)

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit takes 1 to 10000") }
    }

    func run() async throws {
        let states = try self.states()
        let start = try before.map { try jobIDs([$0])[0].rawValue } ?? UInt64.max >> 1
        let lists = try journal.open(journal.load(), as: "jobs")
        let (rows, next) = try read(lists, states, below: start)
        print(json ? Self.columns.json("jobs", rows, next: next) : Self.text(rows, next))
    }

    private func states() throws -> [String] {
        try state.map { name in
            guard let state = JobState.allCases.first(where: { $0.name == name }) else {
                let names = JobState.allCases.map(\.name).joined(separator: ", ")
                throw ending(.usage, "--state \(printable(name)): it takes one of \(names)")
            }
            // Whether a worker has begun is not in the journal.
            return state == .running ? JobState.leased.name : state.name
        }
    }

    /// - Returns: the rows, and below which id others may be.
    private func read(
        _ lists: borrowing JournalLists, _ states: [String], below start: UInt64
    ) throws -> (rows: [[String?]], next: String?) {
        var rows: [[String?]] = []
        var below = start
        let lowest = since.map { UInt64(max(0, $0.before.microseconds) / 3_600_000_000) << 43 } ?? 0
        let deadline = ContinuousClock.now + Self.patience
        while rows.count < limit {
            // Ids rise with time, so a page is one index look-up away however long the history is.
            let found = try lists.rows(
                """
                SELECT max(id) FROM statex.jobs WHERE id < $1::bigint AND id >= $2::bigint
                """, [String(below), String(lowest)])
            guard let text = found.first?.first, let newest = text.flatMap(UInt64.init) else { return (rows, nil) }
            guard ContinuousClock.now < deadline else { return (rows, String(below)) }
            let page = newest >> JobID.pageBits
            rows += try lists.rows(
                """
                SELECT \(Self.columns.selection) FROM statex.page_jobs($1::bigint)
                WHERE id < $2::bigint AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR tenant = $4)
                    AND ($5::text[] IS NULL OR tags @> $5) AND ($6::text[] IS NULL OR state = ANY ($6))
                    AND ($7::bigint IS NULL OR created_at >= statex.time($7))
                    AND ($8::bigint IS NULL OR created_at < statex.time($8))
                ORDER BY id DESC LIMIT \(limit - rows.count)
                """,
                [
                    String(page), String(below), kind, tenant, tag.sqlArray, states.sqlArray,
                    since.map { String($0.before.microseconds) }, until.map { String($0.before.microseconds) },
                ])
            below = page << JobID.pageBits
        }
        return (rows, rows.last?[0])
    }

    private static let columns: [ListColumn] = [
        .text("id"), .text("request"), .text("kind"), .text("tenant"), .text("state"), .number("priority"),
        .number("attempts"), .number("attempts_allowed"), .time("created_at"), .time("leased_at"), .time("ended_at"),
        .time("retry_at"), .text("worker"), .list("tags"), .text("retry_of"), .text("error_class"), .text("error"),
    ]

    private static func text(_ rows: [[String?]], _ next: String?) -> String {
        guard !rows.isEmpty else { return next.map { "none yet; go on with --before \($0)" } ?? "no such job" }
        var table = TextTable("ID", "STATE", "KIND", "TENANT", "ATTEMPTS", "SUBMITTED", "WORKER OR ERROR")
        for row in rows {
            let error = [row[15], row[16]].compactMap { $0 }.joined(separator: ": ")
            table.add([
                row[0], row[4], row[2], row[3], "\(row[6] ?? "0")/\(row[7] ?? "0")",
                shortTime(row[8]),
                row[4] == "leased" ? row[12] : error.split(separator: "\n").first.map(String.init),
            ])
        }
        return (table.lines + (next.map { ["more: --before \($0)"] } ?? [])).joined(separator: "\n")
    }
}
