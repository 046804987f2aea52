import ArgumentParser

@main
struct Statex: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "statex", abstract: "The orchestrator and worker runtime of an AI platform.",
        subcommands: [
            SubmitCommand.self, StatusCommand.self, WorkerCommand.self, SchedulerCommand.self, BenchCommand.self,
            VerifyCommand.self, SQLCommand.self,
        ])
}
