import ArgumentParser
import Glibc
import StatexProbes

@main
struct Statex: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "statex", abstract: "The orchestrator and worker runtime of an AI platform.",
        discussion: """
            Each setting has a key, explained in config/statex.yaml: a file (--config), the environment (STATEX_ and \
            the key in capitals) and flags set it, in that rising order. `statex config` says what holds.

            Every command ends with one of these exit codes:
            \(Exit.table)
            """,
        version: statexVersion,
        groupedSubcommands: [
            CommandGroup(
                name: "Run:",
                subcommands: [UpCommand.self, SchedulerCommand.self, WorkerCommand.self, GatewayCommand.self]),
            CommandGroup(
                name: "Use:",
                subcommands: [SubmitCommand.self, StatusCommand.self, ExplainCommand.self, TokenCommand.self]),
            CommandGroup(
                name: "Operate:",
                subcommands: [
                    JobsCommand.self, JobCommand.self, CancelCommand.self, RetryCommand.self, DeadCommand.self,
                    WorkersCommand.self, DrainCommand.self, PauseCommand.self, ResumeCommand.self, TopCommand.self,
                    EventsCommand.self, AuditCommand.self, WebhooksCommand.self,
                ]),
            CommandGroup(
                name: "Inspect:",
                subcommands: [
                    DoctorCommand.self, VerifyCommand.self, ConfigCommand.self, SchedulesCommand.self, SQLCommand.self,
                ]),
            CommandGroup(name: "Maintain:", subcommands: [JournalCommand.self, ObjectsCommand.self, KeysCommand.self]),
            CommandGroup(name: "Measure:", subcommands: [BenchCommand.self, SimulateCommand.self]),
        ])

    /// As ArgumentParser does it, but for what it cannot know: arguments that are no text, options by the
    /// thousand, and our exit codes.
    static func main() async {
        if let fault = Arguments.fault(in: Arguments.raw) { exit(withError: ending(.usage, fault)) }
        var words = Array(CommandLine.arguments.dropFirst())
        var repeated = RepeatedOptions()
        if let command = words.first, command == SubmitCommand.configuration.commandName {
            words = [command] + repeated.take(SubmitCommand.repeatable, from: Array(words.dropFirst()))
        }
        do {
            var command = try parseAsRoot(words)
            if var submit = command as? SubmitCommand {
                submit.add(repeated)
                try await submit.run()
            } else if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            leave(error)
        }
    }

    private static func leave(_ error: any Error) -> Never {
        let code = exitCode(for: error)
        guard code == .validationFailure else { exit(withError: error) }
        // The parser's own code is 64.
        complain(String(fullMessage(for: error).trimmingPrefix("Error: ")))
        Glibc.exit(Exit.usage.code)
    }
}
