import Foundation
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// The gateway's streams before a real scheduler, worker and journal.
    @Suite struct StreamTests {
        private static let requestNames = ["request.created", "job.leased", "job.succeeded", "request.completed"]

        /// An event of a commit that is far away.
        private static func later(than id: String) -> String {
            let parts = id.split(separator: "-")
            return "\(parts[0])-9999999-\(parts[2])"
        }

        private func submit(_ visitor: GatewayVisitor, _ body: String) async throws -> String {
            let answer = try await visitor.post("/v1/requests", body)
            return try #require(answer.json["id"] as? String, "\(answer.text)")
        }

        @Test func `a request is watched to its end, and what a client missed it is told when it comes again`()
            async throws
        {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let visitor = try GatewayVisitor(stack.startGateway())
                let everything = try HeardStream(visitor, "/v1/events")
                try await everything.begun()
                let id = try await submit(visitor, #"{"jobs":[{"kind":"echo"},{"kind":"echo","after":[0]}]}"#)
                // Before that, who listens may hear of its creation too.
                try await everything.heard("request.created")
                let request = try HeardStream(visitor, "/v1/requests/\(id)/events")
                #expect(try await request.heard("request.state").member("state") == "open")
                let job = try HeardStream(visitor, "/v1/jobs/\(id)/events")
                try await job.heard("job.state")
                _ = try stack.startWorker("w")

                let heard = try await request.ended().filter { $0.id != nil && $0.name != "request.state" }
                #expect(
                    heard.map(\.name) == [
                        "job.leased", "job.succeeded", "job.leased", "job.succeeded", "request.completed",
                    ])
                #expect(try await job.ended().map(\.name) == ["job.state", "job.leased", "job.succeeded"])
                try await everything.heard("worker.joined")
                try await everything.heard("request.completed") { $0.member("request") == id }
                let all = everything.events.filter { $0.id != nil }
                #expect(all.map(\.name) == ["request.created"] + heard.map(\.name))
                #expect(all.dropFirst().map(\.data) == heard.map(\.data))

                // Again, from each place on, and over a new gateway: the rest, byte for byte.
                let later = try GatewayVisitor(stack.startGateway())
                // What this one remembers of the jobs, since it looked at the request, is what a look at each finds there.
                _ = try await visitor.get("/v1/requests/\(id)")
                let number = try #require(UInt64(id))
                for job in [number, number + 1] {
                    let remembered = try await visitor.get("/v1/jobs/\(job)").text
                    #expect(try await later.get("/v1/jobs/\(job)").text == remembered)
                    #expect(remembered.contains(#""ending" : "succeeded""#))
                }
                for (index, event) in heard.enumerated() {
                    let again = try HeardStream(later, "/v1/requests/\(id)/events", after: event.id)
                    #expect(try await again.ended().map(\.data) == heard.dropFirst(index + 1).map(\.data))
                    // A browser comes no more.
                    #expect(again.status == (index + 1 < heard.count ? 200 : 204))
                }
                // Nothing would come after this one for a long time.
                let future = try HeardStream(later, "/v1/events", after: Self.later(than: try #require(all.last?.id)))
                _ = try await future.ended()
                #expect(future.status == 422)
                let rest = try HeardStream(later, "/v1/events", after: all[0].id)
                try await rest.heard("request.completed")
                #expect(rest.events.filter { $0.id != nil }.map(\.data) == all.dropFirst().map(\.data))
                // Over: how it stands, and the end.
                let over = try HeardStream(later, "/v1/requests/\(id)/events")
                let state = try await over.ended()
                #expect(state.map(\.name) == ["request.state"] && state[0].member("state") == "succeeded")
                // Whoever never heard anything else is told to come no more too.
                let again = try HeardStream(later, "/v1/requests/\(id)/events", after: try #require(state[0].id))
                #expect(try await again.ended().isEmpty && again.status == 204)
            }
        }

        @Test func `what is retried by hand while its request runs is told to who comes again, too`() async throws {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("g", slots: 2)
                let visitor = try GatewayVisitor(stack.startGateway())
                let fails = #"{"kind":"fail","payload":"{\"retryable\":false}"}"#
                let id = try await submit(
                    visitor, #"{"jobs":[\#(fails),{"kind":"gate","payload":"\#(gate.path)"}]}"#)
                let request = try HeardStream(visitor, "/v1/requests/\(id)/events")
                try await request.heard("request.state")
                let running = try gate.next()
                func isLetter(_ job: String) async throws -> Bool {
                    let state = try await visitor.get("/v1/jobs/\(job)").json["state"] as? String
                    return state == "failed" || state == "dead"
                }
                try await scheduler.eventually("it failed") { try await isLetter(id) }
                let retried = try await visitor.post("/v1/jobs/\(id)/retry")
                let made = try #require(retried.json["retried_as"] as? String, "\(retried.text)")
                try await scheduler.eventually("the retry failed") { try await isLetter(made) }
                running.succeed()

                let heard = try await request.ended().filter { $0.id != nil && $0.name != "request.state" }
                #expect(heard.filter { $0.member("id") == made }.count == 2 && heard.last?.name == "request.failed")
                for (index, event) in heard.enumerated() {
                    let again = try HeardStream(visitor, "/v1/requests/\(id)/events", after: event.id)
                    #expect(try await again.ended().map(\.data) == heard.dropFirst(index + 1).map(\.data))
                    #expect(again.status == (index + 1 < heard.count ? 200 : 204))
                }
            }
        }

        @Test func `output of a running job is told, and a gateway that ends lets go of its streams`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("g", slots: 1)
                let gateway = try stack.startGateway()
                let visitor = try GatewayVisitor(gateway)
                let id = try await submit(
                    visitor, #"{"jobs":[{"kind":"resume","payload":"\#(gate.path)"}]}"#)
                let running = try gate.next()
                let job = try HeardStream(visitor, "/v1/jobs/\(id)/events")
                let output = try await job.heard("job.output")
                #expect(output.member("text") == "attempt 1\n" && output.member("id") == id)
                #expect(try gateway.stop() == .exited(0))
                _ = try await job.ended()
                #expect(!job.events.contains { $0.name == "job.succeeded" })
                running.succeed()
            }
        }

        @Test func `a tenant hears its own alone, and one-time tickets open streams`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let everybody = try GatewayVisitor(stack.startGateway())
                let run = try CommandRun(
                    ["token", "--config", stack.directory + "/statex.yaml", "--tenant", "acme"], in: stack.directory)
                let acme = GatewayVisitor(
                    url: everybody.url, token: run.output.trimmingCharacters(in: .whitespacesAndNewlines))
                let ticket = try #require(try await acme.post("/v1/tickets").json["ticket"] as? String)
                let stream = try HeardStream(acme, "/v1/events?ticket=\(ticket)", withToken: false)
                try await stream.begun()
                let used = try await GatewayVisitor(url: acme.url, token: "x").get("/v1/events?ticket=\(ticket)")
                #expect(used.status == 401)

                let other = try await submit(everybody, #"{"jobs":[{"kind":"echo"}],"tenant":"globex"}"#)
                _ = try await everybody.finished(other)
                let own = try await submit(acme, #"{"jobs":[{"kind":"echo"}]}"#)
                try await stream.heard("request.completed")
                #expect(stream.events.map(\.name) == Self.requestNames)
                #expect(stream.events.allSatisfy { $0.member("request") == own && $0.member("tenant") == "acme" })
                for path in ["/v1/requests/\(other)/events", "/v1/jobs/\(other)/events"] {
                    #expect(try await acme.get(path).status == 404)
                }
                #expect(try await acme.get("/v1/events?tenant=globex").status == 403)
            }
        }

        @Test func `over a restart of the scheduler a stream goes on and misses nothing`() async throws {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                let stream = try HeardStream(visitor, "/v1/events?kind=echo")
                try await stream.begun()
                let first = try await submit(visitor, #"{"jobs":[{"kind":"echo"}]}"#)
                _ = try await visitor.finished(first)
                try scheduler.kill()
                _ = try stack.startScheduler()
                let second = try await submit(visitor, #"{"jobs":[{"kind":"echo"}]}"#)
                try await stream.heard("request.completed") { $0.member("request") == second }
                #expect(stream.events.map(\.name) == Self.requestNames + Self.requestNames)
            }
        }
    }
}
