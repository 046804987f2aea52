import Glibc
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// The scheduler is killed or stopped, and started again.
    @Suite struct SchedulerRestartTests {
        @Test func `a job that runs while the scheduler is killed is claimed again and runs once`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("w")
                let client = try await stack.client()
                let handle = try await client.submit(gate.request)
                let visitor = try gate.next()

                try first.kill()
                let second = try stack.startScheduler()
                // Only a claim makes the lease that of a connected worker again.
                try await second.eventually("the worker has claimed its lease") {
                    try await client.decodedStatus().workers.contains { $0.connected && $0.leases == 1 }
                }
                visitor.succeed()

                let job = try await handle.result().jobs[0]
                #expect(job.state == .succeeded)
                #expect(job.text == "attempt 1")
                #expect(gate.visitors.count == 1 && !gate.hasUnseen)
                #expect(try stack.leases(of: job.id) == 1)
                #expect(try stack.outcomes(of: job.id) == ["succeeded=succeeded"])
                await client.close()
            }
        }

        @Test func `an outcome of the time when the scheduler was down is delivered, not redone`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let gate = try stack.gate()
                let worker = try stack.startGateWorker("w")
                let client = try await stack.client()
                let handle = try await client.submit(gate.request)
                let visitor = try gate.next()

                try first.kill()
                visitor.succeed()
                try visitor.waitUntilGone()
                #expect(worker.end == nil)
                _ = try stack.startScheduler()

                let job = try await handle.result().jobs[0]
                #expect(job.state == .succeeded && job.attempts == 1)
                #expect(gate.visitors.count == 1 && !gate.hasUnseen)
                #expect(try stack.leases(of: job.id) == 1)
                await client.close()
            }
        }

        @Test func `a result is known by its id after restarts, to a process that did not submit it`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let submitter = try await stack.client("submitter")
                let queued = try await submitter.submit(
                    Request([JobSpec(kind: "echo", payload: .text("a")), JobSpec(kind: "echo", payload: .text("b"))]))
                await submitter.close()
                #expect(try first.stop() == .exited(0))

                let second = try stack.startScheduler()
                let reader = try await stack.client("reader")
                #expect(try await reader.status(ofRequest: queued.id).state == .open)
                async let awaited = reader.result(ofRequest: queued.id)
                _ = try stack.startWorker("w")
                #expect(try await awaited.jobs.map(\.text) == ["a", "b"])
                try second.kill()

                // Now nobody's memory has it: the journal answers.
                _ = try stack.startScheduler()
                let later = try await stack.client("later")
                let again = try await later.result(ofRequest: queued.id)
                #expect(again.state == .succeeded && again.jobs.map(\.text) == ["a", "b"])
                #expect(try await later.result(ofJob: queued.jobIDs[1]).text == "b")
                await #expect(throws: ClientError.unknown(JobID(rawValue: queued.id.rawValue + 1_000_000))) {
                    try await later.status(ofJob: JobID(rawValue: queued.id.rawValue + 1_000_000))
                }
                await reader.close()
                await later.close()
            }
        }

        @Test func `what was cancelled stays cancelled across a restart, queued or running`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let gate = try stack.gate()
                let worker = try stack.startGateWorker("w", slots: 1)
                let client = try await stack.client()
                let running = try await client.submit(gate.request)
                _ = try gate.next()
                // The worker holds still, so the order to stop cannot reach it before the restart.
                worker.signal(SIGSTOP)
                let queued = try await client.submit(Request(kind: "unknown-kind", payload: .text("")))
                #expect(try await client.cancel(request: running.id) == 1)
                #expect(try await queued.cancel() == 1)
                #expect(try await queued.result().state == .cancelled)
                try first.kill()
                _ = try stack.startScheduler()
                worker.signal(SIGCONT)
                #expect(try await running.result().state == .cancelled)
                #expect(try await queued.result().state == .cancelled)
                #expect(try await client.cancel(request: running.id) == 0)
                await client.close()
            }
        }

        @Test func `stops in order with work in hand, and the next one carries on`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let client = try await stack.client()
                let requests = (0..<500).map { Request(kind: "echo", payload: .text("\($0)")) }
                async let submitted = client.submit(contentsOf: requests)
                #expect(try first.stop() == .exited(0))
                _ = try stack.startScheduler()
                for (number, handle) in try await submitted.enumerated() {
                    #expect(try await handle.result().jobs[0].text == "\(number)")
                }
                #expect(try stack.jobCount == 500)
                await client.close()
            }
        }
    }
}
