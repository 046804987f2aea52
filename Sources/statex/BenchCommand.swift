import ArgumentParser
import Foundation
import StatexBenchmarks
import StatexJournal
import StatexProtocol
import StatexStack

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure this machine, and Statex on it, in a private stack.",
        subcommands: [
            Limit.self, ThroughputBench.self, LatencyBench.self, BacklogBench.self, SnapshotBench.self,
            SkewBench.self, FairnessBench.self, LimitsBench.self, RecoveryBench.self, IdleBench.self, EventsBench.self,
            ClientLoad.self, WorkerLoad.self,
            StormLoad.self, EventListener.self, GatewayBench.self, CrowdLoad.self, SteadyJobs.self,
        ])

    struct Limit: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The floor of this Postgres and the journal, each alone.")
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            let (floor, journal) = try JournalLimit.run()
            var text = JSONText()
            text.object {
                $0.member("floor_jobs_per_second", floor.rounded())
                $0.member("journal_jobs_per_second", journal.rounded())
            }
            printReport(text, asJSON: json)
        }
    }

    struct ThroughputBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "throughput", abstract: "Client, scheduler, noop workers and Postgres: durable jobs a second.")
        @Option(help: "How many jobs.") var jobs = 400_000
        @Option(help: "Bytes of each payload.") var payloadBytes = 256
        @Option(help: "Worker processes.") var workers = 1
        @Option(help: "Slots of each worker.") var slots = 2
        @Option(help: "Jobs in one message.") var jobsInMessage = 500
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try check(jobs, "--jobs", 1...100_000_000)
            try check(payloadBytes, "--payload-bytes", 0...Limits.inlineBytes)
            try check(workers, "--workers", 1...1_024)
            try check(slots, "--slots", 1...1_024)
            try check(jobsInMessage, "--jobs-in-message", 1...Limits.recordsInMessage)
        }

        func run() throws {
            var bench = Throughput()
            bench.jobs = jobs
            bench.payloadBytes = payloadBytes
            bench.workers = workers
            bench.slots = slots
            bench.jobsInMessage = jobsInMessage
            let report = try bench.run(program: programPath()) { if isTerminal { complain($0) } }
            printReport(report.json, asJSON: json)
            guard report.missing == 0, report.doubled == 0 else { throw ExitCode.failure }
        }
    }

    struct LatencyBench: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "latency", abstract: "One job at a time, submit to durable result, beside a bare commit.")
        @Option(help: "How many jobs.") var jobs = 500
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws { try check(jobs, "--jobs", 1...1_000_000) }

        func run() async throws {
            var bench = Latency()
            bench.jobs = jobs
            let report = try await bench.run(program: programPath()) { if isTerminal { complain($0) } }
            printReport(report.json, asJSON: json)
        }
    }

    struct BacklogBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "backlog", abstract: "What a waiting job costs in memory and on the disk.")
        @Option(help: "How many jobs.") var jobs = 1_000_000
        @Option(help: "Bytes of each payload.") var payloadBytes = 256
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try check(jobs, "--jobs", 1...100_000_000)
            try check(payloadBytes, "--payload-bytes", 0...Limits.inlineBytes)
        }

        func run() throws {
            var bench = Backlog()
            bench.jobs = jobs
            bench.payloadBytes = payloadBytes
            let report = try bench.run(program: programPath()) { if isTerminal { complain($0) } }
            printReport(report.json, asJSON: json)
        }
    }

    struct SnapshotBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "snapshot", abstract: "What another transaction's open snapshot costs; about five minutes.")
        @Option(help: "Windows with and without, each so many.") var pairs = 6
        @Option(help: "Seconds of a window.") var windowSeconds = 10
        @Option(help: "Seconds of the long hold.") var holdSeconds = 120
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try check(pairs, "--pairs", 1...1_000)
            try check(windowSeconds, "--window-seconds", 1...3_600)
            try check(holdSeconds, "--hold-seconds", 1...3_600)
        }

        func run() throws {
            var bench = SnapshotHold()
            bench.pairs = pairs
            bench.windowSeconds = windowSeconds
            bench.holdSeconds = holdSeconds
            let report = try bench.run(program: programPath()) { if isTerminal { complain($0) } }
            printReport(report.json, asJSON: json)
        }
    }

    struct SkewBench: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "skew",
            abstract: "Short and long jobs mixed on two workers, beside an ideal list scheduler; about a minute.")
        @Option(help: "Seeds 1 to this, each with and without stealing.") var seeds = 5
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws { try check(seeds, "--seeds", 1...1_000) }

        func run() async throws {
            var bench = Skew()
            bench.seeds = 1...UInt64(seeds)
            let report = try await bench.run(program: programPath()) { if isTerminal { complain($0) } }
            printReport(report.json, asJSON: json)
        }
    }

    struct FairnessBench: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fairness", abstract: "Tenants beside each other: a late one, and weights 1 and 3.")
        @Flag(help: "Print one JSON object.") var json = false

        func run() async throws {
            let report = try await Fairness().run(program: programPath()) { if isTerminal { complain($0) } }
            printReport(report.json, asJSON: json)
        }
    }

    struct ClientLoad: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "client", abstract: "The load alone.", shouldDisplay: false)
        @Option var endpoint: String
        @Option var jobs: Int
        @Option var kind = "noop"
        @Option var payloadBytes: Int
        @Option var jobsInMessage = 500
        @Flag var noWait = false
        @Flag var forever = false

        func run() async throws {
            try await ClientProcess.main(
                endpoint: endpoint, jobs: jobs, kind: kind, payloadBytes: payloadBytes, jobsInMessage: jobsInMessage,
                waits: !noWait, forever: forever)
        }
    }
}

func check(_ value: Int, _ option: String, _ range: ClosedRange<Int>) throws {
    guard range.contains(value) else {
        throw ValidationError("\(option) is \(value), it takes \(range.lowerBound) to \(range.upperBound)")
    }
}

/// One JSON object, or its members as lines for people.
func printReport(_ report: JSONText, asJSON: Bool) {
    guard !asJSON, let value = try? JSONDecoder().decode(StatusValue.self, from: Data(report.bytes)) else {
        return print(String(decoding: report.bytes, as: UTF8.self))
    }
    print(value.lines().joined(separator: "\n"))
}

/// This executable's path.
func programPath() -> String {
    var buffer = [CChar](repeating: 0, count: 4_096)
    let length = readlink("/proc/self/exe", &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(length, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
