import Glibc
import StatexClient
import StatexProtocol
import Testing

@testable import StatexStack

extension EndToEnd {
    /// A journal that was restored is adopted before a scheduler runs on it.
    @Suite struct RestoreTests {
        @Test func `an outcome of before the adoption is refused, and its job runs again`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("w")
                let client = try await stack.client()
                let running = try await client.submit(gate.request)
                let early = try gate.next()
                #expect(try stack.run(["journal", "adopt", "--database", stack.database, "--yes"]).end == .exited(76))
                try first.kill()

                // Where nobody can be asked it only says what it would do.
                let (asked, plan) = try stack.run(["journal", "adopt", "--database", stack.database])
                #expect(asked == .exited(2) && plan.contains("incarnation"), "\(plan)")
                let (adopted, said) = try stack.run(["journal", "adopt", "--database", stack.database, "--yes"])
                #expect(adopted == .exited(0), "\(said)")

                let second = try stack.startScheduler()
                early.succeed()
                let late = try gate.next()
                #expect(late.job == running.id)
                late.succeed()
                #expect(try await running.result().state == .succeeded)
                #expect(try stack.leases(of: running.id) == 2)
                #expect(gate.visitors.count == 2 && !gate.hasUnseen)
                #expect(try await client.decodedStatus().counts["stale"] == 1)
                // Ids that were given after the restored point are not given again.
                let next = try await client.submit(Request(kind: "echo", payload: .text("x")))
                #expect(next.id.hour > running.id.hour)
                #expect(second.end == nil)
                await client.close()
            }
        }
    }
}
