import Foundation
import Testing

extension EndToEnd {
    /// Processes are killed, frozen and stopped at random moments under load, in runs of a few seconds.
    @Suite struct ChaosTests {
        /// `STATEX_CHAOS_SEED` replays one; `scripts/chaos` runs as many as one likes.
        private static let seeds: [UInt64] = {
            guard let text = ProcessInfo.processInfo.environment["STATEX_CHAOS_SEED"] else { return Array(1...20) }
            return text.split(separator: ",").compactMap { UInt64($0) }
        }()

        @Test(arguments: seeds)
        func `every acknowledged job ends exactly once, whatever is killed`(seed: UInt64) async throws {
            let plan = ChaosPlan(seed: seed)
            let (complaints, summary) = try await ChaosRun(plan: plan).complaints()
            print("seed \(seed): \(summary)")
            if !complaints.isEmpty {
                Issue.record(
                    """
                    seed \(seed); replay with: scripts/chaos --seed \(seed)
                    \(plan)
                    \(complaints.count) complaints: \(complaints.prefix(20).joined(separator: "\n"))
                    \(complaints.suffix(2).joined(separator: "\n"))
                    """)
            }
        }
    }
}
