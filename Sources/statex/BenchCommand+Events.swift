import ArgumentParser
import StatexBenchmarks
import Synchronization

extension BenchCommand {
    struct EventsBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "events",
            abstract: "What a subscriber to events costs the scheduler: rounds with and without one, in turns.")
        @Option(help: "Jobs of one round.") var jobs = 200_000
        @Option(help: "Rounds with a subscriber, and as many without.") var pairs = 4
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try check(jobs, "--jobs", 1_000...100_000_000)
            try check(pairs, "--pairs", 1...1_000)
        }

        func run() throws {
            var bench = EventCost()
            bench.jobs = jobs
            bench.pairs = pairs
            let report = try bench.run(program: programPath()) { if isTerminal { complain($0) } }
            printReport(report.json, asJSON: json)
        }
    }

    struct EventListener: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "subscriber", abstract: "Who hears all events and counts them.", shouldDisplay: false)
        @Option var endpoint: String

        func run() throws {
            final class Stop: Sendable { let isAsked = Atomic<Bool>(false) }
            let stop = Stop()
            Signals.onStop({ stop.isAsked.store(true, ordering: .relaxed) })
            try SubscriberProcess.main(endpoint: endpoint) { stop.isAsked.load(ordering: .relaxed) }
        }
    }
}
