import ArgumentParser
import StatexBenchmarks

extension BenchCommand {
    struct LimitsBench: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "limits",
            abstract: "Limits of a kind: whether they hold while workers crash, and what they cost; about two minutes.",
            discussion: """
                Exits with 1 if a limit was passed by more than one job, a job is missing or doubled, or the costs are \
                more than they may be.

                In the JSON, crashes is judged by the rows of the journal: running_most is the number of live leases \
                after the commit that left most of them; starts_in_second_most and leases_in_second_most are attempts \
                that began, and leases that were committed, within one second, at most; the limit of both is the rate \
                and the burst. beside_backlog: a kind without limits, alone and beside a backlog of a limited one; \
                ratio must be at least 0.9. limit_that_does_not_bind: the scheduler's CPU time for a job of a kind \
                without and with limits that are far away; ratio must be at most 1.05. Ratios are medians of pairs.
                """)
        @Option(help: "Seconds in which workers crash.") var crashSeconds = 60
        @Option(help: "Pairs of measurements, with and without.") var pairs = 5
        @Option(help: "Jobs of one measurement.") var jobs = 300_000
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            try check(crashSeconds, "--crash-seconds", 1...3_600)
            try check(pairs, "--pairs", 1...1_000)
            try check(jobs, "--jobs", 1_000...100_000_000)
        }

        func run() async throws {
            var bench = KindLimits()
            bench.crashSeconds = crashSeconds
            bench.pairs = pairs
            bench.jobsInWindow = jobs
            let report = try await bench.run(program: programPath()) { if isTerminal { complain($0) } }
            printReport(report.json, asJSON: json)
            guard report.isGood else { throw ExitCode.failure }
        }
    }
}
