import Foundation
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// What people and operators see and order over HTTP, before a real scheduler, worker and journal.
    @Suite struct GatewayOperatorTests {
        private func acme(_ stack: TestStack, _ gateway: GatewayVisitor, _ scopes: String...) throws -> GatewayVisitor {
            let scopes = scopes.flatMap { ["--scope", $0] }
            let run = try CommandRun(
                ["token", "--config", stack.directory + "/statex.yaml", "--tenant", "acme"] + scopes,
                in: stack.directory)
            #expect(run.end == .exited(0), "\(run)")
            return GatewayVisitor(
                url: gateway.url, token: run.output.trimmingCharacters(in: .whitespacesAndNewlines))
        }

        private func submit(_ visitor: GatewayVisitor, _ body: String) async throws -> String {
            let answer = try await visitor.post("/v1/requests", body)
            return try #require(answer.json["id"] as? String, "\(answer.text)")
        }

        private func list(_ visitor: GatewayVisitor, _ path: String, _ member: String) async throws -> [[String: Any]] {
            let answer = try await visitor.get(path)
            return try #require(answer.json[member] as? [[String: Any]], "\(path): \(answer.text)")
        }

        @Test func `requests are listed with what they are made of, by state, kind and tenant, page by page`()
            async throws
        {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                let done = try await submit(
                    visitor, #"{"jobs":[{"kind":"echo"},{"kind":"noop"}],"tenant":"acme"}"#)
                let failed = try await submit(
                    visitor, #"{"jobs":[{"kind":"echo"},{"kind":"fail","payload":"{\"retryable\":false}"}]}"#)
                let open = try await submit(visitor, #"{"jobs":[{"kind":"nobody"}],"tenant":"acme"}"#)
                let cancelled = try await submit(visitor, #"{"jobs":[{"kind":"nobody"}]}"#)
                _ = try await visitor.post("/v1/requests/\(cancelled)/cancel")
                for id in [done, failed, cancelled] { _ = try await visitor.finished(id) }
                func ids(_ query: String) async throws -> [String] {
                    try await list(visitor, "/v1/requests" + query, "requests").compactMap { $0["id"] as? String }
                }
                let rows = try await list(visitor, "/v1/requests", "requests")
                #expect(rows.compactMap { $0["id"] as? String } == [cancelled, open, failed, done])
                #expect(rows.map { $0["state"] as? String } == ["cancelled", "open", "failed", "succeeded"])
                #expect(rows[3]["jobs"] as? Int == 2 && rows[3]["kinds"] as? [String] == ["echo", "noop"])
                #expect(rows[1]["ended_at"] is NSNull && rows[3]["ended_at"] is String)
                #expect(try await ids("?state=open&state=failed") == [open, failed])
                #expect(try await ids("?kind=echo") == [failed, done])
                #expect(try await ids("?tenant=acme") == [open, done])
                #expect(try await ids("?until=2020-01-01T00:00:00Z") == [])
                #expect(try await ids("?since=2199-12-31T23:59:59Z&state=open") == [])
                for path in ["requests", "jobs"] {
                    #expect(try await list(visitor, "/v1/\(path)?since=2100-01-01T00:00:00Z", path).isEmpty)
                }
                let page = try await visitor.get("/v1/requests?limit=3").json
                #expect(page["next"] as? String == failed)
                #expect(try await ids("?limit=3&cursor=\(failed)") == [done])
                // Alone it says the same.
                let alone = try await visitor.get("/v1/requests/\(failed)").json
                #expect(
                    alone["state"] as? String == "failed"
                        && alone["ended_at"] as? String == rows[2]["ended_at"] as? String)
                let acme = try acme(stack, visitor, "read")
                #expect(
                    try await list(acme, "/v1/requests", "requests").compactMap { $0["id"] as? String } == [open, done])
            }
        }

        @Test func `queues, workers and the scheduler are shown, a pause holds, and a drained worker ends`()
            async throws
        {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let worker = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                let acme = try acme(stack, visitor, "read", "submit", "operate")
                #expect(try await visitor.post("/v1/pause", #"{"kind":"echo","note":"a test"}"#).status == 202)
                let id = try await submit(
                    visitor,
                    #"{"jobs":[{"kind":"echo"},{"kind":"echo","after":[0]},{"kind":"echo","delay_seconds":600}],"tenant":"acme"}"#
                )
                _ = try await submit(visitor, #"{"jobs":[{"kind":"nobody"}],"tenant":"globex"}"#)
                let queues = try await list(visitor, "/v1/queues", "queues")
                let echo = try #require(queues.first { $0["kind"] as? String == "echo" })
                #expect(["queued", "delayed", "blocked", "leased"].map { echo[$0] as? Int } == [1, 1, 1, 0])
                #expect(echo["paused"] as? Bool == true && echo["paused_by"] as? String == "gateway:development")
                #expect(echo["oldest_seconds"] as? Double ?? -1 >= 0 && echo["backlog_seconds"] is Double)
                let queue = try await list(acme, "/v1/queues", "queues")
                #expect(queue.count == 1 && queue[0]["queued"] as? Int == 1 && queue[0]["paused"] as? Bool == true)

                let status = try await visitor.get("/v1/status").json
                #expect(status["open_jobs"] as? Int == 4 && (status["counts"] as? [String: Int])?["submitted"] == 4)
                #expect((status["paused"] as? [[String: String]])?.first?["what"] == "kind echo")
                let bounded = try await acme.get("/v1/status").json
                // Of others and of operators a tenant is told nothing: why its jobs wait neither.
                let (whole, own) = (try await visitor.get("/v1/jobs/\(id)"), try await acme.get("/v1/jobs/\(id)"))
                #expect((whole.json["waiting_because"] as? String)?.contains("gateway:development") == true)
                #expect(own.json["waiting_because"] as? String == "its kind is paused", "\(own.text)")
                #expect(bounded["open_jobs"] == nil && bounded["counts"] == nil && bounded["uptime_seconds"] is Int)
                #expect((bounded["paused"] as? [Any])?.isEmpty == true)
                #expect(try await acme.get("/v1/workers").status == 403)
                let drain = try await visitor.post("/v1/workers/%00/drain")
                #expect(drain.status == 422 && drain.text.contains(#""field":"name""#), "\(drain.text)")
                #expect(try await acme.get("/v1/schedules").status == 403)
                #expect(try await list(visitor, "/v1/schedules", "schedules").isEmpty)
                let needed = try await visitor.get("/v1/scale?kind=echo").json
                #expect(needed["desired"] as? Int == 1 && needed["backlog"] as? Int == 1, "\(needed)")
                #expect(needed["slots"] as? Int == 2 && needed["running"] as? Int == 0)
                for path in ["/v1/scale?kind=unknown", "/v1/scale?kind=echo&label=gpu"] {
                    let answer = try await visitor.get(path)
                    #expect(answer.status == 200 && answer.json["desired"] as? Int == 0, "\(answer.text)")
                }
                #expect(try await acme.get("/v1/scale?kind=echo").status == 403)

                #expect(try await visitor.post("/v1/resume", #"{"kind":"echo"}"#).status == 202)
                try await worker.eventually("what was paused runs") {
                    try await visitor.get("/v1/jobs/\(id)").json["state"] as? String == "succeeded"
                }

                let workers = try await list(visitor, "/v1/workers", "workers")
                #expect(workers.count == 1 && workers[0]["name"] as? String == "w")
                let unknown = try await visitor.post("/v1/workers/nobody/drain")
                #expect(unknown.status == 409, "\(unknown.text)")
                let full = "w%2F\(try #require(workers[0]["incarnation"] as? String))"
                #expect(try await visitor.post("/v1/workers/\(full)/drain", "{}").status == 202)
                #expect(try worker.waitForEnd() == .exited(0))
            }
        }

        @Test func `dead letters are grouped, counted before an order, retried and dropped; a tenant reaches its own`()
            async throws
        {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                let acme = try acme(stack, visitor, "read", "submit", "operate")
                let job = #"{"kind":"fail","payload":"{\"retryable\":false}"}"#
                let first = try await submit(visitor, #"{"jobs":[\#(job),\#(job)],"tenant":"acme"}"#)
                let second = try await submit(visitor, #"{"jobs":[\#(job)],"tenant":"globex"}"#)
                for id in [first, second] { _ = try await visitor.finished(id) }

                let groups = try await list(visitor, "/v1/dead-letters?group=true", "groups")
                #expect(groups.count == 1 && groups[0]["count"] as? Int == 3 && groups[0]["kind"] as? String == "fail")
                #expect(groups[0]["newest"] is String && groups[0]["first_line"] is String)
                #expect(try await list(visitor, "/v1/dead-letters?limit=2", "letters").count == 2)
                #expect(try await list(acme, "/v1/dead-letters", "letters").count == 2)
                #expect(try await list(acme, "/v1/dead-letters?tenant=globex", "letters").isEmpty)

                let counted = try await acme.post("/v1/dead-letters/retry", #"{"all":true,"dry_run":true}"#)
                #expect(counted.status == 200 && counted.json["matched"] as? Int == 2, "\(counted.text)")
                #expect(counted.json["next"] is NSNull)
                // Of the two that it counted none is behind the newer.
                let behind = #"{"all":true,"dry_run":true,"cursor":"\#(second)"}"#
                #expect(try await acme.post("/v1/dead-letters/drop", behind).json["matched"] as? Int == 0)
                let retried = try await acme.post("/v1/jobs/\(first)/retry")
                let made = try #require(retried.json["retried_as"] as? String, "\(retried.text)")
                #expect(retried.status == 202 && retried.json["matched"] as? Int == 1)
                let again = try await acme.post("/v1/jobs/\(first)/retry")
                #expect(again.status == 409 && again.json["code"] as? String == "retried")
                #expect(try await acme.get("/v1/jobs/\(made)").json["retry_of"] as? String == first)
                #expect(try await acme.post("/v1/jobs/\(second)/retry").status == 404)
                let stream = try HeardStream(acme, "/v1/jobs/\(made)/events")
                #expect(
                    try await stream.ended().last.map { ["job.failed", "job.dead", "job.state"].contains($0.name) }
                        == true)

                let all = try await acme.post("/v1/dead-letters/retry", #"{"kind":"fail","per_second":1000}"#)
                #expect(all.status == 202 && all.json["done"] as? Bool == true, "\(all.text)")
                #expect((1...2).contains(all.json["reached"] as? Int ?? 0))
                let dropped = try await visitor.post("/v1/dead-letters/drop", #"{"tenant":"globex"}"#)
                #expect(dropped.json["matched"] as? Int == 1 && dropped.json["reached"] as? Int == 1, "\(dropped.text)")
                #expect(try await list(visitor, "/v1/dead-letters?tenant=globex", "letters").isEmpty)
                let kept = try await list(visitor, "/v1/dead-letters?tenant=globex&all=true", "letters")
                #expect(kept.count == 1 && kept[0]["dropped"] as? Bool == true)
                let gone = try await visitor.post("/v1/jobs/\(second)/retry")
                #expect(
                    gone.status == 409 && gone.text.contains("it was dropped, or what it waits for"), "\(gone.text)")
                #expect(
                    try await list(visitor, "/v1/dead-letters?all=true&since=2100-01-01T00:00:00Z", "letters").isEmpty)
                let running = try await submit(visitor, #"{"jobs":[{"kind":"nobody"}]}"#)
                #expect(try await visitor.post("/v1/jobs/\(running)/retry").json["code"] as? String == "not_dead")
            }
        }
    }
}
