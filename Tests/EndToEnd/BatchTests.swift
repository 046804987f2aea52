import Foundation
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// Programs that run several jobs in one call, and jobs that wait for a warm worker.
    @Suite struct BatchTests {
        private func request(_ texts: String..., affinity: String? = nil) -> Request {
            Request(
                texts.map { text in
                    var job = JobSpec(kind: "together", payload: .text(text))
                    job.affinity = affinity
                    return job
                })
        }

        @Test func `a worker of several kinds fills a batch, and who waits for it says so and until when`() async throws
        {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                _ = try stack.startWorker("w", slots: 1)
                let client = try await stack.client()
                let first = try await client.submit(request("a", "b", "c"))
                try await scheduler.eventually("they wait in the worker") {
                    try await client.decodedStatus().workers.contains { $0.leases == 3 }
                }
                let why = try stack.ask("explain", first.jobIDs[1].description)
                #expect(why.json["reason"] as? String == "batch_forming", "\(why)")
                #expect(why.json["detail"] as? String == "3 of at most 4 wait in w")
                let until = try Date(#require(why.json["until"] as? String), strategy: .iso8601)
                #expect((-1...9).contains(until.timeIntervalSinceNow), "\(until)")
                #expect(try stack.outcomes(of: first.id) == [])

                let last = try await client.submit(request("d"))
                #expect(try await (first.result().jobs + last.result().jobs).map(\.text) == ["4", "4", "4", "4"])
                await client.close()
            }
        }

        @Test func `what a killed process had answered stays, and each of the others is run alone`() async throws {
            try await TestStack.with(["retry_backoff_seconds": "0.1"]) { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w", slots: 1)
                let client = try await stack.client()
                let handle = try await client.submit(request("a", "die", "b", "c"))
                let result = try await handle.result()
                #expect(result.jobs.map(\.text) == ["4", "1", "1", "1"], "\(result)")
                #expect(result.jobs.map(\.attempts) == [1, 2, 2, 2])
                #expect(try stack.outcomes(of: handle.jobIDs[0]) == ["succeeded=succeeded"])
                for job in handle.jobIDs[1...] {
                    #expect(try stack.outcomes(of: job) == ["failed", "succeeded=succeeded"])
                }
                await client.close()
            }
        }

        @Test func `a job is taken out of a batch that forms, and the others run without it`() async throws {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                _ = try stack.startWorker("w", slots: 1)
                let client = try await stack.client()
                let handle = try await client.submit(request("a", "b", affinity: "tiny"))
                try await scheduler.eventually("they wait in the worker") {
                    try await client.decodedStatus().workers.contains { $0.leases == 2 }
                }
                #expect(try stack.ask("cancel", handle.jobIDs[1].description).reached == 1)
                #expect(try await client.result(ofJob: handle.jobIDs[1]).state == .cancelled)
                // Of another key: they neither join it nor complete it.
                let other = try await client.submit(request("c", affinity: "large"))
                let more = try stack.run(
                    "submit", "--kind", "together", "--payload", "d", "--kind", "together", "--payload", "e", "--kind",
                    "together", "--payload", "f", "--affinity", "tiny")
                #expect(more.end == .exited(0), "\(more)")
                #expect(try await client.result(ofJob: handle.jobIDs[0]).text == "4")
                #expect(try await other.result().jobs[0].text == "1")
                await client.close()
            }
        }

        @Test func `a job waits for the worker that has its key warm, though another is idle, and says so`()
            async throws
        {
            try await TestStack.with(["affinity_wait_seconds": "60"]) { stack in
                let scheduler = try stack.startScheduler()
                _ = try stack.startWorker("warm", slots: 1)
                let client = try await stack.client()
                var job = JobSpec(kind: "sleep", payload: .text(#"{"ms":2000}"#))
                job.affinity = "tiny"
                // So that it is known how long they take.
                _ = try await client.submit(Request([job])).result()
                _ = try stack.startWorker("cold", slots: 1)
                let request = try await client.submit(Request([job, job]))
                try await scheduler.eventually("it waits for the warm worker") {
                    let why = try await client.explain(job: request.jobIDs[1])
                    return why.reason == .warmWorker && why.detail == "warm has tiny warm, and is busy"
                }
                #expect(try await request.result().state == .succeeded)
                for job in request.jobIDs {
                    let workers = try stack.leasesInOrder(of: job).map(\.worker)
                    #expect(workers.count == 1 && workers.allSatisfy { $0.hasPrefix("warm/") }, "\(workers)")
                }
                await client.close()
            }
        }
    }
}
