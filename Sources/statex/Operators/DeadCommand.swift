import ArgumentParser
import StatexProtocol
import StatexReads

struct DeadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead", abstract: "List dead letters, or drop some.",
        discussion: "Dead letters are jobs that ended as failed or dead. `statex retry` gives them another try.",
        subcommands: [DeadListCommand.self, DeadDropCommand.self], defaultSubcommand: DeadListCommand.self)
}

struct DeadListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List dead letters, newest first, or grouped by error.",
        discussion: """
            Those that were retried or dropped are left out, but for --all. Groups have the kind, the class of the \
            error and its first line in common; they are made of the newest 100,000. Read from the journal for about \
            two seconds at most: when that was not enough it says from which id to go on (--before). Exits 4 when the \
            database was not there.
            """)

    @OptionGroup var filter: LetterOptions
    @Flag(help: "Group them by kind, class and first line of the error.") var group = false
    @Flag(help: "Also those that were retried or dropped.") var all = false
    @Option(help: "How many, 1 to 10000.") var limit = 50
    @Option(help: ArgumentHelp("Go on below this id.", valueName: "id")) var before: String?
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var journal: JournalOptions

    private static let lettersInGroups = 100_000

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit takes 1 to 10000") }
    }

    func run() async throws {
        let below = try before.map { try jobIDs([$0])[0].rawValue } ?? UInt64.max >> 1
        let filter = filter.filter
        let list = try journal.read(journal.load(), as: "dead") { (reader) throws(ReadError) in
            var walk = Walk(below: below, limit: limit, patience: JournalOptions.patience)
            guard group else { return try reader.deadLetters(filter, all: all, walk, for: .everything) }
            walk.limit = Self.lettersInGroups
            return try reader.deadLetterGroups(filter, all: all, limit: limit, walk, for: .everything)
        }
        guard !json else { return print(list.text(as: group ? "groups" : "dead")) }
        guard !list.rows.isEmpty else {
            return print(list.next.map { "none yet; go on with --before \($0)" } ?? "no dead letter")
        }
        print(
            ((group ? groups(list) : letters(list)) + (list.next.map { ["more: --before \($0)"] } ?? []))
                .joined(separator: "\n"))
    }

    private func letters(_ list: Listing) -> [String] {
        var table = TextTable("ID", "KIND", "TENANT", "STATE", "ENDED", "ERROR", "")
        for row in list.rows {
            let since = row[9].map { "retried as \($0)" } ?? (row[10] == "t" ? "dropped" : "")
            table.add([row[0], row[2], row[3], row[4], shortTime(row[5]), shortError(row[6], row[7]), since])
        }
        return table.lines
    }

    private func groups(_ list: Listing) -> [String] {
        var table = TextTable("COUNT", "KIND", "CLASS", "ERROR", "LAST", "EXAMPLE")
        for row in list.rows { table.add([row[3], row[0], row[1], row[2], shortTime(row[5]), row[6]]) }
        return table.lines
    }
}

struct DeadDropCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Leave dead letters out of lists for good.",
        discussion: """
            Nothing is deleted: a row says who dropped them, and they cannot be retried any more. Exits 3 when the \
            scheduler refused, 4 when it or the database was not there, 5 when no dead letter \
            of the ids was left.
            """)

    @OptionGroup var letters: LetterOrder

    func run() async throws { try await letters.run(.drop) }
}

struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Give dead letters another try.",
        discussion: """
            Each becomes a new job of the same request, with an id of its own and the same payload and options; the \
            old one keeps its outcome. A dead letter is retried once: ordered again, it makes no second job. An id of \
            a request means all of its dead letters. Those for which max_open_jobs or max_open_bytes, the tenant's or \
            the whole, has no room are left, and it says how many and why; so are those that wait for a job \
            which has not succeeded, itself or by a retry. Exits 3 when the scheduler refused or there was room for \
            none, 4 when it or the database was not there, 5 when no dead letter of the ids was left or may run yet.
            """)

    @OptionGroup var letters: LetterOrder

    func run() async throws { try await letters.run(.retry) }
}

/// An order about dead letters: they are looked up in the journal, and named to the scheduler a few at a time.
struct LetterOrder: ParsableArguments {
    @Argument(help: ArgumentHelp("Dead letters, or their requests.", valueName: "id")) var ids: [String] = []
    @OptionGroup var filter: LetterOptions
    @Flag(help: "All that nobody retried or dropped.") var all = false
    @Option(help: ArgumentHelp("So many a second at most.", valueName: "n")) var rate: Double?
    @Option(help: "So many at most, 1 to 100000.") var limit = 100_000
    @OptionGroup var order: OrderOptions
    @OptionGroup var journal: JournalOptions

    func validate() throws {
        guard rate ?? 1 >= 0.01, rate ?? 1 <= 100_000 else { throw ValidationError("--rate takes 0.01 to 100000") }
        guard (1...100_000).contains(limit) else { throw ValidationError("--limit takes 1 to 100000") }
    }

    func run(_ action: OrderAction) async throws {
        guard !ids.isEmpty || filter.filter != LetterFilter() || all else {
            throw ending(.usage, "nothing to \(action.name): give ids, a filter, or --all")
        }
        let loaded = try journal.load()
        let wanted = (filter: filter.filter, ids: try jobIDs(ids))
        let letters = try journal.read(loaded, as: action.name) { (reader) throws(ReadError) in
            guard wanted.ids.isEmpty else {
                return try reader.deadLetterIDs(wanted.filter, of: wanted.ids, limit: limit, for: .everything)
            }
            // Who waits here holds up nobody else, and can stop it.
            let search = LetterSearch(limit: limit, patience: .seconds(86_400))
            return try reader.deadLetterIDs(wanted.filter, search, for: .everything).ids
        }
        let client = try await journal.client.connect(loaded)
        var giver = OrderGiver(client, order)
        let outcome = try await giver.give(action, letters: letters, perSecond: rate)
        if giver.reached == 0, let shortfall = outcome.shortfall { throw ending(.refused, shortfall) }
        // A long list of new ids is for `statex dead --all`.
        var message = outcome.messages.first ?? ""
        if outcome.messages.count > 1 {
            let left = letters.count - giver.reached
            message = outcome.shortfall.map { "\(left) of \(letters.count) not, in the last order: \($0)" } ?? ""
        }
        if let unexplained = outcome.unexplained { message += (message.isEmpty ? "" : "; ") + unexplained }
        giver.report(action, "dead letter", message: message)
        await client.close()
        if !ids.isEmpty, giver.reached == 0 {
            let none = "no dead letter of these ids that nobody retried or dropped (statex dead --all)"
            throw ending(.unknown, outcome.unexplained ?? none)
        }
    }
}
