import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// Everybody comes back at once.
    @Suite struct ReconnectTests {
        @Test
        func `hundreds of workers that kept thousands of outcomes come back in one instant, and nothing is redone`()
            async throws
        {
            let (workers, slots) = (400, 50)
            try await TestStack.with(["lease_seconds": "60"]) { stack in
                let first = try stack.startScheduler()
                var crowd = Crowd(stack.workerEndpoint(), count: workers, slots: slots)
                try crowd.connect()
                try crowd.serve("they are welcome") { $0.areWelcome }
                let client = try await stack.client()
                _ = try await client.submit(bulk: BulkJobs(count: workers * slots, kind: "crowd", payload: []))
                try crowd.serve("all jobs are taken") { $0.areFull }
                try first.kill()
                // All of them knock while the next one starts.
                crowd.endAll()
                try crowd.connect()
                _ = try stack.startScheduler()
                try crowd.serve("their outcomes are durable") { $0.kept == 0 }
                let jobs = Set(crowd.leases.map(\.id))
                #expect(jobs.count == workers * slots)
                #expect(
                    try stack.rows("SELECT state, count(*) FROM statex.job_status GROUP BY 1", columns: 2) == [
                        ["succeeded", "\(workers * slots)"]
                    ])
                #expect(try stack.number("SELECT count(*) FROM statex.leases") == workers * slots)
                await client.close()
            }
        }
    }
}
