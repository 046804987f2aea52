import ArgumentParser
import Foundation
import StatexBenchmarks
import Synchronization

extension BenchCommand {
    struct GatewayBench: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "gateway",
            abstract: "What it costs the scheduler and the journal that many look on; about eight minutes.",
            discussion: """
                Jobs flow all the time. In windows with and without, in turns, a crowd is before a gateway: half of the \
                listeners each hear one request whose jobs come one after the other, half a tenant with 96 events a \
                second, one hears everything; and requests and jobs are asked for. Exits with 1 if the CPU time of \
                scheduler and Postgres for a job rises by more than a tenth, the gateway's memory grows by as much, an \
                event is lost, fewer reads are answered than asked for, or a job is missing or doubled.

                In the JSON, ratios are medians of the pairs of windows, with over without; memory is the median \
                of the last window with the crowd over that of the first, which only warms up. Postgres vacuums nothing \
                meanwhile: that costs the same whoever looks on, and would fall on one window or the other by chance.
                """)
        @Option(help: "Windows, half of them with the crowd; one to warm up comes before.") var windows = 4
        @Option(help: "Seconds of a window.") var seconds = 60
        @Option(help: "Seconds in which the crowd comes, before a window.") var lead = 35
        @Option(help: "Listeners.") var listeners = 1_000
        @Option(help: "Reads a second.") var reads = 500
        @Option(help: "Jobs a second; 0: as many as the stack takes.") var jobsPerSecond = 0
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try check(windows, "--windows", 2...100)
            try check(seconds, "--seconds", 1...3_600)
            try check(lead, "--lead", 1...600)
            try check(listeners, "--listeners", 2...3_000)
            try check(reads, "--reads", 0...10_000)
            try check(jobsPerSecond, "--jobs-per-second", 0...1_000_000)
            guard windows % 2 == 0 else { throw ValidationError("--windows must be even") }
        }

        func run() async throws {
            var bench = GatewayCost()
            bench.windows = windows
            bench.seconds = seconds
            bench.lead = lead
            bench.listeners = listeners
            bench.readsPerSecond = reads
            bench.jobsPerSecond = jobsPerSecond
            let report = try await bench.run(program: programPath()) { if isTerminal { complain($0) } }
            printReport(report.json, asJSON: json)
            guard report.isGood else { throw ExitCode.failure }
        }
    }

    struct CrowdLoad: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "crowd", abstract: "Those who look on.", shouldDisplay: false)
        @Option var endpoint: String
        @Option var gateway: String
        @Option var seconds: Int
        @Option var lead: Int
        @Option var listeners: Int
        @Option var reads: Int
        @Flag var away = false

        func run() async throws {
            var crowd = Crowd()
            crowd.endpoint = endpoint
            crowd.gateway = gateway
            crowd.token = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
            crowd.seconds = seconds
            crowd.lead = lead
            crowd.listeners = listeners
            crowd.readsPerSecond = reads
            crowd.isThere = !away
            try await crowd.main()
        }
    }

    struct SteadyJobs: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "load", abstract: "Jobs until SIGTERM.", shouldDisplay: false)
        @Option var endpoint: String
        @Option var jobsPerSecond: Int

        func run() async throws {
            final class Stop: Sendable { let isAsked = Atomic<Bool>(false) }
            let stop = Stop()
            Signals.onStop({ stop.isAsked.store(true, ordering: .relaxed) })
            try await ThroughputLoad.main(endpoint: endpoint, jobsPerSecond: jobsPerSecond) {
                stop.isAsked.load(ordering: .relaxed)
            }
        }
    }
}
