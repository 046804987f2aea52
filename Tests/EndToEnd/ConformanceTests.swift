import JobQueueConformance
import Testing

extension EndToEnd {
    /// What the in-memory twin promises its users holds for the real client, scheduler, worker and journal.
    @Suite struct ConformanceTests {
        @Test func `the client behaves as every queue`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w", slots: 2)
                let client = try await stack.client()
                for behaviour in QueueBehaviour.all {
                    do { try await behaviour.run(on: client) } catch { Issue.record("\(behaviour): \(error)") }
                }
                await client.close()
            }
        }
    }
}
