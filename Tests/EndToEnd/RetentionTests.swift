import StatexClient
import StatexProtocol
import Testing

@testable import StatexStack

extension EndToEnd {
    /// The journal's own tests judge what leaves; here it is that a scheduler does it by itself.
    @Suite struct RetentionTests {
        @Test func `a scheduler lets days leave that are due, and goes on`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler().stop()
                let today = try stack.number("SELECT (extract(epoch FROM now()) / 86400)::int")
                // Its days are over, whatever is configured; nothing ran on them.
                for day in [today - 20, today - 19] { _ = try stack.rows("SELECT statex.add_day(\(day))") }
                let scheduler = try stack.startScheduler()
                let client = try await stack.client()
                let handle = try await client.submit(Request(kind: "echo", payload: .text("x")))
                try await scheduler.eventually("the days that are due have left") {
                    try stack.number(
                        "SELECT count(*) FROM pg_class WHERE relname ~ '_(\(today - 20)|\(today - 19))$'") == 0
                }
                #expect(try stack.number("SELECT count(*) FROM statex.retired") == 1)
                #expect(scheduler.said.contains("retention: 2 days left the journal"), "\(scheduler.said)")
                _ = try stack.startWorker("w")
                #expect(try await handle.result().jobs[0].text == "x")
                await client.close()
            }
        }
    }
}
