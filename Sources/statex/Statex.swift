import ArgumentParser

@main
struct Statex: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "statex", abstract: "The orchestrator and worker runtime of an AI platform.",
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(name: "Run:", subcommands: [UpCommand.self, SchedulerCommand.self, WorkerCommand.self]),
            CommandGroup(name: "Use:", subcommands: [SubmitCommand.self, StatusCommand.self]),
            CommandGroup(
                name: "Inspect:",
                subcommands: [DoctorCommand.self, VerifyCommand.self, ConfigCommand.self, SQLCommand.self]),
            CommandGroup(name: "Measure:", subcommands: [BenchCommand.self, SimulateCommand.self]),
        ])
}
