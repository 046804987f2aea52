import Glibc
import JobQueueConformance
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// What running jobs say, and what their next attempts are given.
    @Suite struct ProgressTests {
        @Test func `a client follows jobs, through failures, and leaves no trace of it in the journal`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let client = try await stack.client()
                for behaviour in QueueBehaviour.following { try await behaviour.run(on: client) }
                await client.close()
            }
        }

        @Test func `the attempt after a killed worker goes on from the checkpoint, whatever was killed in between`()
            async throws
        {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let gate = try stack.gate()
                let killed = try stack.startGateWorker("killed", slots: 1)
                let client = try await stack.client()
                let handle = try await client.submit(Request(kind: "resume", payload: .text(gate.path)))
                _ = try gate.next()
                try await first.eventually("the checkpoint is durable") {
                    try stack.number("SELECT count(*) FROM statex.checkpoints") == 1
                }

                try first.kill()
                try stack.killPostgres()
                try stack.startPostgres()
                let second = try stack.startScheduler()
                try await second.eventually("the worker has claimed its lease") {
                    try await client.decodedStatus().workers.contains { $0.connected && $0.leases == 1 }
                }
                try killed.kill()
                _ = try stack.startGateWorker("next", slots: 1)
                let again = try gate.next()
                #expect(again.attempt == 2)
                again.succeed()
                let job = try await handle.result().jobs[0]
                #expect(job.state == .succeeded && job.losses == 1)
                #expect(job.text == "attempt 1", "what the first attempt handed over")
                await client.close()
            }
        }

        @Test func `who follows hears on after the scheduler was killed`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("w", slots: 1)
                let client = try await stack.client()
                let handle = try await client.submit(Request(kind: "resume", payload: .text(gate.path)))
                let visitor = try gate.next()
                try first.kill()
                _ = try stack.startScheduler()
                var heard: [RequestUpdate] = []
                for try await update in handle.updates {
                    heard.append(update)
                    if case .output = update { visitor.succeed() }
                }
                let output = JobOutput(
                    job: handle.id, index: 0, attempt: 1, begins: true, text: "attempt 1\n", leftOut: 0)
                #expect(heard.first == .output(output))
                guard case .finished(let status) = heard.last else { throw HarnessError("no end: \(heard)") }
                #expect(status.state == .succeeded && heard.count == 2)
                await client.close()
            }
        }
    }
}
