import ArgumentParser
import StatexBenchmarks
import StatexJournal

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure this machine and Statex on it.", subcommands: [Limit.self])

    struct Limit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "The floor of Postgres and the journal, each alone.")
        @Option(help: "A database to measure in, instead of a private one.") var database: String
        @Flag(help: "Print one JSON object.") var json = false

        func run() async throws {
            let floor = try Floor.run(url: database)
            let journal = try JournalLoad.run(url: database, owner: Owner(number: .random(in: 1...UInt64.max), name: "bench"))
            print("{\"floor_jobs_per_second\": \(Int(floor)), \"journal_jobs_per_second\": \(Int(journal))}")
        }
    }
}
