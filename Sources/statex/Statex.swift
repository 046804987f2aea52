import ArgumentParser

@main
struct Statex: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "statex", abstract: "The orchestrator and worker runtime of an AI platform.",
        version: "0.1.0",
        subcommands: [UpCommand.self, DoctorCommand.self, ConfigCommand.self, BenchCommand.self])
}
