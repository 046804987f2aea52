import ArgumentParser
import Foundation
import StatexJournal
import StatexPostgres
import StatexProtocol

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "Look after a journal while no scheduler runs.",
        subcommands: [AdoptCommand.self])
}

struct AdoptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt", abstract: "Take a restored journal as it is: give it a new incarnation.",
        discussion: """
            To be run once after a restore from a backup or a failover that lost commits, before a scheduler starts. \
            Leases, outcomes and sessions from before are then known as such, and no id that was given after the \
            restored point is given again. Says what it will do and asks; where nobody can be asked, --yes is needed, \
            and without it nothing is done.

            Exit codes: 0 adopted; 2 not confirmed, nothing was done; 4 the database could not be used; \
            76 a scheduler owns the journal.
            """)

    @Option(help: "The Postgres of the journal, as a libpq URL.") var database: String
    @Flag(help: "Do it without asking.") var yes = false
    @Flag(help: "Print one JSON object: what was done, or without --yes what would be.") var json = false

    func run() throws {
        var settings = JournalSettings(
            url: database, owner: Owner(number: .random(in: 1...UInt64.max), name: "statex journal adopt"))
        // A scheduler that was just stopped may still be known to Postgres.
        settings.courtesySeconds = 3
        let adoption: Adoption
        let isDone: Bool
        do throws(AdoptError) {
            (adoption, isDone) = try settings.adopt(confirm: confirmed)
        } catch {
            if case .held = error { throw ending(.owned, error.description) }
            throw ending(.unreachable, error.description)
        }
        if json {
            printJSON(adoption, isDone)
        } else if isDone {
            print("adopted: a scheduler may start")
        }
        if !isDone { throw ending(.usage, "nothing was done; --yes does it") }
    }

    private func confirmed(_ adoption: Adoption) -> Bool {
        if !json {
            for (name, before, after) in lines(adoption) { print("\(name): \(before) -> \(after)") }
        }
        if yes { return true }
        guard !json, isatty(STDIN_FILENO) == 1 else { return false }
        FileHandle.standardError.write(Data("Adopt the journal as it is? [y/N] ".utf8))
        return ["y", "yes"].contains(readLine()?.lowercased() ?? "")
    }

    private func lines(_ adoption: Adoption) -> [(String, String, String)] {
        let (before, after) = (adoption.before, adoption.after)
        return [
            ("incarnation", String(before.incarnation, radix: 16), String(after.incarnation, radix: 16)),
            ("commit", "\(before.batch) of \(time(adoption.lastCommitAt))", "\(after.batch)"),
            ("epoch", "\(before.epoch)", "\(after.epoch)"),
            ("next job id", "\(before.nextID)", "\(after.nextID)"),
        ]
    }

    private func time(_ microseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(microseconds) / 1_000_000).formatted(.iso8601)
    }

    private func printJSON(_ adoption: Adoption, _ isDone: Bool) {
        var text = JSONText()
        text.object {
            $0.member("adopted", isDone)
            $0.member("last_commit_at", time(adoption.lastCommitAt))
            for (name, head) in [("before", adoption.before), ("after", adoption.after)] {
                $0.object(name) {
                    $0.member("incarnation", String(head.incarnation, radix: 16))
                    $0.member("batch", Int(head.batch))
                    $0.member("epoch", Int(head.epoch))
                    $0.member("next_id", String(head.nextID))
                }
            }
        }
        print(String(decoding: text.bytes, as: UTF8.self))
    }
}
