import Foundation
import Glibc
import StatexClient
import StatexProtocol
import Testing

@testable import StatexStack

extension EndToEnd {
    /// What operators order and see, on the command line.
    @Suite struct OperatorTests {
        @Test func `jobs lists by state, kind, tenant and tag, in steps, and job shows one with its attempts`()
            async throws
        {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                #expect(
                    try stack.run(
                        "submit", "--kind", "fail", "--payload", #"{"message":"boom"}"#, "--tag", "nightly", "--tag",
                        "eu",
                        "--attempts",
                        "1", "--tenant", "acme", "--priority", "2", "--wait"
                    ).end == .exited(1))
                for text in ["a", "b", "c"] {
                    #expect(try stack.run("submit", "--kind", "echo", "--payload", text, "--wait").end == .exited(0))
                }
                let delayed = try stack.run("submit", "--kind", "echo", "--payload", "d", "--delay", "1h", "--json")
                #expect(delayed.output.contains(#""state":"delayed""#), "\(delayed)")

                let all = try stack.ask("jobs")
                #expect(
                    all.texts("jobs", "state") == ["delayed", "succeeded", "succeeded", "succeeded", "dead"], "\(all)")
                // Why it waits stands with what waits, and with nothing else.
                let reasons = all.list("jobs").map { $0["waiting_because"] as? String }
                #expect(reasons.first??.hasPrefix("its time has not come") == true, "\(reasons)")
                #expect(reasons.dropFirst().allSatisfy { $0 == nil }, "\(reasons)")
                #expect(try stack.ask("jobs", "--state", "dead", "--state", "failed").list("jobs").count == 1)
                #expect(try stack.ask("jobs", "--kind", "echo").list("jobs").count == 4)
                #expect(try stack.ask("jobs", "--tag", "eu", "--tag", "nightly").list("jobs").count == 1)
                #expect(try stack.ask("jobs", "--tag", "eu", "--tag", "other").list("jobs").isEmpty)
                #expect(try stack.ask("jobs", "--tenant", "acme", "--since", "1h").list("jobs").count == 1)
                #expect(try stack.ask("jobs", "--until", "1h").list("jobs").isEmpty)
                #expect(try stack.ask("jobs", "--since", "2100-01-01T00:00:00Z").list("jobs").isEmpty)
                #expect(try stack.ask("jobs", "--until", "2100-01-01T00:00:00Z").list("jobs").count == 5)
                let step = try stack.ask("jobs", "--limit", "2")
                let next = try #require(step.json["next"] as? String)
                #expect(try stack.ask("jobs", "--limit", "10", "--before", next).list("jobs").count == 3)

                let id = try #require(all.texts("jobs", "id").last)
                let job = try stack.ask("job", id)
                #expect(job.json["state"] as? String == "dead")
                #expect(job.json["tags"] as? [String] == ["nightly", "eu"])
                #expect(job.json["priority"] as? Int == 2)
                #expect(job.list("leases").count == 1)
                #expect(job.texts("outcomes", "error").first?.contains("boom") == true, "\(job)")
                #expect(try stack.run("job", id).output.contains("outcomes"))
                #expect(try stack.ask("job", "1").end == .exited(5))
                #expect(try stack.run("jobs", "--state", "bogus").end == .exited(2))
            }
        }

        @Test func `cancel reaches by id and by filter, queued and running, and a dry run reaches nobody`() async throws
        {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("w", slots: 1)
                let client = try await stack.client()
                let running = try await client.submit(gate.request)
                let visitor = try gate.next()
                let queued = try await client.submit(
                    contentsOf: (0..<5).map { _ in Request(kind: "nobody", payload: .text("")) })
                var tagged = JobSpec(kind: "nobody", payload: .text(""))
                tagged.tags = ["nightly"]
                let one = try await client.submit(Request([tagged], tenant: "acme"))

                #expect(try stack.ask("cancel", "--kind", "nobody", "--dry-run").reached == 6)
                #expect(try stack.ask("cancel", "--tag", "nightly", "--tenant", "other").reached == 0)
                #expect(try stack.ask("cancel", "--tag", "nightly", "--tenant", "acme").reached == 1)
                #expect(try await one.result().state == .cancelled)
                #expect(try stack.ask("cancel", queued[0].id.description, queued[1].id.description).reached == 2)
                #expect(try await queued[1].result().state == .cancelled)
                #expect(try stack.ask("cancel", "--state", "queued").reached == 3)
                #expect(try stack.ask("cancel", "--worker", "w", "--note", "stuck", "--who", "mira").reached == 1)
                try visitor.waitUntilGone()
                #expect(try await running.result().state == .cancelled)
                #expect(try stack.run("cancel").end == .exited(2))
                let ended = running.id.description
                #expect(try stack.run("cancel", ended).end == .exited(5))
                #expect(try stack.run("retry", ended).end == .exited(5))
                #expect(try stack.run("dead", "drop", ended).end == .exited(5))

                let audit = try stack.ask("audit", "--who", "mira")
                #expect(audit.texts("actions", "note") == ["stuck"])
                #expect(audit.list("actions").first?["ids"] as? [String] == [running.id.description], "\(audit)")
                await client.close()
            }
        }

        @Test func `a pause survives a kill of the scheduler, and resume lets the jobs go`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let client = try await stack.client()
                #expect(try stack.ask("pause", "--kind", "echo").end == .exited(0))
                let held = try await client.submit(Request(kind: "echo", payload: .text("held")))
                try first.kill()
                let second = try stack.startScheduler()
                try await second.eventually("the worker is back") {
                    try await client.decodedStatus().workers.contains { $0.connected }
                }
                // Another kind goes on, so the worker is served and the paused one is not.
                let other = try await client.submit(Request(kind: "noop", payload: .text("")))
                #expect(try await other.result().state == .succeeded)
                #expect(try await held.status().state == .open)
                #expect(try stack.leases(of: held.id) == 0)
                let top = try stack.ask("top", "--count", "1")
                let paused = (top.json["status"] as? [String: Any])?["paused"] as? [[String: Any]]
                #expect(paused?.compactMap { $0["what"] as? String } == ["kind echo"], "\(top)")
                #expect(try stack.ask("resume", "--kind", "echo").reached == 1)
                #expect(try await held.result().jobs[0].text == "held")
                #expect(try stack.run("pause").end == .exited(2))
                await client.close()
            }
        }

        @Test func `an order whose answer was lost with the scheduler is carried out once`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let client = try await stack.client()
                let jobs = try await client.submit(
                    contentsOf: (0..<3).map { _ in Request(kind: "nobody", payload: .text("")) })
                var order = Order(.cancel, number: 1, who: "mira")
                order.filter.kind = "nobody"
                #expect(try await client.order(order).reached == 3)
                try first.kill()
                _ = try stack.startScheduler()
                let later = try await client.submit(Request(kind: "nobody", payload: .text("")))
                let again = try await client.order(order)
                #expect(again.isRepeated && again.reached == 3)
                #expect(try await later.status().state == .open)
                #expect(try await jobs[0].result().state == .cancelled)
                #expect(try stack.number("SELECT count(*) FROM statex.actions") == 1)
                await client.close()
            }
        }

        @Test func `dead letters are grouped, retried once with what they had, and dropped`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let client = try await stack.client()
                var spec = JobSpec(kind: "fail", payload: .text(#"{"message":"boom"}"#))
                spec.attempts = 1
                spec.tags = ["nightly"]
                let request = try await client.submit(
                    Request([spec, spec, JobSpec(kind: "echo", payload: .text("x"))]))
                #expect(try await request.result().state == .failed)

                let groups = try stack.ask("dead", "--group").list("groups")
                #expect(groups.count == 1 && groups.first?["count"] as? Int == 2, "\(groups)")
                let letters = try stack.ask("dead", "--tag", "nightly")
                #expect(letters.list("dead").count == 2, "\(letters)")
                let ids = letters.texts("dead", "id")
                #expect(try stack.ask("retry", "--all", "--dry-run").reached == 2)
                #expect(try stack.jobCount == 3)

                let retried = try stack.ask("retry", ids[0], "--note", "fixed")
                #expect(retried.reached == 1)
                // The same by an order of another number, and from before and after a restart.
                #expect(try stack.ask("retry", ids[0]).reached == 0)
                var order = Order(.retry, number: 9, who: "mira")
                order.filter.jobs = [JobID(rawValue: try #require(UInt64(ids[0])))]
                #expect(try await client.order(order).reached == 0)
                #expect(try stack.jobCount == 4)
                let made = try stack.rows("SELECT id FROM statex.job_options WHERE retry_of = \(ids[0])")[0][0]
                #expect(retried.message == "as \(made)")
                let job = JobID(rawValue: try #require(UInt64(made)))
                #expect(try await client.result(ofJob: job).error?.message.contains("boom") == true)
                let shown = try stack.ask("job", made)
                #expect(shown.json["request"] as? String == request.id.description, "\(shown)")
                #expect(shown.json["tags"] as? [String] == ["nightly"])
                #expect(shown.json["retry_of"] as? String == ids[0])
                #expect(try stack.ask("job", ids[0]).json["retried_as"] as? String == made)
                #expect(try stack.ask("job", ids[0]).json["state"] as? String == "dead")

                // The new one is dead too; what is dropped is in no list, and cannot be retried.
                #expect(try stack.ask("dead", "drop", "--kind", "fail", "--database", stack.database).reached == 2)
                #expect(try stack.ask("dead").list("dead").isEmpty)
                #expect(try stack.ask("dead", "--all").list("dead").count == 3)
                #expect(try stack.ask("retry", "--all").reached == 0)
                try first.kill()
                _ = try stack.startScheduler()
                #expect(try stack.ask("retry", ids[1]).reached == 0)
                #expect(try stack.jobCount == 4)
                await client.close()
            }
        }

        @Test func `a retry of more dead letters than there is room for says how many are left and why`() async throws {
            try await TestStack.with(["tenants": "{default: {max_open_jobs: 2}}"]) { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                for _ in 0..<3 {
                    #expect(
                        try stack.run("submit", "--kind", "fail", "--payload", "{}", "--attempts", "1", "--wait").end
                            == .exited(1))
                }
                var later = JobSpec(kind: "echo", payload: .text("x"))
                later.startAt = Date(timeIntervalSinceNow: 3_600)
                let client = try await stack.client()
                let first = try await client.submit(Request([later]))
                let second = try await client.submit(Request([later]))
                let full = try stack.run("retry", "--all")
                #expect(full.end == .exited(3), "\(full)")
                #expect(
                    full.errors.contains("3 left: ") && full.errors.contains("max_open_jobs of tenant default is 2"),
                    "\(full)")
                #expect(try stack.ask("pause", "--all").end == .exited(0))
                _ = try await first.cancel()
                #expect(try await first.result().state == .cancelled)
                let some = try stack.ask("retry", "--all")
                #expect(some.reached == 1 && some.message.contains("; 2 left: "), "\(some)")
                _ = try await second.cancel()
                #expect(try await second.result().state == .cancelled)
                // One order after the other.
                let rest = try stack.ask("retry", "--all", "--rate", "10")
                #expect(
                    rest.reached == 1 && rest.message.hasPrefix("1 of 2 not, in the last order: 1 left: "), "\(rest)")
                await client.close()
            }
        }

        @Test func `a dependant is retried once what it takes was made by a retry, and gets that`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("w")
                let client = try await stack.client()
                var first = JobSpec(kind: "gate", payload: .text(gate.path))
                first.attempts = 1
                var second = JobSpec(kind: "gate", payload: .text(gate.path))
                second.inputs = [0]
                var submitted = Request([first, second])
                submitted.failsDependants = true
                let request = try await client.submit(submitted)
                #expect(
                    try stack.ask("jobs", "--state", "blocked").texts("jobs", "id") == [request.jobIDs[1].description])
                #expect(try stack.ask("job", request.jobIDs[1].description).json["state"] as? String == "blocked")
                try gate.next().fail()
                #expect(try await request.result().jobs.map(\.state) == [.dead, .failed])

                let dependant = request.jobIDs[1].description
                let early = try stack.ask("retry", dependant)
                #expect(early.reached == 0 && early.end == .exited(5), "\(early)")
                #expect(early.message.hasPrefix("1 left: what they wait for has not succeeded, or "), "\(early)")
                #expect(early.errors.contains("1 left: what they wait for has not succeeded, or "), "\(early)")
                let dry = try stack.ask("retry", "--all", "--dry-run")
                #expect(dry.reached == 1 && dry.message.hasPrefix("1 left: what they wait for "), "\(dry)")
                let both = try stack.ask("retry", request.id.description)
                #expect(both.reached == 1 && both.message.hasPrefix("as "), "\(both)")
                #expect(both.message.contains("; 1 left: what they wait for has not succeeded"), "\(both)")
                let visitor = try gate.next()
                visitor.succeed()
                #expect(try await client.result(ofJob: visitor.job).text == "attempt 1")
                #expect(try stack.ask("retry", dependant).reached == 1)
                let last = try gate.next()
                last.succeed()
                #expect(try await client.result(ofJob: last.job).text == "attempt 1 on attempt 1")
                #expect(try stack.ask("job", last.job.description).json["request"] as? String == request.id.description)
                await client.close()
            }
        }

        @Test func `a rate spreads retries over time`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let client = try await stack.client()
                var spec = JobSpec(kind: "fail", payload: .text(#"{"message":"boom"}"#))
                spec.attempts = 1
                let request = try await client.submit(Request([JobSpec](repeating: spec, count: 4)))
                _ = try await request.result()
                #expect(try stack.ask("retry", request.id.description, "--rate", "10").reached == 4)
                // Each in an order of its own: they were not all at once.
                #expect(try stack.number("SELECT count(*) FROM statex.actions WHERE action = 'retry'") == 4)
                await client.close()
            }
        }

        @Test func `a drained worker finishes what runs, hands back the rest, and ends with 0`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let gate = try stack.gate()
                let worker = try stack.startGateWorker("w", slots: 1)
                let client = try await stack.client()
                let running = try await client.submit(gate.request)
                let visitor = try gate.next()
                let waiting = try await client.submit(Request(kind: "echo", payload: .text("x")))

                let unknown = try stack.run("drain", "nobody")
                #expect(unknown.end == .exited(5))
                #expect(unknown.errors.hasSuffix("no worker nobody is connected or holds leases\n"))
                #expect(try stack.ask("drain", "w").reached == 1)
                let workers = try stack.ask("workers")
                #expect(workers.list("workers").compactMap { $0["draining"] as? Bool } == [true], "\(workers)")
                #expect(try await running.status().state == .open)
                _ = try stack.startWorker("other")
                #expect(try await waiting.result().jobs[0].text == "x")
                visitor.succeed()
                #expect(try await running.result().jobs[0].text == "attempt 1")
                #expect(try worker.waitForEnd() == .exited(0))
                #expect(try stack.run("workers").output.contains("other"))
                #expect(try stack.ask("drain", "other", "--wait").end == .exited(0))
                #expect(try !stack.run("workers").output.contains("other/"))
                await client.close()
            }
        }
    }
}
