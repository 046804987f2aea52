import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// More waits than memory keeps.
    @Suite struct BacklogTests {
        @Test func `a backlog larger than the payload cache drains with the right payloads`() async throws {
            try await TestStack.with(["payload_cache": "1 MiB"]) { stack in
                let scheduler = try stack.startScheduler()
                let client = try await stack.client()
                let handles = try await client.submit(contentsOf: (0..<500).map(Self.request))
                _ = try stack.startWorker("w", slots: 4)
                for (number, handle) in handles.enumerated() {
                    #expect(try await handle.result().jobs[0].result == Self.payload(number))
                }
                try await scheduler.eventually("status says that payloads were read back") {
                    try await client.decodedStatus().counts["payload_reads"] ?? 0 > 100
                }
                await client.close()
            }
        }

        @Test func `after a restart every payload comes from the journal`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let client = try await stack.client()
                let handles = try await client.submit(contentsOf: (0..<300).map(Self.request))
                try first.kill()
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w", slots: 4)
                for (number, handle) in handles.enumerated() {
                    #expect(try await handle.result().jobs[0].result == Self.payload(number))
                }
                await client.close()
            }
        }

        @Sendable private static func request(_ number: Int) -> Request {
            Request(kind: "echo", payload: payload(number))
        }

        private static func payload(_ number: Int) -> Payload {
            .bytes([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 60_000) + Array("\(number)".utf8))
        }
    }
}
