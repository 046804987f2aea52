import Foundation
import StatexClient
import Testing

extension EndToEnd {
    /// Handlers that compute for many lease times and never yield.
    @Suite struct LongHandlerTests {
        /// `STATEX_LONG_HANDLERS=60` has them compute for a minute, under the product's lease time.
        private static let minute = ProcessInfo.processInfo.environment["STATEX_LONG_HANDLERS"].flatMap { Int($0) }

        @Test func `a handler that computes for twenty lease times, native or a process, keeps its one lease`()
            async throws
        {
            let seconds = Self.minute ?? 20
            try await TestStack.with(["lease_seconds": Self.minute == nil ? "1" : "10"]) { stack in
                _ = try stack.startScheduler()
                let native = try stack.startGateWorker("native", slots: 2)
                let process = try stack.startWorker("process", slots: 2, kinds: "spin-process")
                let client = try await stack.client()
                // Every slot of both workers, so more threads than the machine has cores.
                let kinds = ["spin", "spin", "spin-process", "spin-process"]
                let handles = try await client.submit(
                    contentsOf: kinds.map { Request(kind: $0, payload: .text("\(seconds)")) })
                for (kind, handle) in zip(kinds, handles) {
                    let job = try await handle.result().jobs[0]
                    #expect(job.state == .succeeded && job.attempts == 1 && job.losses == 0, "\(kind): \(job)")
                    #expect(try stack.leasesInOrder(of: job.id).map(\.attempt) == [1], "\(kind)")
                    #expect(try stack.outcomes(of: job.id) == ["succeeded=succeeded"], "\(kind)")
                    let ran = try stack.number(
                        """
                        SELECT round(extract(epoch FROM ended_at - started_at)) FROM statex.outcomes
                        WHERE page = \(job.id.page) AND job = \(job.id)
                        """)
                    #expect(ran >= seconds - 1, "\(kind) did not compute for so long")
                }
                #expect(try await client.decodedStatus().counts["stale"] == 0)
                #expect(try native.stop() == .exited(0) && process.stop() == .exited(0))
                await client.close()
            }
        }
    }
}
