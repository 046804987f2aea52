import Foundation
import StatexClient
import StatexProtocol
import StatexZeroMQ
import Testing

extension EndToEnd {
    /// Two schedulers, one journal.
    @Suite struct OwnershipTests {
        @Test func `a second scheduler exits 76 and names the owner`() async throws {
            try await TestStack.with { stack in
                let owner = try stack.startScheduler()
                let second = try stack.launchScheduler(site: "b")
                #expect(try second.waitForEnd() == .exited(76))
                #expect(second.said.contains("pid \(owner.pid)"), "\(second.said)")
                let client = try await stack.client()
                _ = try await client.submit(Request(kind: "noop", payload: .text("")))
                #expect(owner.end == nil)
                await client.close()
            }
        }

        @Test func `a scheduler that was taken over exits 75 and records nothing more`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let old = try await stack.client("old", patience: .seconds(2))
                let before = try await old.submit(Request(kind: "echo", payload: .text("before")))
                let second = try stack.startScheduler(site: "b", takesOver: true)
                await #expect(throws: ClientError.self) {
                    try await old.submit(Request(kind: "echo", payload: .text("too late")))
                }
                #expect(try first.waitForEnd() == .exited(75))
                #expect(first.said.contains("took over"))
                #expect(try stack.jobCount == 1, "a fenced scheduler recorded a job")

                let new = try await stack.client("new", site: "b")
                _ = try stack.startWorker("w", site: "b")
                #expect(try await new.result(ofRequest: before.id).jobs[0].text == "before")
                #expect(second.end == nil)
                await old.close()
                await new.close()
            }
        }

        @Test func `a scheduler that was taken over with nothing to do notices by itself`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let client = try await stack.client()
                let handle = try await client.submit(Request(kind: "echo", payload: .text("x")))
                // The client waits at the first one, which has nothing more to record.
                async let result = handle.result()
                let second = try stack.startScheduler(takesOver: true)
                #expect(try first.waitForEnd() == .exited(75))
                _ = try stack.startWorker("w")
                #expect(try await result.jobs[0].text == "x")
                #expect(second.end == nil)
                await client.close()
            }
        }

        @Test func `after a takeover at the same endpoints everybody finds the new owner`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("w")
                let client = try await stack.client()
                let running = try await client.submit(gate.request)
                let visitor = try gate.next()
                // Frozen, as in a long pause of its machine: it does not know what happened meanwhile.
                first.signal(SIGSTOP)
                let second = try stack.startScheduler(takesOver: true)
                first.signal(SIGCONT)
                visitor.succeed()
                #expect(try first.waitForEnd() == .exited(75))
                #expect(try await running.result().jobs[0].text == "attempt 1")
                let late = try await stack.client("late")
                #expect(
                    try await late.submit(Request(kind: "echo", payload: .text("x"))).result().jobs[0].text == "x")
                #expect(gate.visitors.count == 1 && !gate.hasUnseen)
                #expect(second.end == nil)
                await client.close()
                await late.close()
            }
        }

        // One that lost the journal while it recovered binds after the owner did, and goes.
        @Test func `an owner whose endpoints were taken by another takes them back`() async throws {
            try await TestStack.with { stack in
                let owner = try stack.startScheduler()
                try takeAndLeave(stack.submitEndpoint())
                try takeAndLeave(stack.workerEndpoint())
                let client = try await stack.client()
                _ = try stack.startWorker("w")
                #expect(
                    try await client.submit(Request(kind: "echo", payload: .text("x"))).result().jobs[0].text == "x")
                #expect(owner.end == nil)
                await client.close()
            }
        }

        @Test func `an owner that cannot take an endpoint back goes on, and tries again`() async throws {
            try await TestStack.with { stack in
                let owner = try stack.startScheduler()
                let old = try await stack.client("old")
                let path = String(stack.submitEndpoint().dropFirst("ipc://".count))
                try #require(unlink(path) == 0 && mkdir(path, 0o700) == 0)
                try await owner.eventually("it tried twice") {
                    try await old.decodedStatus().counts["endpoints_unreachable"] ?? 0 >= 2
                }
                let left = try FileManager.default.contentsOfDirectory(atPath: stack.directory + "/run")
                #expect(left.allSatisfy { $0.hasSuffix(".sock") }, "\(left)")
                try #require(rmdir(path) == 0)
                let new = try await stack.client("new")
                await old.close()
                await new.close()
            }
        }

        private func takeAndLeave(_ endpoint: String) throws {
            let thief = try Socket(.router, in: RawClient.context.get())
            try thief.bind(endpoint)
        }
    }
}
