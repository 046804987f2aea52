import ArgumentParser
import Foundation
import StatexClient
import StatexProtocol

/// The flags of every command that orders something.
struct OrderOptions: ParsableArguments {
    @Flag(help: "Say how far it would reach, and do nothing.") var dryRun = false
    @Option(help: "Why, for the audit trail.") var note: String?
    @Option(help: "Who orders it, for the audit trail (default: the user and the host).") var who: String?
    @Flag(help: "Print one JSON object.") var json = false
}

/// Gives orders to a scheduler, and says how far they reached.
struct OrderGiver {
    private var sender: OrderSender
    private let options: OrderOptions

    init(_ client: Client, _ options: OrderOptions) {
        self.options = options
        sender = OrderSender(
            client, who: options.who ?? Self.user, note: options.note ?? "", isDryRun: options.dryRun)
    }

    var reached: Int { sender.reached }

    mutating func give(_ action: OrderAction, _ filter: OrderFilter) async throws -> OrderReply {
        try await asClient { () throws(ClientError) in try await sender.give(action, filter) }
    }

    /// The same order until nothing is left that it reaches.
    mutating func giveAll(_ action: OrderAction, _ filter: OrderFilter) async throws {
        _ = try await asClient { () throws(ClientError) in try await sender.giveAll(action, filter) }
    }

    mutating func give(
        _ action: OrderAction, letters: [JobID], perSecond rate: Double?
    ) async throws -> OrderSender.LetterOutcome {
        try await asClient { () throws(ClientError) in
            try await sender.give(action, letters: letters, perSecond: rate)
        }
    }

    func report(_ action: OrderAction, _ what: String, message: String = "") {
        guard !options.json else {
            var text = JSONText()
            text.object {
                $0.member("action", action.name)
                $0.member("reached", reached)
                $0.member("dry_run", options.dryRun)
                if !message.isEmpty { $0.member("message", message) }
            }
            return print(String(decoding: text.bytes, as: UTF8.self))
        }
        let count = "\(reached) \(what)\(reached == 1 ? "" : "s")"
        print((options.dryRun ? "would reach " : "") + count + (message.isEmpty ? "" : ": \(printable(message))"))
    }

    private static var user: String {
        let environment = ProcessInfo.processInfo.environment
        let user = environment["SUDO_USER"] ?? NSUserName()
        let name = "\(user)@\(ProcessInfo.processInfo.hostName)"
        return String(decoding: name.utf8.filter { $0 != 0 }.prefix(Limits.nameBytes), as: UTF8.self)
    }
}

/// Ids as arguments.
func jobIDs(_ words: [String]) throws -> [JobID] {
    try words.map { word in
        guard let number = UInt64(word), number > 0, number < 1 << 63 else {
            throw ending(.usage, "\(printable(word)) is no id: it takes a number, as submit and jobs print it")
        }
        return JobID(rawValue: number)
    }
}
