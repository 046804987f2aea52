import ArgumentParser
import StatexProtocol
import StatexReads

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "List what was ordered: who, what, how far it reached, when and why; newest first.",
        discussion: "Read from the journal. Exits 4 when the database was not there.")

    @Option(help: "Of this kind: pause, resume, drain, cancel, retry, drop, configure.") var action: String?
    @Option(help: "Orders of this person or program.") var who: String?
    @Option(help: ArgumentHelp("Given after: \(When.format).", valueName: "time")) var since: When?
    @Option(help: "How many, 1 to 10000.") var limit = 50
    @Option(help: ArgumentHelp("Go on before this commit, or where the list before ended.", valueName: "n"))
    var before: String?
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var journal: JournalOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit takes 1 to 10000") }
        guard before.map({ AuditCursor($0) != nil }) ?? true else {
            throw ValidationError("--before takes the number of a commit, or what the list before ended with")
        }
        try When.check((since?.before, "--since"))
    }

    func run() async throws {
        var filter = AuditFilter()
        filter.action = action
        filter.who = who
        filter.since = since?.before.microseconds
        let list = try journal.read(journal.load(), as: "audit") { (reader) throws(ReadError) in
            try reader.audit(filter, from: before.flatMap(AuditCursor.init), limit: limit, for: .everything)
        }
        json ? print(list.text(as: "actions")) : showText(list.rows, list.next)
    }

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
