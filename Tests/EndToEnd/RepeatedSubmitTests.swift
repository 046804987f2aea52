import FoundationEssentials
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// What is submitted twice is recorded once.
    @Suite struct RepeatedSubmitTests {
        @Test func `the same sequence of the same producer gets the first job's id, also after a restart`() async throws
        {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let producer = Producer(high: 7, low: .random(in: 1 ... .max))
                let once = try RawClient(stack.submitEndpoint(), producer: producer).submit(sequence: 1, jobs: 3)
                #expect(!once.repeated && once.requests == 3)
                let twice = try RawClient(stack.submitEndpoint(), producer: producer).submit(sequence: 1, jobs: 3)
                #expect(twice.repeated && twice.firstID == once.firstID)
                try first.kill()
                _ = try stack.startScheduler()
                let client = try RawClient(stack.submitEndpoint(), producer: producer)
                #expect(client.lastSequence == 3)
                let thrice = try client.submit(sequence: 2, jobs: 1)
                #expect(thrice.repeated && thrice.firstID.rawValue == once.firstID.rawValue + 1)
                let new = try client.submit(sequence: 4, jobs: 1)
                #expect(!new.repeated && new.firstID > once.firstID)
                #expect(try stack.jobCount == 4)
            }
        }

        @Test func `a delay is the same in a repeat, whatever time follows from it`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let client = try await stack.client()
                func submit(after delay: Duration, from now: Date) async throws(ClientError) -> RequestHandle {
                    var job = JobSpec(kind: "echo")
                    job.start(after: delay, from: now)
                    return try await client.submit(Request([job], key: "later"))
                }
                let now = Date()
                let once = try await submit(after: .seconds(3_600), from: now)
                let twice = try await submit(after: .seconds(3_600), from: now.addingTimeInterval(2))
                #expect(twice.id == once.id && twice.isRepeated)
                let error = await #expect(throws: ClientError.self) {
                    _ = try await submit(after: .seconds(3_602), from: now)
                }
                guard case .keyConflict = error else { Issue.record("\(String(describing: error))"); return }
                await client.close()
            }
        }

        @Test func `of several HELLOs in a row the last one counts, and leaves one session`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let producer = Producer(high: 7, low: .random(in: 1 ... .max))
                let raw = try RawClient(stack.submitEndpoint(), producer: producer, hellos: 5)
                // Its own producer is read after theirs: what they leave stands when it is welcome.
                let client = try await stack.client()
                #expect(try await client.decodedStatus().clients == 2)
                await client.close()
                #expect(raw.lastSequence == 0)
            }
        }

        @Test func `a client without a producer looks, and its submit is refused with the reason`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let raw = try RawClient(stack.submitEndpoint(), producer: Producer())
                let error = #expect(throws: HarnessError.self) { _ = try raw.submit(sequence: 1, jobs: 1) }
                #expect(error.map { "\($0)".contains("fault came") } == true)
                #expect(try stack.jobCount == 0)
            }
        }

        @Test func `one message may ask for more than a client takes at once`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let client = try await stack.client()
                let job = JobSpec(kind: "echo", payload: .text("a"))
                let handle = try await client.submit(Request([JobSpec](repeating: job, count: 1_000)))
                let raw = try RawClient(stack.submitEndpoint(), producer: Producer(high: 8, low: 1))
                try raw.ask(handle.id, times: 200)
                // Somebody else is not behind it.
                #expect(try await client.decodedStatus().epoch > 0)
                #expect(try raw.takeResults(200_000) == 200_000)
                await client.close()
            }
        }

        @Test func `who holds a unique key is known after a restart`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let gate = try stack.gate()
                var running = gate.request
                running.unique = .whileUnfinished("one at a time")
                var daily = Request(kind: "echo", payload: .text("a"))
                daily.unique = .once(in: .seconds(86_400), "daily")
                let client = try await stack.client()
                let handles = try await client.submit(contentsOf: [running, daily])
                #expect(handles.allSatisfy { !$0.isDuplicate })
                try first.kill()
                let second = try stack.startScheduler()
                let again = try await client.submit(contentsOf: [running, daily])
                #expect(again.map(\.isDuplicate) == [true, true] && again.map(\.id) == handles.map(\.id))
                _ = try stack.startGateWorker("w")
                try gate.next().succeed()
                for handle in handles { #expect(try await handle.result().state == .succeeded) }
                try second.kill()
                _ = try stack.startScheduler()
                let later = try await client.submit(contentsOf: [running, daily])
                #expect(later.map(\.isDuplicate) == [false, true])
                try gate.next().succeed()
                #expect(try await later[0].result().state == .succeeded)
                let run = try CommandRun(
                    [
                        "submit", "--endpoint", stack.submitEndpoint(), "--kind", "echo", "--payload", "b", "--unique",
                        "daily", "--unique-for", "1d", "--json",
                    ], in: stack.directory)
                #expect(run.end == .exited(0), "\(run)")
                #expect(run.output.contains(#""duplicate":true"#) && run.output.contains("\(handles[1].id)"), "\(run)")
                #expect(try stack.jobCount == 3)
                await client.close()
            }
        }

        @Test func `a user key gives any process the first request, also after a restart`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let request = Request(
                    [JobSpec(kind: "echo", payload: .text("a")), JobSpec(kind: "echo", payload: .text("b"))],
                    key: "order-1")
                let one = try await stack.client("one")
                let handle = try await one.submit(request)
                #expect(!handle.isRepeated)
                let two = try await stack.client("two")
                let repeated = try await two.submit(request)
                #expect(repeated.isRepeated && repeated.id == handle.id && repeated.jobCount == 2)
                try first.kill()
                _ = try stack.startScheduler()
                let third = try await stack.client("three")
                let later = try await third.submit(request)
                #expect(later.isRepeated && later.id == handle.id)
                var other = request
                other.tenant = "somebody-else"
                #expect(try await third.submit(other).id != handle.id, "a key belongs to its tenant")
                #expect(try stack.jobCount == 4)
                for client in [one, two, third] { await client.close() }
            }
        }

        @Test func `one key submitted by many at the same moment makes one request`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let clients = [
                    try await stack.client("one"), try await stack.client("two"), try await stack.client("three"),
                ]
                let ids = try await withThrowingTaskGroup(of: JobID.self) { group in
                    for number in 0..<30 {
                        group.addTask {
                            try await clients[number % 3].submit(
                                Request(kind: "echo", payload: .text("a"), key: "order")
                            ).id
                        }
                    }
                    return try await group.reduce(into: Set<JobID>()) { $0.insert($1) }
                }
                #expect(ids.count == 1)
                #expect(try stack.jobCount == 1)
                for client in clients { await client.close() }
            }
        }

        @Test func `a user key with another content is refused, also after a restart`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let client = try await stack.client()
                _ = try await client.submit(Request(kind: "echo", payload: .text("a"), key: "order-1"))
                for restarts in [true, false] {
                    do {
                        _ = try await client.submit(Request(kind: "echo", payload: .text("b"), key: "order-1"))
                        Issue.record("another content was accepted under the same key")
                    } catch ClientError.keyConflict(let why) {
                        #expect(why.contains("another content"))
                    }
                    guard restarts else { break }
                    try first.kill()
                    _ = try stack.startScheduler()
                }
                #expect(try stack.jobCount == 1)
                await client.close()
            }
        }
    }
}
