import Foundation
import StatexClient
import StatexProtocol
import Testing

extension EndToEnd {
    /// The HTTP gateway before a real scheduler, worker and journal.
    @Suite struct GatewayTests {
        /// A token of the stack's development secret.
        private func token(_ stack: TestStack, _ arguments: String...) throws -> String {
            let run = try CommandRun(
                ["token", "--config", stack.directory + "/statex.yaml"] + arguments, in: stack.directory)
            #expect(run.end == .exited(0), "\(run)")
            return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
        }

        @Test func `where another program listens it says so, and what to change`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let first = try GatewayVisitor(stack.startGateway())
                let address = try #require(first.url.split(separator: "/").last.map(String.init))
                let second = try CommandRun(
                    [
                        "gateway", "--database", stack.database, "--endpoint", stack.submitEndpoint(),
                        "--events-endpoint", stack.eventsEndpoint(), "--listen", address, "--config",
                        stack.directory + "/statex.yaml",
                    ], in: stack.directory)
                #expect(second.end == .exited(1))
                let port = address.split(separator: ":").last ?? ""
                #expect(
                    second.errors.contains(
                        "cannot listen on 127.0.0.1, port \(port): another program listens there; see the key gateway"),
                    "\(second)")
            }
        }

        @Test func `a secret that is exchanged is believed without a restart, once only we may read it`() async throws {
            try await TestStack.with { stack in
                let file = stack.directory + "/gateway.secret"
                func write(_ letter: Character, mode: mode_t) throws {
                    try String(repeating: letter, count: 64).write(
                        toFile: file + ".new", atomically: false, encoding: .utf8)
                    try #require(chmod(file + ".new", mode) == 0 && rename(file + ".new", file) == 0)
                }
                try write("a", mode: 0o600)
                try stack.configure(["gateway_tokens": "{secret_file: \(file)}"])
                _ = try stack.startScheduler()
                let gateway = try stack.startGateway()
                let url = try #require(gateway.announcement.first)
                let old = GatewayVisitor(url: url, token: try token(stack))
                #expect(try await old.get("/v1/jobs").status == 200)
                try write("b", mode: 0o644)
                try await gateway.eventually("it says why it is not used") {
                    gateway.said.contains("others may read this secret")
                }
                #expect(try await old.get("/v1/jobs").status == 200)
                try #require(chmod(file, 0o600) == 0)
                try await gateway.eventually("the old one is over") { try await old.get("/v1/jobs").status == 401 }
                let new = GatewayVisitor(url: url, token: try token(stack))
                #expect(try await new.get("/v1/jobs").status == 200)
            }
        }

        @Test func `a tenant's token is the tenant's, unless it is said whose`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                for (arguments, subject) in [
                    ([], "statex"), (["--tenant", "acme"], "acme"), (["--tenant", "acme", "--subject", "ada"], "ada"),
                ] as [([String], String)] {
                    let run = try CommandRun(
                        ["token", "--config", stack.directory + "/statex.yaml"] + arguments, in: stack.directory)
                    var claims = run.output.split(separator: ".").dropFirst().first.map(String.init) ?? ""
                    claims = claims.replacing("-", with: "+").replacing("_", with: "/")
                    claims += String(repeating: "=", count: (4 - claims.utf8.count % 4) % 4)
                    let data = try #require(Data(base64Encoded: claims), "\(run)")
                    let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
                    #expect(object?["sub"] as? String == subject)
                }
            }
        }

        @Test func `a request is submitted, watched and its results read over HTTP; to others it is not there`()
            async throws
        {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let gateway = try stack.startGateway()
                let acme = GatewayVisitor(
                    url: try GatewayVisitor(gateway).url,
                    token: try token(stack, "--tenant", "acme", "--scope", "submit", "--scope", "read"))
                let body = """
                    {"jobs": [{"kind": "echo", "payload": "{\\"a\\": 1}", "tags": ["first"]},
                              {"kind": "echo", "payload_base64": "aGVsbG8=", "after": [0], "priority": 1},
                              {"kind": "noop", "attempts": 1}]}
                    """
                let created = try await acme.post("/v1/requests", body)
                #expect(created.status == 201, "\(created.text)")
                let id = try #require(created.json["id"] as? String)
                #expect(created.header("Location") == "/v1/requests/\(id)")
                let jobs = try #require(created.json["job_ids"] as? [String])
                #expect(jobs.count == 3 && jobs[0] == id)

                let request = try await acme.finished(id).json
                #expect(request["state"] as? String == "succeeded" && request["tenant"] as? String == "acme")
                let rows = try #require(request["jobs"] as? [[String: Any]])
                #expect(rows.map { $0["id"] as? String } == jobs)
                #expect(rows.map { $0["index"] as? Int } == [0, 1, 2])
                #expect(rows[0]["tags"] as? [String] == ["first"] && rows[1]["priority"] as? Int == 1)

                let json = try await acme.get("/v1/jobs/\(jobs[0])/result")
                #expect(json.status == 200 && json.text == #"{"a": 1}"#)
                #expect(json.header("Content-Type") == "application/json")
                let text = try await acme.get("/v1/jobs/\(jobs[1])/result")
                #expect(text.text == "hello" && text.header("Content-Type") == "text/plain; charset=utf-8")
                let none = try await acme.get("/v1/jobs/\(jobs[2])/result")
                #expect(none.status == 404 && none.json["code"] as? String == "no_result")

                let job = try await acme.get("/v1/jobs/\(jobs[0])").json
                let attempts = try #require(job["attempts"] as? [[String: Any]])
                #expect(attempts.count == 1 && attempts[0]["ending"] as? String == "succeeded")
                #expect((attempts[0]["worker"] as? String)?.hasPrefix("w/") == true)

                let other = GatewayVisitor(
                    url: acme.url, token: try token(stack, "--tenant", "other", "--scope", "submit", "--scope", "read"))
                for path in [
                    "/v1/requests/\(id)", "/v1/jobs/\(id)", "/v1/jobs/\(id)/result", "/v1/jobs/\(jobs[1])",
                ] {
                    let answer = try await other.get(path)
                    #expect(answer.status == 404 && answer.json["code"] as? String == "not_found", "\(path)")
                }
                for path in ["/v1/requests/\(id)/cancel", "/v1/jobs/\(id)/cancel"] {
                    #expect(try await other.post(path).status == 404)
                }
                #expect((try await other.get("/v1/jobs").json["jobs"] as? [Any])?.isEmpty == true)
                #expect((try await other.get("/v1/jobs?tenant=acme").json["jobs"] as? [Any])?.isEmpty == true)
                #expect((try await acme.get("/v1/jobs?limit=2").json["jobs"] as? [Any])?.count == 2)
            }
        }

        @Test func `a repeat under the same key is the same request; another content is refused`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let visitor = try GatewayVisitor(stack.startGateway())
                let key = ["Idempotency-Key": "order-1"]
                let body = #"{"jobs":[{"kind":"noop","payload":"x"}]}"#
                let first = try await visitor.post("/v1/requests", body, headers: key)
                let second = try await visitor.post("/v1/requests", body, headers: key)
                #expect(first.status == 201 && second.status == 200)
                #expect(first.json["id"] as? String == second.json["id"] as? String)
                let third = try await visitor.post(
                    "/v1/requests", #"{"jobs":[{"kind":"noop","payload":"y"}]}"#, headers: key)
                #expect(third.status == 409 && third.json["code"] as? String == "key_conflict", "\(third.text)")
            }
        }

        @Test func `a submit that nobody answered may be recorded, and says so`() async throws {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                _ = try #require(try await visitor.post("/v1/requests", #"{"jobs":[{"kind":"noop"}]}"#).json["id"])
                scheduler.signal(SIGSTOP)
                let body = #"{"jobs":[{"kind":"noop","tags":["kept"]}]}"#
                let key = ["Idempotency-Key": "k"]
                // Both leave before it is seen that nobody answers.
                async let first = visitor.post("/v1/requests", body, headers: key)
                async let second = visitor.post("/v1/requests", #"{"jobs":[{"kind":"noop"}]}"#)
                let (keyed, bare) = try await (first, second)
                #expect(keyed.status == 503 && keyed.json["code"] as? String == "outcome_unknown", "\(keyed.text)")
                // Such an answer is repeated by many clients without asking.
                #expect(keyed.header("Retry-After") == "1")
                #expect(bare.status == 503 && bare.json["code"] as? String == "outcome_unknown", "\(bare.text)")
                #expect(bare.header("Retry-After") == nil)
                scheduler.signal(SIGCONT)
                let again = try await Self.answered { try await visitor.post("/v1/requests", body, headers: key) }
                _ = try await visitor.finished(try #require(again.json["id"] as? String, "\(again.text)"))
                let listed = try await visitor.get("/v1/jobs?tag=kept").json
                #expect((listed["jobs"] as? [Any])?.count == 1)
            }
        }

        /// Asks until the scheduler is back.
        private static func answered(
            _ ask: () async throws -> GatewayVisitor.Answer
        ) async throws -> GatewayVisitor.Answer {
            var answer = try await ask()
            while answer.status == 503 { answer = try await ask() }
            return answer
        }

        @Test func `what waits says why, and is cancelled`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let visitor = try GatewayVisitor(stack.startGateway())
                let body = #"{"jobs":[{"kind":"nobody"},{"kind":"nobody"}],"tenant":"acme"}"#
                let id = try #require(try await visitor.post("/v1/requests", body).json["id"] as? String)
                let job = try await visitor.get("/v1/jobs/\(id)").json
                #expect(job["state"] as? String == "queued")
                #expect(job["waiting_reason"] as? String == "no_worker_for_kind")
                let listed = try await visitor.get("/v1/jobs?state=queued&tenant=acme&kind=nobody").json
                #expect((listed["jobs"] as? [Any])?.count == 2)
                let cancelled = try await visitor.post("/v1/requests/\(id)/cancel")
                #expect(cancelled.status == 202 && cancelled.json["matched"] as? Int == 2)
                #expect(try await visitor.finished(id).json["state"] as? String == "cancelled")
                let again = try await visitor.post("/v1/jobs/\(id)/cancel")
                #expect(again.status == 202 && again.json["matched"] as? Int == 0)
                let who = try stack.rows(
                    "SELECT who FROM statex.actions WHERE action = 'cancel' ORDER BY batch LIMIT 1")
                #expect(who == [["gateway:development"]])
            }
        }

        @Test func `a result that is an object is streamed`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                let text = String(repeating: "Ünicode ", count: 40_000)
                let id = try #require(
                    try await visitor.post("/v1/requests", #"{"jobs":[{"kind":"echo","payload":"\#(text)"}]}"#)
                        .json["id"] as? String)
                _ = try await visitor.finished(id)
                let result = try await visitor.get("/v1/jobs/\(id)/result")
                #expect(result.status == 200 && result.text == text)
                #expect(result.header("Content-Type") == "text/plain; charset=utf-8")
                #expect(result.header("Content-Length") == String(text.utf8.count))
            }
        }

        @Test func `without a scheduler it goes on to read, and recovers by itself`() async throws {
            try await TestStack.with { stack in
                let scheduler = try stack.startScheduler()
                let gateway = try stack.startGateway()
                let visitor = try GatewayVisitor(gateway)
                let body = #"{"jobs":[{"kind":"nobody"}]}"#
                let id = try #require(try await visitor.post("/v1/requests", body).json["id"] as? String)
                #expect(try await visitor.get("/readyz").status == 200)
                try scheduler.kill()
                #expect(try await visitor.get("/v1/requests/\(id)").json["state"] as? String == "open")
                // The first may have left before it was seen that nobody is there; what did not leave says so.
                let first = try await visitor.post("/v1/requests", body)
                #expect(first.status == 503, "\(first.text)")
                let refused = try await visitor.post("/v1/requests", body)
                #expect(refused.status == 503 && refused.header("Retry-After") == "1", "\(refused.text)")
                #expect(refused.json["code"] as? String == "scheduler_away", "\(refused.text)")
                #expect(try await visitor.get("/readyz").status == 503)
                _ = try stack.startScheduler()
                let accepted = try await visitor.post("/v1/requests", body)
                #expect(accepted.status == 201, "\(accepted.text)")
                try stack.killPostgres()
                #expect(try await visitor.get("/v1/requests/\(id)").status == 503)
                try stack.startPostgres()
                #expect(try await visitor.get("/v1/requests/\(id)").status == 200)
                #expect(try gateway.stop() == .exited(0))
            }
        }
    }
}
