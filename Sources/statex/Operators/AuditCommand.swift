import ArgumentParser
import StatexProtocol

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "List what was ordered: who, what, how far it reached, when and why; newest first.",
        discussion: "Read from the journal. Exits 4 when the database was not there.")

    @Option(help: "Of this kind: pause, resume, drain, cancel, retry, drop, configure.") var action: String?
    @Option(help: "Orders of this person or program.") var who: String?
    @Option(help: ArgumentHelp("Given after: \(When.format).", valueName: "time")) var since: When?
    @Option(help: "How many, 1 to 10000.") var limit = 50
    @Option(help: ArgumentHelp("Go on before this commit.", valueName: "n")) var before: String?
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var journal: JournalOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit takes 1 to 10000") }
        guard before.map({ Int64($0) != nil }) ?? true else { throw ValidationError("--before takes a number") }
    }

    func run() async throws {
        let lists = try journal.open(journal.load(), as: "audit")
        let rows = try lists.rows(
            """
            SELECT \(Self.columns.selection) FROM statex.actions
            WHERE ($1::text IS NULL OR action = $1) AND ($2::text IS NULL OR who = $2)
                AND ($3::bigint IS NULL OR at >= $3) AND ($4::bigint IS NULL OR batch < $4)
            ORDER BY batch DESC LIMIT \(limit)
            """, [action, who, since.map { String($0.before.microseconds) }, before])
        let next = rows.count == limit ? rows.last?[0] : nil
        json ? print(Self.columns.json("actions", rows, next: next)) : showText(rows, next)
    }

    // Ids are the texts that JSON has everywhere; a long list is cut, the table has it whole.
    private static let columns: [ListColumn] = [
        .text("batch"), .time("at", "statex.time(at)"), .text("action"), .text("who"), .json("filter"), .text("note"),
        .number("reached"), .json("ids", "array_to_json(ids[1:100]::text[])"),
    ]

    /// What was meant: by a filter, or by ids.
    private static func subject(_ filter: String?, _ ids: String?) -> String? {
        guard filter == nil || filter == "{}", let ids, ids != "[]", ids != "{}" else { return filter }
        let words = ids.filter { $0.isNumber || $0 == "," }.split(separator: ",")
        return words.prefix(3).joined(separator: ", ") + (words.count > 3 ? ", …" : "")
    }

    private func showText(_ rows: [[String?]], _ next: String?) {
        guard !rows.isEmpty else { return print("nothing was ordered") }
        var table = TextTable("WHEN", "WHO", "ACTION", "REACHED", "WHAT", "NOTE")
        for row in rows {
            table.add([shortTime(row[1]), row[3], row[2], row[6], Self.subject(row[4], row[7]), row[5]])
        }
        print((table.lines + (next.map { ["more: --before \($0)"] } ?? [])).joined(separator: "\n"))
    }
}
