import Foundation
import Testing

extension EndToEnd {
    /// Several gateways before one scheduler, and clients that want more than their share.
    @Suite struct GatewayCrowdTests {
        private static let body = #"{"jobs":[{"kind":"echo","payload":"hello"}]}"#

        @Test func `of two gateways each goes on where the other was, and one that is killed is not missed`()
            async throws
        {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let first = try stack.startGateway()
                let one = try GatewayVisitor(first)
                // A token of the one is good at the other.
                let two = GatewayVisitor(url: try GatewayVisitor(stack.startGateway()).url, token: one.token)
                #expect(one.url != two.url)
                let key = ["Idempotency-Key": "the same"]
                let made = try await one.post("/v1/requests", Self.body, headers: key)
                let id = try #require(made.json["id"] as? String, "\(made.text)")
                let again = try await two.post("/v1/requests", Self.body, headers: key)
                #expect(made.status == 201 && again.status == 200 && again.json["id"] as? String == id)
                #expect(try await two.finished(id).json["state"] as? String == "succeeded")
                let ticket = try #require(try await one.post("/v1/tickets").json["ticket"] as? String)
                let stream = try HeardStream(two, "/v1/events?ticket=\(ticket)", withToken: false)
                try await stream.begun()

                try first.kill()
                let later = try await two.post("/v1/requests", Self.body)
                let next = try #require(later.json["id"] as? String, "\(later.text)")
                try await stream.heard("request.completed") { $0.member("request") == next }
                #expect(try await two.get("/v1/jobs/\(id)/result").text == "hello")
                #expect(try await two.get("/readyz").status == 200)
            }
        }

        @Test func `a subject has so many streams, whatever it asks for, and others have theirs`() async throws {
            try await TestStack.with(["gateway_streams_per_subject": "2"]) { stack in
                _ = try stack.startScheduler()
                let visitor = try GatewayVisitor(stack.startGateway())
                let run = try CommandRun(
                    ["token", "--config", stack.directory + "/statex.yaml", "--subject", "other"], in: stack.directory)
                let other = GatewayVisitor(
                    url: visitor.url, token: run.output.trimmingCharacters(in: .whitespacesAndNewlines))
                let open = try ["/v1/events", "/v1/events?kind=echo"].map { try HeardStream(visitor, $0) }
                for stream in open { try await stream.begun() }
                let request = try await visitor.post("/v1/requests", #"{"jobs":[{"kind":"nobody"}]}"#)
                let id = try #require(request.json["id"] as? String, "\(request.text)")
                for path in ["/v1/events", "/v1/requests/\(id)/events", "/v1/jobs/\(id)/events"] {
                    let refused = try await visitor.get(path)
                    #expect(refused.status == 429 && refused.header("Retry-After") != nil, "\(path): \(refused.text)")
                }
                let theirs = try HeardStream(other, "/v1/events")
                try await theirs.begun()
                #expect(theirs.status == 200)
            }
        }
    }
}
