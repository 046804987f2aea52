import CLinux
import StatexThreads
import Synchronization

/// Many seeds, on all cores. What it finds does not depend on how many threads ran it.
package struct Campaign: Sendable {
    package var firstSeed: UInt64 = 1
    package var seeds = 1_000
    /// Goes on past `seeds` until so many hours were simulated.
    package var hours = 0.0
    package var threads = 1
    /// The canary must be found within so many seeds.
    private static let canarySeeds = 200

    package init() {}

    /// - Parameter progress: is told after each seed how many are done; from any thread.
    package func run(progress: @escaping @Sendable (Int) -> Void = { _ in }) -> CampaignReport {
        let shared = Shared()
        let threads = (0..<max(threads, 1)).map { number in
            NamedThread("simulate \(number)", stackBytes: 8 << 20) {
                while let offset = shared.state.withLock({ $0.take(of: self) }) {
                    let seed = firstSeed &+ UInt64(offset)
                    // If a core traps, the backtrace names the thread.
                    clinux_name_thread("seed \(seed)")
                    let report = Simulator.run(seed: seed)
                    progress(shared.state.withLock { $0.put(report, at: offset) })
                }
            }
        }
        for thread in threads { thread.join() }
        var report = CampaignReport(faults: Faults.all.count)
        for seed in shared.state.withLock({ $0.inOrder }) where !isEnough(report.seeds, report.simulatedHours) {
            report.add(seed)
        }
        report.canarySeeds = huntCanary()
        return report
    }

    private func isEnough(_ seeds: Int, _ simulatedHours: Double) -> Bool {
        seeds >= self.seeds && simulatedHours >= hours
    }

    /// - Returns: how many seeds it took to find the canary; nil: it was not found.
    private func huntCanary() -> Int? {
        for offset in 0..<Self.canarySeeds {
            let run = SimulationRun(seed: firstSeed &+ UInt64(offset), hasCanary: true)
            if !Simulator.run(run).violations.isEmpty { return offset + 1 }
        }
        return nil
    }

    /// What the threads share.
    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private struct State {
        private var next = 0
        private var reports: [SimulationReport?] = []
        private var done = 0
        private var hours = 0.0

        mutating func take(of campaign: Campaign) -> Int? {
            guard !campaign.isEnough(next, hours) else { return nil }
            next += 1
            reports.append(nil)
            return next - 1
        }

        mutating func put(_ report: SimulationReport, at offset: Int) -> Int {
            reports[offset] = report
            done += 1
            hours += report.simulatedSeconds / 3_600
            return done
        }

        var inOrder: [SimulationReport] { reports.compactMap { $0 } }
    }
}
