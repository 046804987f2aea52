import ArgumentParser
import Glibc
import StatexBenchmarks
import StatexProtocol
import StatexThreads

extension ReturnToNormal.Phase: ExpressibleByArgument {}
extension JournalFault: ExpressibleByArgument {}

extension BenchCommand {
    struct RecoveryBench: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "recovery",
            abstract: "Three faults, and how soon everything is normal after each; about six minutes.",
            discussion: """
                A kind that fails, a journal that is stopped, five hundred workers that come back all at once: each for \
                a minute, with two workers whose slots are always full. Exits with 1 if a job is missing or doubled, or \
                if something was not normal within 10 s.

                In the JSON, throughputs are final outcomes a second, in the journal; seconds count from the end \
                of the fault. recovered_in_seconds: from when on, for ten seconds, the mean of any three seconds, none \
                of them counted for more than the throughput before, is at least 95% of that; of all jobs and of each \
                kind, the longest, or admitted_in_seconds if that is longer: until a submit of a second client, which sends one \
                job each 100 ms, was acknowledged. \
                throughput_after begins 10 s after the end. missing: acknowledged jobs without a final outcome; \
                doubled: with more than one; dead: with attempts used up. journal_ready_seconds: until Postgres took \
                connections again; slowest_welcome_seconds: until all of the storm were connected, at worst.
                """)
        @Option(help: "Only these: failing_kind, journal_stopped, reconnect_storm.") var only: [ReturnToNormal.Phase] =
            []
        @Option(help: "How the journal is stopped: stop (its processes hang) or restart (an immediate shutdown).")
        var journalFault = JournalFault.stop
        @Option(help: "Seconds of each fault.") var faultSeconds = 60
        @Option(help: "Seconds that are measured before it.") var beforeSeconds = 15
        @Option(help: "Seconds that are measured after it.") var afterSeconds = 30
        @Option(help: "Connections of the storm.") var connections = 500
        @Option(help: "Slots of each of the two workers.") var slots = 8
        @Option(help: "Milliseconds that a job takes.") var jobMs = 2
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try check(faultSeconds, "--fault-seconds", 1...3_600)
            try check(beforeSeconds, "--before-seconds", 3...3_600)
            try check(afterSeconds, "--after-seconds", 21...3_600)
            try check(connections, "--connections", 1...900)
            try check(slots, "--slots", 1...1_024)
            try check(jobMs, "--job-ms", 0...10_000)
        }

        func run() async throws {
            var bench = ReturnToNormal()
            if !only.isEmpty { bench.phases = only }
            bench.journalFault = journalFault
            bench.faultSeconds = faultSeconds
            bench.beforeSeconds = beforeSeconds
            bench.afterSeconds = afterSeconds
            bench.connections = connections
            bench.slots = slots
            bench.jobMilliseconds = jobMs
            let report = try await bench.run(program: programPath()) { if isTerminal { complain($0) } }
            print(json ? String(decoding: report.json.bytes, as: UTF8.self) : report.lines.joined(separator: "\n"))
            guard report.isGood else { throw ExitCode.failure }
        }
    }

    struct IdleBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "idle", abstract: "What workers cost that are connected and have nothing to do; two minutes.")
        @Option(help: "How many.") var connections = 1_000
        @Option(help: "Seconds of each measurement, without them and with them.") var seconds = 60
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try check(connections, "--connections", 1...5_000)
            try check(seconds, "--seconds", 1...3_600)
        }

        func run() throws {
            var bench = IdleCost()
            bench.connections = connections
            bench.seconds = seconds
            let report = try bench.run(program: programPath()) { if isTerminal { complain($0) } }
            printReport(report.json, asJSON: json)
        }
    }

    struct WorkerLoad: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "worker", abstract: "A worker of a benchmark.", shouldDisplay: false)
        @Option var endpoint: String
        @Option var slots: Int
        @Option var name: String
        @Option var kind: [String]
        @Option var `switch`: String

        func run() async throws {
            try await BenchWorker.main(
                endpoint: endpoint, slots: slots, name: name, kinds: kind, switchPath: `switch`)
        }
    }

    struct StormLoad: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "storm", abstract: "Connections that come back at each SIGHUP.", shouldDisplay: false)
        @Option var endpoint: String
        @Option var connections: Int

        func run() throws {
            let strikes = try Wakeup()
            Signals.onStop({ Glibc.exit(0) }, hangUp: { strikes.signal() })
            try Storm.main(endpoint: endpoint, connections: connections, strikes: strikes)
        }
    }
}
