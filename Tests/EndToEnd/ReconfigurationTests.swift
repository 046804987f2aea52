import Glibc
import StatexClient
import Testing

extension EndToEnd {
    /// The configuration is read again while the scheduler runs.
    @Suite struct ReconfigurationTests {
        @Test func `SIGHUP takes a new limit over, records it, and refuses a broken file with the reason`()
            async throws
        {
            try await TestStack.with(["kinds": "{sleep: {limit: {running: 0}}}"]) { stack in
                let scheduler = try stack.startScheduler()
                let client = try await stack.client()
                _ = try stack.startWorker("w", slots: 4)
                let handle = try await client.submit(Request(kind: "sleep", payload: .text(#"{"ms": 1}"#)))

                try stack.configure(["kinds": "{sleep: {limit: {runing: 4}}}"])
                scheduler.signal(SIGHUP)
                try await scheduler.eventually("status says why the file was refused") {
                    try await client.schedulerStatus().contains("did you mean `running`?")
                }
                #expect(try stack.number("SELECT count(*) FROM statex.actions") == 0)
                #expect(try await handle.status().jobs[0].state == .queued)

                try stack.configure(["kinds": "{sleep: {limit: {running: 4}}}", "slots": "7"])
                scheduler.signal(SIGHUP)
                #expect(try await handle.result().state == .succeeded)
                #expect(
                    try stack.rows("SELECT action, who, note FROM statex.actions", columns: 3) == [
                        [
                            "configure", "configuration \(stack.directory)/statex.yaml",
                            "kinds.sleep.limit.running: 0 to 4",
                        ]
                    ])
                #expect(scheduler.said.contains("from the next start on: slots: 2 to 7"))
                await client.close()
            }
        }
    }
}
