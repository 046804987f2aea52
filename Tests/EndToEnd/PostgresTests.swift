import Glibc
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// Postgres is killed, stopped, or held in the middle of a commit.
    @Suite struct PostgresTests {
        @Test
        func `while Postgres is down submits are refused with the reason, running work goes on, and all flushes later`()
            async throws
        {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("w")
                let client = try await stack.client("patient")
                let hasty = try await stack.client("hasty", patience: .seconds(1))
                let running = try await client.submit(gate.request)
                let visitor = try gate.next()

                try stack.killPostgres()
                // The first one after the crash may be in the commit that fails: it waits, its fate unknown.
                async let held = client.submit(Request(kind: "noop", payload: .text("")))
                try await scheduler.eventually("the loss of the journal is noticed") {
                    try await client.decodedStatus().journal.state == "down"
                }
                do {
                    _ = try await hasty.submit(Request(kind: "noop", payload: .text("")))
                    Issue.record("a submit was acknowledged without a journal")
                } catch ClientError.busy(let reason) {
                    #expect(reason.contains("the journal is down"))
                }
                visitor.succeed()
                try visitor.waitUntilGone()
                try stack.startPostgres()

                #expect(try await running.result().jobs[0].text == "attempt 1")
                #expect(try await held.result().state == .succeeded)
                #expect(gate.visitors.count == 1 && !gate.hasUnseen)
                #expect(try stack.leases(of: running.id) == 1)
                #expect(try stack.jobCount == 2, "the refused one was not recorded")
                await client.close()
                await hasty.close()
            }
        }

        @Test func `that Postgres is away is known before anybody submits, and who connects is told`() async throws {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                let client = try await stack.client()
                try stack.killPostgres()
                try await scheduler.eventually("the loss of the journal is noticed") {
                    try await client.decodedStatus().journal.state == "down"
                }
                var settings = ClientSettings(name: "newcomer")
                settings.connectTimeout = .seconds(1)
                // Who only looks is welcome, and sees what is wrong.
                var onlooking = ClientSettings(name: "onlooker")
                onlooking.looksOnly = true
                let onlooker = try await Client(stack.submitEndpoint(), settings: onlooking)
                #expect(try await onlooker.decodedStatus().journal.state == "down")
                await #expect(throws: ClientError.self) {
                    _ = try await onlooker.submit(Request(kind: "noop", payload: .text("")))
                }
                await onlooker.close()
                do {
                    _ = try await Client(stack.submitEndpoint(), settings: settings)
                    Issue.record("a newcomer was welcomed without a journal")
                } catch ClientError.unreachable(let reason) {
                    #expect(reason.contains("the journal is down"))
                }
                try stack.startPostgres()
                try await scheduler.eventually("the journal is back") {
                    try await client.decodedStatus().journal.state == "up"
                }
                _ = try await client.submit(Request(kind: "noop", payload: .text("")))
                await client.close()
            }
        }

        @Test func `stopping in order does not wait for a Postgres that is away`() async throws {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                let client = try await stack.client("c", patience: .milliseconds(500))
                try stack.killPostgres()
                await #expect(throws: ClientError.self) {
                    try await client.submit(Request(kind: "noop", payload: .text("")))
                }
                scheduler.signal(SIGTERM)
                let end = try scheduler.waitForEnd(within: .seconds(20))
                #expect(end != .signalled(SIGKILL))
                try stack.startPostgres()
                await client.close()
            }
        }

        @Test func `a commit whose Postgres is killed under it is made once`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let client = try await stack.client()
                for round in 1...3 {
                    let holder = try stack.holdCommits()
                    async let submitted = client.submit(Request(kind: "echo", payload: .text("\(round)")))
                    try stack.waitForHeldCommit(holder)
                    if round == 1 {
                        // One backend: the postmaster ends all others and recovers by itself.
                        kill(try #require(stack.backends.first), SIGKILL)
                    } else {
                        if round == 2 { try stack.killPostgres() } else { try stack.stopPostgres() }
                        try stack.startPostgres()
                    }
                    #expect(try await submitted.result().jobs[0].text == "\(round)")
                }
                #expect(try stack.jobCount == 3)
                await client.close()
            }
        }

        @Test func `a commit that outlives its scheduler is found by the next one, and not made again`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let client = try await stack.client()
                let holder = try stack.holdCommits()
                async let submitted = client.submit(Request(kind: "noop", payload: .text("")))
                try stack.waitForHeldCommit(holder)
                try first.kill()
                // Its backend has the whole commit and nobody to tell.
                try holder.run("ROLLBACK", doing: "let go")
                let second = try stack.startScheduler()
                let handle = try await submitted
                #expect(handle.isRepeated)
                #expect(try stack.jobCount == 1)
                _ = try stack.startWorker("w")
                #expect(try await handle.result().state == .succeeded)
                #expect(second.end == nil)
                await client.close()
            }
        }

        @Test func `restarts of Postgres under load lose nothing and double nothing`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w", slots: 4)
                let client = try await stack.client()
                async let handles = withThrowingTaskGroup(of: [RequestHandle].self) { group in
                    for part in 0..<40 {
                        group.addTask {
                            try await client.submit(
                                contentsOf: (0..<50).map { Request(kind: "echo", payload: .text("\(part * 50 + $0)")) })
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                for _ in 0..<3 {
                    try stack.stopPostgres()
                    try stack.startPostgres()
                }
                let all = try await handles
                #expect(Set(all.map(\.id)).count == 2_000)
                var texts: Set<String> = []
                for handle in all {
                    if let text = try await handle.result().jobs[0].text { texts.insert(text) }
                }
                #expect(texts.count == 2_000)
                #expect(try stack.jobCount == 2_000)
                await client.close()
            }
        }
    }
}
