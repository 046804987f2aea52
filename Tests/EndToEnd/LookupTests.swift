import StatexPostgres
import StatexProtocol
import Testing

@testable import StatexStack

extension EndToEnd {
    /// Questions that only the journal can answer.
    @Suite struct LookupTests {
        @Test func `who asks more than the journal can answer is told to wait, and is answered when it can`()
            async throws
        {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let holder = try stack.connection()
                try holder.run("BEGIN; LOCK TABLE statex.results IN ACCESS EXCLUSIVE MODE", doing: "hold answers")
                let client = try RawClient(stack.submitEndpoint(), producer: Producer(high: 8, low: 1))
                // Two messages are as many as may be unanswered.
                for number: UInt64 in 0..<4 { try client.ask(from: number << 12 | 1, count: 4_000) }
                let fault = try client.fault()
                #expect(fault.code == WireError.Code.busy.rawValue && fault.retryAfterMilliseconds > 0)
                try holder.run("COMMIT", doing: "let go")
                var answered = 0
                while answered < 8_000 { answered += try client.results() }
                #expect(answered == 8_000)
            }
        }
    }
}
