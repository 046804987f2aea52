import ArgumentParser
import Glibc
import StatexProtocol
import StatexSimulation

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Drive the real cores through seeded faults of network, processes, clock and journal.",
        discussion:
            "The same seeds give the same digest, on any number of threads. Exits 1 with violations, when a fault was never injected or never hit, or when the canary was not found; 2 for wrong flags."
    )

    @Option(help: "How many seeds.") var seeds = 1_000
    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "Go on past --seeds until so many hours were simulated.") var hours = 0.0
    @Option(help: "Threads; 0: as many as there are cores.") var threads = 0
    @Flag(help: "Print every event of one seed.") var trace = false
    @Flag(help: "Print every event of the shortest run that fails as one seed does.") var shrink = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        guard seeds >= 1, seeds <= 10_000_000 else {
            throw ValidationError("--seeds is \(seeds), it must be 1 to 10000000")
        }
        guard hours >= 0, hours <= 1_000_000 else {
            throw ValidationError("--hours is \(hours), it must be 0 to 1000000")
        }
        guard threads >= 0, threads <= 1_024 else {
            throw ValidationError("--threads is \(threads), it must be 0 to 1024")
        }
        guard !(trace || shrink) || seeds == 1 else {
            throw ValidationError("--trace and --shrink show one seed: give --seeds 1")
        }
        guard !(trace || shrink) || !json else {
            throw ValidationError("--trace and --shrink print lines of events: leave --json out")
        }
    }

    func run() throws {
        if trace { return try show(SimulationRun(seed: seed)) }
        if shrink { return try showShortest() }
        var campaign = Campaign()
        campaign.firstSeed = seed
        campaign.seeds = seeds
        campaign.hours = hours
        campaign.threads = threads > 0 ? threads : Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let shows = isTerminal && !json
        let step = max(seeds / 100, 1)
        let report = campaign.run { done in
            if shows, done % step == 0 { progress("\(done) of \(seeds) seeds") }
        }
        if shows { progress("") }
        if json { printJSON(report) } else { printText(report) }
        guard report.violations.isEmpty, report.missing(isLong: seeds >= CampaignReport.longRun).isEmpty else {
            throw ExitCode(Exit.failed.code)
        }
    }

    /// One line on stderr that is written over.
    private func progress(_ text: String) {
        var line = "\r\u{1B}[Kstatex: \(text)"
        line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private func show(_ run: SimulationRun) throws {
        let report = Simulator.run(run) { print($0) }
        for violation in report.violations { print("violation \(violation)") }
        if !report.violations.isEmpty { throw ExitCode(Exit.failed.code) }
    }

    private func showShortest() throws {
        var shrinker = Shrinker()
        guard let shortest = shrinker.shrink(SimulationRun(seed: seed)) else {
            return print("seed \(seed) finds nothing")
        }
        try show(shortest.run)
    }

    private func printText(_ report: CampaignReport) {
        print("seeds: \(report.seeds)")
        print("simulated hours: \(Int(report.simulatedHours))")
        print("events: \(report.events), jobs: \(report.jobs)")
        print("digest: \(hexadecimal(report.digest))")
        print("canary: \(report.canarySeeds.map { "found in \($0) seeds" } ?? "not found")")
        print("faults (injected, hit):")
        for fault in report.faultsByName { print("  \(fault.name): \(fault.count.injected), \(fault.count.hit)") }
        print("violations: \(report.violations.count)")
        for violation in report.violations.prefix(20) {
            print("  seed \(violation.seed): \(violation.text)")
            print("    replay: statex simulate --seeds 1 --seed \(violation.seed) --trace")
        }
        if let first = report.violations.first { describeShortest(first.seed) }
        for complaint in report.missing(isLong: seeds >= CampaignReport.longRun) { print("missing: \(complaint)") }
    }

    private func describeShortest(_ seed: UInt64) {
        var shrinker = Shrinker()
        guard let shortest = shrinker.shrink(SimulationRun(seed: seed)) else { return }
        print("  seed \(seed) still fails with \(shortest.faults) faults and \(shortest.requests) requests:")
        for violation in shortest.report.violations.prefix(1) { print("    \(violation)") }
        print("    replay: statex simulate --seeds 1 --seed \(seed) --shrink")
    }

    private func printJSON(_ report: CampaignReport) {
        var text = JSONText()
        text.object {
            $0.member("seeds", report.seeds)
            $0.member("violations", report.violations.count)
            $0.member("simulated_hours", report.simulatedHours)
            $0.member("events", report.events)
            $0.member("jobs", report.jobs)
            $0.object("faults") { faults in
                for fault in report.faultsByName {
                    faults.object(fault.name) {
                        $0.member("injected", fault.count.injected)
                        $0.member("hit", fault.count.hit)
                    }
                }
            }
            $0.member("rare_pairs", report.rarePairs.count)
            $0.member("canary_seeds", report.canarySeeds ?? 0)
            $0.member("digest", hexadecimal(report.digest))
            $0.strings("missing", report.missing(isLong: seeds >= CampaignReport.longRun))
            $0.strings(
                "violation_texts", report.violations.prefix(20).map { "seed \($0.seed): \($0.text)" })
        }
        print(String(decoding: text.bytes, as: UTF8.self))
    }

    private func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
