import Foundation
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// Workers are killed, frozen, drained.
    @Suite struct WorkerTests {
        @Test func `the job of a frozen worker runs elsewhere, and its late outcome is refused as stale`() async throws
        {
            try await TestStack.with(["lease_seconds": "1"]) { stack in
                let scheduler = try stack.startScheduler()
                let gate = try stack.gate()
                let frozen = try stack.startGateWorker("frozen", slots: 1)
                let client = try await stack.client()
                let handle = try await client.submit(gate.request)
                let first = try gate.next()
                #expect(first.worker == frozen.pid)
                frozen.signal(SIGSTOP)
                _ = try stack.startGateWorker("other", slots: 1)
                let second = try gate.next()
                #expect(second.job == first.job && second.worker != frozen.pid)
                second.succeed()
                let job = try await handle.result().jobs[0]
                #expect(job.state == .succeeded && job.losses == 1)
                #expect(job.text == "attempt 2")

                first.succeed()
                frozen.signal(SIGCONT)
                try await scheduler.eventually("the late outcome is refused") {
                    try await client.decodedStatus().counts["stale"] ?? 0 > 0
                }
                #expect(try stack.outcomes(of: job.id) == ["lost", "succeeded=succeeded"])
                #expect(try await handle.result().jobs[0].text == "attempt 2")
                let end = try frozen.stop()
                #expect(end == .exited(0), "\(frozen.said.suffix(6_000))")
                await client.close()
            }
        }

        @Test func `SIGTERM finishes what runs, hands back the rest at no cost, and exits 0`() async throws {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                let drained = try stack.startWorker("drained", slots: 1)
                let client = try await stack.client()
                // Jobs that are over at once make it ask for many ahead.
                for handle in try await client.submit(
                    contentsOf: (0..<300).map { _ in Request(kind: "sleep", payload: .text(#"{"ms":0}"#)) })
                {
                    #expect(try await handle.result().state == .succeeded)
                }
                let handles = try await client.submit(
                    contentsOf: (0..<40).map { _ in Request(kind: "sleep", payload: .text(#"{"ms":150}"#)) })
                try await scheduler.eventually("the worker holds several jobs") {
                    try await client.decodedStatus().workers.contains { $0.leases > 3 }
                }
                #expect(try drained.stop() == .exited(0))
                _ = try stack.startWorker("next", slots: 16)
                for handle in handles {
                    let job = try await handle.result().jobs[0]
                    #expect(job.state == .succeeded && job.losses == 0)
                }
                let endings = try stack.rows("SELECT DISTINCT ending FROM statex.outcomes ORDER BY 1").map { $0[0] }
                #expect(endings == ["returned", "succeeded"])
                #expect(
                    try stack.number("SELECT max(attempts) FROM statex.job_status") == 1,
                    "what was handed back cost an attempt")
                await client.close()
            }
        }

        @Test func `what a killed worker held is leased again in time, and never credited to the next of its name`()
            async throws
        {
            // Longer than a worker takes to start: the next one is there while the leases still are its predecessor's.
            try await TestStack.with(["disconnect_grace_seconds": "1"]) { stack in
                let scheduler = try stack.startScheduler()
                let gate = try stack.gate()
                let client = try await stack.client()
                var worker = try stack.startGateWorker("same", slots: 3)
                for round in 0..<20 {
                    let held = try await client.submit(contentsOf: [gate.request, gate.request])
                    #expect(try [gate.next(), gate.next()].map(\.attempt) == [1, 1])
                    let others = try await client.submit(
                        contentsOf: (0..<30).map { Request(kind: "echo", payload: .text("\(round)-\($0)")) })

                    try worker.kill()
                    let killedAt = Date()
                    worker = try stack.startGateWorker("same", slots: 3)
                    for _ in held {
                        let visitor = try gate.next()
                        #expect(visitor.attempt == 2 && visitor.worker == worker.pid)
                        visitor.succeed()
                    }
                    for (number, handle) in others.enumerated() {
                        #expect(try await handle.result().jobs[0].text == "\(round)-\(number)")
                    }
                    for handle in held {
                        let job = try await handle.result().jobs[0]
                        #expect(job.state == .succeeded && job.losses == 1)
                        let leases = try stack.leasesInOrder(of: job.id)
                        #expect(leases.map(\.attempt) == [1, 2])
                        #expect(Set(leases.map(\.worker)).count == 2, "credited to the next incarnation: \(leases)")
                        #expect(leases.allSatisfy { $0.worker.hasPrefix("same/") })
                        #expect(leases[1].leasedAt.timeIntervalSince(killedAt) < 10, "not within the lease time")
                        #expect(try stack.outcomes(of: job.id) == ["lost", "succeeded=succeeded"])
                    }
                }
                // Of all jobs: an outcome that is not a loss is of the lease that it names, and no incarnation has any
                // of another's.
                let foreign = try stack.number(
                    """
                    SELECT count(*) FROM statex.outcomes o
                    LEFT JOIN statex.leases l ON l.page = o.page AND l.job = o.job AND l.token = o.token
                    WHERE l.token IS NULL
                    """)
                #expect(foreign == 0)
                #expect(try stack.number("SELECT count(DISTINCT worker) FROM statex.leases") == 21)
                try await scheduler.eventually("only the living one is left") {
                    try await client.decodedStatus().workers.map(\.connected) == [true]
                }
                await client.close()
            }
        }

        @Test func `a job that takes three workers with it is dead, and the others' jobs go on`() async throws {
            try await TestStack.with(["disconnect_grace_seconds": "0.2"]) { stack in
                _ = try stack.startScheduler()
                let client = try await stack.client()
                let poison = try await client.submit(Request(kind: "crash", payload: .text("")))
                for _ in 1...3 {
                    let victim = try stack.startWorker("victim", slots: 1)
                    #expect(try victim.waitForEnd() == .signalled(SIGKILL))
                }
                let dead = try await poison.result().jobs[0]
                #expect(dead.state == .dead && dead.losses == 3)
                #expect(try stack.outcomes(of: dead.id) == ["lost", "lost", "lost=dead"])
                let survivor = try stack.startWorker("survivor", slots: 1)
                let other = try await client.submit(Request(kind: "noop", payload: .text("")))
                #expect(try await other.result().state == .succeeded)
                #expect(survivor.end == nil)
                await client.close()
            }
        }

        @Test func `a failed attempt is tried again until the attempts are used up`() async throws {
            try await TestStack.with(["retry_backoff_seconds": "0.1"]) { stack in
                _ = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("w", slots: 1)
                let client = try await stack.client()
                let handle = try await client.submit(gate.request)
                for attempt in 1...3 {
                    let visitor = try gate.next()
                    #expect(visitor.attempt == attempt)
                    visitor.fail()
                }
                let job = try await handle.result().jobs[0]
                #expect(job.state == .dead && job.attempts == 3 && job.losses == 0)
                #expect(job.error?.errorClass == "asked_to_fail")
                #expect(try stack.outcomes(of: job.id) == ["failed", "failed", "failed=dead"])
                await client.close()
            }
        }

        @Test func `cancelling reaches a running handler, and a queued job at once`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let gate = try stack.gate()
                let worker = try stack.startGateWorker("w", slots: 1)
                let client = try await stack.client()
                let running = try await client.submit(gate.request)
                let visitor = try gate.next()
                let queued = try await client.submit(gate.request)
                #expect(try await queued.cancel() == 1)
                #expect(try await queued.result().state == .cancelled)
                #expect(try await client.cancel(job: running.id))
                try visitor.waitUntilGone()
                #expect(try await running.result().state == .cancelled)
                #expect(try await client.cancel(job: running.id) == false, "it is final")
                #expect(try stack.outcomes(of: running.id) == ["cancelled=cancelled"])
                #expect(gate.visitors.count == 1 && !gate.hasUnseen)
                let end = try worker.stop()
                #expect(end == .exited(0), "\(worker.said.suffix(6_000))")
                await client.close()
            }
        }
    }
}
