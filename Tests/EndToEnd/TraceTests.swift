import CollectorTestServer
import Foundation
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// Traces through real processes, to a collector that takes only what OpenTelemetry's definition allows.
    @Suite struct TraceTests {
        private static let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        private static let trace = "0af7651916cd43dd8448eb211c80319c"
        private static let other = "00-11111111111111111111111111111111-2222222222222222-01"

        private func result(_ job: String, _ visitor: GatewayVisitor) async throws -> String {
            try await visitor.get("/v1/jobs/\(job)/result").text.trimmingCharacters(in: ["\""])
        }

        private func jobs(_ visitor: GatewayVisitor, _ body: String, _ trace: String?) async throws -> [String] {
            let created = try await visitor.post(
                "/v1/requests", body, headers: trace.map { ["traceparent": $0] } ?? [:])
            #expect(created.status == 201, "\(created.text)")
            let id = try #require(created.json["id"] as? String)
            _ = try await visitor.finished(id)
            return try #require(created.json["job_ids"] as? [String])
        }

        @Test func `a traced request is a span, its jobs' waits and attempts are below it, and handlers pass it on`()
            async throws
        {
            let collector = try Collector()
            let settings = ["otlp_endpoint": collector.endpoint, "worker_probes": "127.0.0.1:0"]
            try await TestStack.with(settings) { stack in
                _ = try stack.startScheduler()
                let worker = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                let body = """
                    {"tenant": "acme", "jobs": [
                        {"kind": "traced"},
                        {"kind": "fail", "payload": "{\\"message\\":\\"no\\",\\"retryable\\":false}"},
                        {"kind": "traced", "payload": "x", "affinity": "a", "traceparent": "\(Self.other)"}]}
                    """
                let jobs = try await jobs(visitor, body, Self.given)
                try await worker.eventually("all spans are there") { try collector.spans().count == 7 }
                let spans = try collector.spans()

                let submit = try #require(spans.first { $0.name == "submit" })
                #expect(submit.trace == Self.trace && submit.parent == "b7ad6b7169203331" && submit.kind == 4)
                #expect(submit.service == "statex-gateway" && !submit.failed)
                #expect(submit.attributes["statex.request"] == jobs[0] && submit.attributes["statex.jobs"] == "3")

                for (index, job) in jobs.enumerated() {
                    let of = spans.filter { $0.attributes["statex.job"] == job }
                    #expect(of.count == 2, "\(of)")
                    let parent = index == 2 ? "2222222222222222" : submit.span
                    for span in of {
                        #expect(span.trace == (index == 2 ? String(repeating: "1", count: 32) : Self.trace))
                        #expect(span.parent == parent && span.service == "statex-worker")
                        #expect(span.attributes["statex.request"] == jobs[0])
                        #expect(span.attributes["statex.tenant"] == "acme")
                    }
                    let wait = try #require(of.first { $0.name == "wait" })
                    let attempt = try #require(of.first { $0.name == "attempt" })
                    #expect(wait.start <= wait.end && wait.end == attempt.start && attempt.start <= attempt.end)
                    #expect(attempt.kind == 5 && attempt.attributes["statex.attempt"] == "1")
                    #expect(attempt.attributes["statex.worker"] == "w")
                    #expect(attempt.attributes["statex.outcome"] == (index == 1 ? "failed" : "succeeded"))
                    #expect(attempt.failed == (index == 1))
                    if index != 1 {
                        let handed = try await result(job, visitor)
                        #expect(handed == "00-\(attempt.trace)-\(attempt.span)-01", "the attempt is what is passed on")
                    }
                }
                let seen = try await visitor.get("/v1/jobs/\(jobs[0])").json["traceparent"] as? String
                #expect(seen == "00-\(Self.trace)-\(submit.span)-01")
                let metrics = try await HTTP.get("http://\(try worker.probes)/metrics").body
                #expect(metrics.contains("\nstatex_spans_sent_total 6\n"), "\(metrics)")
                let failure = try #require(
                    worker.said.split(separator: "\n").first { $0.contains("an attempt failed") })
                #expect(failure.contains("trace_id=\(Self.trace)") && failure.contains("request=\(jobs[0])"))
            }
        }

        @Test func `what is not to be recorded is passed on as it came; a wrong traceparent is none`() async throws {
            let collector = try Collector()
            try await TestStack.with(["otlp_endpoint": collector.endpoint]) { stack in
                _ = try stack.startScheduler()
                let worker = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                let body = #"{"jobs": [{"kind": "traced"}]}"#
                let silent = Self.given.dropLast() + "0"
                let unsampled = try await jobs(visitor, body, String(silent))
                #expect(try await result(unsampled[0], visitor) == silent)
                // Each begins a trace of its own, as a request without one does.
                for wrong in [nil, Self.given.uppercased(), Self.given + "-x", Self.given.replacing("b7", with: "zz")] {
                    let jobs = try await jobs(visitor, body, wrong)
                    let handed = try await result(jobs[0], visitor)
                    #expect(TraceContext(handed)?.isSampled == true && !handed.contains(Self.trace))
                }
                try await worker.eventually("the others' spans are there") { try collector.spans().count == 12 }
                let spans = try collector.spans()
                #expect(spans.filter { $0.name == "submit" && $0.parent.isEmpty }.count == 4)
                #expect(!spans.contains { $0.trace == Self.trace })
            }
        }

        @Test func `without a collector a trace outlives its scheduler, and reaches the handler as it was submitted`()
            async throws
        {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                let submit = try CommandRun(
                    [
                        "submit", "--endpoint", stack.submitEndpoint(), "--kind", "traced", "--payload", "x",
                        "--traceparent", Self.given, "--json",
                    ], in: stack.directory)
                #expect(submit.end == .exited(0), "\(submit)")
                try scheduler.kill()
                _ = try stack.startScheduler()
                // Its lease is read back from the journal.
                let worker = try stack.startWorker("w")
                let json = try JSONSerialization.jsonObject(with: Data(submit.output.utf8)) as? [String: Any]
                let id = try #require((json?["request"] as? String).flatMap { JobID($0) })
                let visitor = try GatewayVisitor(stack.startGateway())
                _ = try await visitor.finished("\(id)")
                #expect(try await result("\(id)", visitor) == Self.given)
                #expect(try worker.stop() == .exited(0))
            }
        }

        @Test func `a webhook that tells of a traced request belongs to its trace`() async throws {
            let collector = try Collector()
            try await TestStack.with { stack in
                let receiver = try await stack.startReceiver()
                try stack.startDelivery(
                    try stack.webhookSettings(url: receiver.url).merging(["otlp_endpoint": collector.endpoint]) { $1 })
                let visitor = try GatewayVisitor(stack.startGateway())
                _ = try await jobs(visitor, #"{"jobs":[{"kind":"echo","payload":"x"}],"tenant":"acme"}"#, Self.given)
                try await receiver.received("a message") { !$0.isEmpty }
                func delivery() throws -> Collector.Span? {
                    try collector.spans().first {
                        $0.name == "attempt" && $0.attributes["statex.kind"] == "statex.webhook"
                    }
                }
                // Gateway and workers send theirs when each likes to.
                try await receiver.process.eventually("its span is there, and the submit's") {
                    try delivery() != nil && collector.spans().contains { $0.name == "submit" }
                }
                let span = try #require(try delivery())
                let submit = try #require(try collector.spans().first { $0.name == "submit" })
                #expect(span.trace == Self.trace && span.parent == submit.span)
                #expect(span.attributes["statex.outcome"] == "succeeded")
            }
        }

        @Test func `a repeat under the same key is the same request, whatever trace it belongs to`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let visitor = try GatewayVisitor(stack.startGateway())
                let body = #"{"jobs":[{"kind":"noop","payload":"x"},{"kind":"noop","tags":["t"]}]}"#
                var ids: [String?] = []
                for trace in [nil, Self.given, Self.other] {
                    let answer = try await visitor.post(
                        "/v1/requests", body,
                        headers: ["Idempotency-Key": "k"].merging(trace.map { ["traceparent": $0] } ?? [:]) { $1 })
                    #expect(answer.status == (ids.isEmpty ? 201 : 200), "\(answer.text)")
                    ids.append(answer.json["id"] as? String)
                }
                #expect(Set(ids).count == 1)
            }
        }
    }
}
