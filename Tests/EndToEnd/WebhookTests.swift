import Foundation
import StatexClient
import StatexProtocol
import StatexWebhooks
import Testing

@testable import StatexStack

extension EndToEnd {
    /// From a request's end to a receiver's table.
    @Suite struct WebhookTests {
        private static let echo = #"{"jobs":[{"kind":"echo","payload":"x"}],"tenant":"acme"}"#

        private func submit(_ body: String = echo, to visitor: GatewayVisitor) async throws -> String {
            let answer = try await visitor.post("/v1/requests", body)
            return try #require(answer.json["id"] as? String, "\(answer.text)")
        }

        @Test func `a tenant's requests are told when they end, each once and rightly signed; others' are not`()
            async throws
        {
            try await TestStack.with { stack in
                let receiver = try await stack.startReceiver()
                try stack.startDelivery(try stack.webhookSettings(url: receiver.url + "/hook?a=1"))
                let visitor = try GatewayVisitor(stack.startGateway())
                let other = try await submit(#"{"jobs":[{"kind":"echo"}],"tenant":"other"}"#, to: visitor)
                _ = try await visitor.finished(other)
                let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
                let good = try await submit(
                    #"{"jobs":[{"kind":"echo","traceparent":"\#(trace)"}],"tenant":"acme"}"#, to: visitor)
                let bad = try await submit(
                    #"{"jobs":[{"kind":"fail","payload":"{\"retryable\": false}"}],"tenant":"acme"}"#, to: visitor)
                let waiting = try await submit(#"{"jobs":[{"kind":"nobody"}],"tenant":"acme"}"#, to: visitor)
                #expect(try await visitor.post("/v1/requests/\(waiting)/cancel").status == 202)
                try await receiver.received("three messages") { $0.count >= 3 }
                let messages = receiver.messages
                #expect(
                    Set(messages.map { "\($0.type) \($0.request)" }) == [
                        "request.completed \(good)", "request.failed \(bad)", "request.cancelled \(waiting)",
                    ])
                for message in messages {
                    #expect(try message.isSigned(), "\(message)")
                    let data = try #require(message.json["data"] as? [String: Any])
                    #expect(data["tenant"] as? String == "acme" && data["jobs"] as? Int == 1)
                    let age = abs(Date().timeIntervalSince1970 - (Double(message.stamp) ?? 0))
                    #expect(age < 60)
                }
                // It belongs to the trace of its request, as a span of its own.
                let traced = messages.filter { $0.trace != nil }
                #expect(traced.map(\.request) == [good] && traced[0].trace?.contains(trace.prefix(35)) == true)
                // What was delivered is a job that succeeded, and of deliveries nobody is told.
                try await receiver.process.eventually("they are final") {
                    try stack.number(
                        "SELECT count(*) FROM statex.job_status WHERE kind = 'statex.webhook' AND state = 'succeeded'")
                        == 3
                }
                #expect(receiver.messages.count == 3)
            }
        }

        @Test func `a request names its own URL, if its tenant has a secret for that`() async throws {
            try await TestStack.with { stack in
                let receiver = try await stack.startReceiver()
                try stack.startDelivery(try stack.webhookSettings(url: nil))
                let first = try stack.startGateway()
                let visitor = try GatewayVisitor(first)
                func body(_ url: String, tenant: String = "acme") -> String {
                    #"{"jobs":[{"kind":"echo","payload":"x"}],"tenant":"\#(tenant)","webhook":"\#(url)"}"#
                }
                for (body, words) in [
                    (body(receiver.url, tenant: "other"), "has no secret"),
                    (body("ftp://example.org/"), "must begin with https://"),
                    (body("http://10.0.0.1/"), "is private"), (body("http://0x7f.1/"), "no address"),
                ] {
                    let answer = try await visitor.post("/v1/requests", body)
                    #expect(answer.status == 422 && answer.text.contains(words), "\(body): \(answer.text)")
                }
                _ = try await visitor.finished(try await submit(to: visitor))
                let one = try await submit(body(receiver.url + "/one"), to: visitor)
                let two = try await submit(body(receiver.url + "/two"), to: visitor)
                try await receiver.received("two messages") { $0.count >= 2 }
                #expect(Set(receiver.messages.map(\.request)) == [one, two])
                // A URL stays as long as a job that is kept names it.
                let connection = try stack.connection()
                try connection.run(
                    """
                    UPDATE statex.webhook_targets SET used = now() - interval '2 days';
                    INSERT INTO statex.webhook_targets VALUES ('old', 'acme', 'https://h/', now() - interval '2 days'),
                        ('new', 'acme', 'https://h/', now())
                    """, doing: "age")
                try first.kill()
                let gateway = try stack.startGateway()
                try await gateway.eventually("the sweep") {
                    try stack.rows("SELECT name FROM statex.webhook_targets WHERE name = 'old'").isEmpty
                }
                #expect(try stack.number("SELECT count(*) FROM statex.webhook_targets") == 3)
            }
        }

        @Test func `who submits for a tenant cannot take the key of a message, though its id can be foretold`()
            async throws
        {
            try await TestStack.withReceiver { stack, receiver, _ in
                _ = try stack.startGateway()
                let client = try await stack.client()
                let one = try await client.submit(Request(kind: "echo", payload: .text("1"), tenant: "acme"))
                try await receiver.received("the first") { $0.map(\.request) == [one.id.description] }
                // Were this the key of the delivery, it would be a conflict now, and a message suppressed before.
                let id = try #require(receiver.messages.first?.id)
                let two = try await client.submit(Request(kind: "echo", payload: .text("2"), tenant: "acme", key: id))
                try await receiver.received("the second") { $0.last?.request == two.id.description }
                await client.close()
            }
        }

        @Test func `a receiver that fails is tried again, with the same id, until it answers`() async throws {
            try await TestStack.withReceiver(answering: [500, 503, 200]) { stack, receiver, _ in
                let visitor = try GatewayVisitor(stack.startGateway())
                _ = try await submit(to: visitor)
                try await receiver.received("the third") { $0.count >= 3 }
                let messages = receiver.messages
                #expect(messages.map(\.status) == [500, 503, 200])
                #expect(Set(messages.map(\.id)).count == 1 && Set(messages.map(\.body)).count == 1)
                #expect(try messages.allSatisfy { try $0.isSigned() })
                try await receiver.process.eventually("it is final") {
                    try stack.number("SELECT count(*) FROM statex.job_status WHERE state = 'succeeded'") == 2
                }
                #expect(receiver.messages.count == 3)
            }
        }

        @Test func `a receiver that refuses, or sends elsewhere, makes a dead letter, which can be delivered anew`()
            async throws
        {
            try await TestStack.withReceiver(answering: [410, 302, 204]) { stack, receiver, _ in
                let visitor = try GatewayVisitor(stack.startGateway())
                _ = try await submit(to: visitor)
                func letters() throws -> OperatorAnswer { try stack.ask("dead", "--kind", "statex.webhook") }
                try await receiver.process.eventually("it is dead") { try letters().list("dead").count == 1 }
                let letter = try #require(try letters().list("dead").first)
                #expect(letter["error_class"] as? String == "http_410", "\(letter)")
                #expect(try stack.run("retry", try #require(letter["id"] as? String)).end == .exited(0))
                try await receiver.received("the second") { $0.count >= 2 }
                try await receiver.process.eventually("the second is dead") {
                    try letters().list("dead").first?["error_class"] as? String == "http_302"
                }
                let second = try #require(try letters().list("dead").first?["id"] as? String)
                #expect(try stack.run("retry", second).end == .exited(0))
                try await receiver.received("the third") { $0.count >= 3 }
                #expect(Set(receiver.messages.map(\.id)).count == 1 && receiver.messages.last?.status == 204)
            }
        }

        @Test func `a gateway that is killed, again and again, loses no message and makes no second job`() async throws
        {
            try await TestStack.withReceiver { stack, receiver, _ in
                let client = try await stack.client()
                var ids: Set<String> = []
                for round in 0..<4 {
                    let gateway = try stack.startGateway()
                    for _ in 0..<25 {
                        let handle = try await client.submit(
                            Request(kind: "echo", payload: .text("\(round)"), tenant: "acme"))
                        ids.insert(handle.id.description)
                    }
                    // Some are told already, most are not.
                    try await receiver.received("some more") { $0.count > round * 10 }
                    try gateway.kill()
                }
                // With no gateway at all too.
                let last = try await client.submit(Request(kind: "echo", payload: .text("last"), tenant: "acme"))
                _ = try await last.result()
                ids.insert(last.id.description)
                _ = try stack.startGateway()
                try await receiver.received("all of them") { Set($0.map(\.request)) == ids }
                #expect(try stack.deliveries == ids.count)
                await client.close()
            }
        }

        @Test func `two gateways tell of each end once`() async throws {
            try await TestStack.withReceiver { stack, receiver, _ in
                let first = try stack.startGateway()
                let visitor = try GatewayVisitor(stack.startGateway())
                let one = try await submit(to: visitor)
                try await receiver.received("the first") { $0.map(\.request) == [one] }
                // The one that stands by takes over.
                try first.kill()
                let two = try await submit(to: visitor)
                try await receiver.received("the second") { $0.map(\.request) == [one, two] }
            }
        }

        @Test func `the receiver in docs takes what is genuine, once, and refuses what is old or was changed`()
            async throws
        {
            try await TestStack.with { stack in
                let port = try Monitoring.freePort()
                let url = "http://127.0.0.1:\(port)/statex"
                try Self.documentedReceiver().write(
                    toFile: stack.directory + "/documented.py", atomically: false, encoding: .utf8)
                let receiver = try stack.start(
                    "documented", "/usr/bin/env",
                    [
                        "PORT=\(port)", "WEBHOOK_SECRET=\(WebhookReceiver.secret)", "/usr/bin/python3",
                        stack.directory + "/documented.py",
                    ], announces: false)
                try stack.startDelivery(try stack.webhookSettings(url: url))
                let visitor = try GatewayVisitor(stack.startGateway())
                let id = try await submit(to: visitor)
                let line = "request.completed \(id)"
                try await receiver.eventually("it is told") { receiver.said.contains(line) }

                let secrets = try WebhookSecrets(WebhookReceiver.secret)
                let now = Int(Date().timeIntervalSince1970)
                let text = #"{"type":"request.completed","data":{"id":"forged"}}"#
                func tell(_ id: String, _ seconds: Int, _ body: String, signed: String) async throws -> Int {
                    try await GatewayVisitor(url: "http://127.0.0.1:\(port)", token: "").post(
                        "/statex", body,
                        headers: [
                            "webhook-id": id, "webhook-timestamp": String(seconds),
                            "webhook-signature": secrets.signature(of: id, at: seconds, Array(signed.utf8)),
                        ]
                    ).status
                }
                #expect(try await tell("a", now - 360, text, signed: text) == 401)
                #expect(try await tell("a", now + 360, text, signed: text) == 401)
                #expect(try await tell("a", now, text.replacing("forged", with: "changed"), signed: text) == 401)
                #expect(!receiver.said.contains("forged") && !receiver.said.contains("changed"))
                #expect(try await tell("a", now, text, signed: text) == 204)
                #expect(try await tell("a", now, text, signed: text) == 204)
                #expect(receiver.said.split(separator: "\n").count { $0 == "request.completed forged" } == 1)

                let test = try CommandRun(
                    ["webhooks", "test", "acme", "--config", stack.directory + "/statex.yaml"], in: stack.directory)
                #expect(test.end == .exited(0) && receiver.said.contains("webhook.test None"), "\(test)")
            }
        }

        @Test
        func `a gateway that hangs is replaced by one that stands by, and when it comes back one of them goes on`()
            async throws
        {
            try await TestStack.withReceiver { stack, receiver, _ in
                let hanging = try stack.startGateway()
                try await hanging.eventually("it relays") { try await isRelaying(hanging) }
                let standing = try stack.startGateway()
                let visitor = try GatewayVisitor(standing)
                #expect(try await !isRelaying(standing))
                hanging.signal(SIGSTOP)
                let one = try await submit(to: visitor)
                try await receiver.received("the first") { $0.map(\.request) == [one] }
                #expect(try await isRelaying(standing))
                hanging.signal(SIGCONT)
                // Whichever notes first how far it is: the other finds the place moved.
                try await hanging.eventually("one gives way") {
                    let (first, second) = (try await isRelaying(hanging), try await isRelaying(standing))
                    return first != second
                }
                let two = try await submit(to: visitor)
                try await receiver.received("the second") { $0.map(\.request) == [one, two] }
                #expect(try stack.deliveries == 2)
            }
        }

        @Test func `a gateway that is killed at any step of a delivery loses nothing and makes no second job`()
            async throws
        {
            try await TestStack.with { stack in
                let receiver = try await stack.startReceiver()
                var settings = try stack.webhookSettings(url: receiver.url)
                settings["webhooks"]?.replace(
                    "}}", with: "}, own: {tenant: acme, secret_file: \(stack.directory)/acme.webhook}}")
                try stack.startDelivery(settings)
                let one = try await killedBeforeItNotes(stack, receiver)
                let two = try await killedWhileItSubmits(stack, receiver)
                try await receiver.received("both") { Set($0.map(\.request)) == [one, two] }
                try await killedBeforeItKeeps(stack, receiver)
                #expect(try stack.deliveries == 4)
            }
        }

        private func isRelaying(_ gateway: RunningProcess) async throws -> Bool {
            try await GatewayVisitor(gateway).get("/metrics").text.contains("\nstatex_webhook_relays 1\n")
        }

        /// Of a request, how far it is: it was submitted and sent.
        private func killedBeforeItNotes(_ stack: TestStack, _ receiver: WebhookReceiver) async throws -> String {
            let gateway = try stack.startGateway()
            try await gateway.eventually("it relays") { try await isRelaying(gateway) }
            let holder = try stack.hold("statex.webhook_cursor")
            let id = try await submit(to: try GatewayVisitor(gateway))
            try await receiver.received("it") { $0.map(\.request) == [id] }
            try stack.waitUntilHeld(holder)
            try gateway.kill()
            try holder.run("ROLLBACK", doing: "let go")
            return id
        }

        /// It does not hear that it was.
        private func killedWhileItSubmits(_ stack: TestStack, _ receiver: WebhookReceiver) async throws -> String {
            let gateway = try stack.startGateway()
            let client = try await stack.client()
            // Of all submits this one alone has a key.
            let holder = try stack.hold("statex.keys")
            let handle = try await client.submit(Request(kind: "echo", payload: .text("2"), tenant: "acme"))
            try stack.waitForHeldCommit(holder)
            await client.close()
            try gateway.kill()
            try holder.run("ROLLBACK", doing: "let go")
            _ = try stack.startGateway()
            return handle.id.description
        }

        /// The URL of a request, so before anybody was told that the request is there.
        private func killedBeforeItKeeps(_ stack: TestStack, _ receiver: WebhookReceiver) async throws {
            let gateway = try stack.startGateway()
            let visitor = try GatewayVisitor(gateway)
            let body = #"{"jobs":[{"kind":"echo"}],"tenant":"acme","webhook":"\#(receiver.url)/own"}"#
            let holder = try stack.hold("statex.webhook_targets")
            async let unanswered = try? await visitor.post("/v1/requests", body)
            try stack.waitUntilHeld(holder)
            try gateway.kill()
            #expect(await unanswered == nil)
            try holder.run("ROLLBACK", doing: "let go")
            #expect(try stack.number("SELECT count(*) FROM statex.job_status WHERE kind = 'echo'") == 2)
            let id = try await submit(body, to: try GatewayVisitor(stack.startGateway()))
            try await receiver.received("the third, at both URLs") { $0.count { $0.request == id } == 2 }
        }

        @Test func `a tenant that may submit nothing more does not hold up the messages of others`() async throws {
            try await TestStack.with { stack in
                let receiver = try await stack.startReceiver()
                var settings = try stack.webhookSettings(url: receiver.url)
                let secret = "secret_file: \(stack.directory)/acme.webhook"
                settings["webhooks"] =
                    "{acme: {tenant: acme, url: '\(receiver.url)', \(secret)}, "
                    + "other: {tenant: other, url: '\(receiver.url)', \(secret)}}"
                settings["tenants"] = "{acme: {max_open_jobs: 1}}"
                try stack.startDelivery(settings)
                // It begins, and is away while the tenant fills up.
                try stack.startGateway().kill()
                let client = try await stack.client()
                func submit(_ kind: String, _ tenant: String) async throws -> RequestHandle {
                    try await client.submit(Request(kind: kind, payload: .text(""), tenant: tenant))
                }
                let first = try await submit("echo", "acme")
                _ = try await first.result()
                let blocking = try await submit("nobody", "acme")
                let second = try await submit("echo", "other")
                _ = try await second.result()
                _ = try stack.startGateway()
                try await receiver.received("the other's") { $0.map(\.request) == [second.id.description] }
                _ = try await blocking.cancel()
                let all = Set([first, second, blocking].map(\.id.description))
                try await receiver.received("all") { Set($0.map(\.request)) == all }
                await client.close()
            }
        }

        @Test func `a scheduler and a journal that go away and come back lose no message`() async throws {
            try await TestStack.withReceiver { stack, receiver, scheduler in
                let gateway = try stack.startGateway()
                let client = try await stack.client()
                let one = try await client.submit(Request(kind: "echo", payload: .text("1"), tenant: "acme"))
                try await receiver.received("the first") { $0.count == 1 }
                try scheduler.kill()
                _ = try stack.startScheduler()
                let two = try await client.submit(Request(kind: "echo", payload: .text("2"), tenant: "acme"))
                try await receiver.received("the second") { $0.contains { $0.request == two.id.description } }
                try stack.killPostgres()
                try stack.startPostgres()
                let three = try await client.submit(Request(kind: "echo", payload: .text("3"), tenant: "acme"))
                let all = Set([one, two, three].map(\.id.description))
                try await receiver.received("the third") { Set($0.map(\.request)) == all }
                #expect(Set(receiver.messages.map(\.id)).count == 3)
                #expect(try gateway.stop() == .exited(0))
                await client.close()
            }
        }

        @Test func `while the journal hangs a submit that names a URL is refused in time, and the gateway can end`()
            async throws
        {
            try await TestStack.with { stack in
                let receiver = try await stack.startReceiver()
                try stack.startDelivery(try stack.webhookSettings(url: nil))
                let gateway = try stack.startGateway()
                try await gateway.eventually("it relays") { try await isRelaying(gateway) }
                let visitor = try GatewayVisitor(gateway)
                let body = #"{"jobs":[{"kind":"echo"}],"tenant":"acme","webhook":"\#(receiver.url)/own"}"#
                _ = try await submit(body, to: visitor)
                // Of two connections the relay's has the lock.
                let backends = try stack.rows(
                    """
                    SELECT pid FROM pg_stat_activity WHERE application_name = 'statex webhooks'
                        AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')
                    """)
                try #require(backends.count == 1)
                let backend = try #require(pid_t(backends[0][0]))
                kill(backend, SIGSTOP)
                defer { kill(backend, SIGCONT) }
                let answer = try await visitor.post("/v1/requests", body)
                #expect(answer.status == 503 && answer.json["code"] as? String == "journal_away", "\(answer.text)")
                #expect(answer.header("Retry-After") != nil)
                #expect(try gateway.stop() == .exited(0))
            }
        }

        @Test func `a new secret counts at once, and the old one as long as it stands below`() async throws {
            try await TestStack.withReceiver { stack, receiver, _ in
                let visitor = try GatewayVisitor(stack.startGateway())
                _ = try await submit(to: visitor)
                try await receiver.received("the first") { $0.count == 1 }
                let new = "whsec_" + String(repeating: "B", count: 44)
                let both = "\(new)\n\(WebhookReceiver.secret)\n"
                _ = try stack.webhookSettings(url: receiver.url, secret: both)
                _ = try await submit(to: visitor)
                try await receiver.received("the second") { $0.count == 2 }
                _ = try stack.webhookSettings(url: receiver.url, secret: new)
                _ = try await submit(to: visitor)
                try await receiver.received("the third") { $0.count == 3 }
                for (message, secret) in zip(receiver.messages, [WebhookReceiver.secret, both, new]) {
                    #expect(try message.isSigned(with: secret), "\(message)")
                }
            }
        }

        @Test func `up starts all of it, and an operator sees and tries it`() async throws {
            try await TestStack.with { stack in
                let receiver = try await stack.startReceiver()
                try stack.configure(try stack.webhookSettings(url: receiver.url))
                let ready = stack.directory + "/ready.json"
                let place = ["--config", stack.directory + "/statex.yaml", "--database", stack.database]
                let up = try stack.start(
                    "up", TestStack.program,
                    [
                        "up", "--data-dir", stack.directory + "/up", "--ready-file", ready, "--set",
                        "gateway=127.0.0.1:0",
                    ]
                        + place, announces: false)
                try await up.eventually("everything serves") { access(ready, F_OK) == 0 }
                let file = try ReadyFile.read(ready)
                let visitor = GatewayVisitor(url: try #require(file.gateway), token: try #require(file.token))
                let id = try await submit(to: visitor)
                try await receiver.received("it is told") { $0.map(\.request) == [id] }

                let list = try CommandRun(["webhooks", "--json"] + place, in: stack.directory)
                #expect(list.output.contains(#""name":"acme""#) && list.output.contains(#""trouble":null"#), "\(list)")
                let test = try CommandRun(
                    ["webhooks", "test", "acme", "--config", stack.directory + "/statex.yaml"], in: stack.directory)
                #expect(test.end == .exited(0), "\(test)")
                try await receiver.received("the test") { $0.last?.type == "webhook.test" }
                #expect(try receiver.messages.allSatisfy { try $0.isSigned() })
                let inside = try CommandRun(
                    ["webhooks", "test", "acme", "--url", "http://10.0.0.1/"] + place.prefix(2), in: stack.directory)
                #expect(inside.end == .exited(1) && inside.errors.contains("is private"), "\(inside)")
                #expect(try up.stop() == .exited(0))
            }
        }

        @Test func `a gateway and a worker whose secrets cannot be read say so, and do not start`() async throws {
            try await TestStack.with { stack in
                try stack.configure(try stack.webhookSettings(url: "http://127.0.0.1:1/", secret: "hunter2"))
                _ = try stack.startScheduler()
                for command in [["gateway", "--listen", "127.0.0.1:0"], ["worker", "--handlers", "statex.webhook"]] {
                    let run = try CommandRun(
                        command + ["--config", stack.directory + "/statex.yaml"], in: stack.directory)
                    #expect(run.end == .exited(2) && run.errors.contains("webhooks.acme: secret_file"), "\(run)")
                    #expect(!run.errors.contains("hunter2"))
                }
            }
        }

        /// The Python in docs/webhooks.md.
        private static func documentedReceiver() throws -> String {
            let text = try String(contentsOfFile: Monitoring.root + "/docs/webhooks.md", encoding: .utf8)
            let parts = text.components(separatedBy: "```python\n")
            try #require(parts.count == 2)
            return parts[1].components(separatedBy: "```")[0]
        }
    }
}
