import Foundation
import StatexPostgres
import StatexWebhooks
import Testing

@testable import StatexStack

/// Somebody who is sent webhooks, in a process of his own.
struct WebhookReceiver {
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    let process: RunningProcess
    let url: String

    /// What came.
    struct Message: Decodable {
        let id: String
        let stamp: String
        let signature: String
        let body: String
        let trace: String?
        /// What it was answered.
        let status: Int

        func isSigned(with secret: String = WebhookReceiver.secret) throws -> Bool {
            try WebhookSecrets(secret).signature(of: id, at: Int(stamp) ?? 0, Array(body.utf8)) == signature
        }

        var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:] }
        var type: String { json["type"] as? String ?? "" }
        var request: String { (json["data"] as? [String: Any])?["id"] as? String ?? "" }
    }

    /// All that came, in order.
    var messages: [Message] {
        process.said.split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Message.self, from: Data($0.utf8))
        }
    }

    func received(_ what: String, within limit: Duration = .seconds(60), _ isSo: ([Message]) -> Bool) async throws {
        try await process.eventually(what, within: limit) { isSo(messages) }
    }

    fileprivate static let script = #"""
        import http.server, json, sys
        statuses = [int(status) for status in sys.argv[2].split(",")]
        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", "/elsewhere")
                self.end_headers()
                h = self.headers
                print(json.dumps({"id": h["webhook-id"], "stamp": h["webhook-timestamp"],
                    "signature": h["webhook-signature"], "body": body, "trace": h["traceparent"], "status": status}), flush=True)
            def log_message(self, *ignored):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
        print("listening", flush=True)
        server.serve_forever()
        """#
}

extension TestStack {
    /// - Parameter answers: the statuses of the first answers; the last one is that of all further ones.
    func startReceiver(answering answers: [Int] = [204]) async throws -> WebhookReceiver {
        let port = try Monitoring.freePort()
        try WebhookReceiver.script.write(toFile: directory + "/receiver.py", atomically: false, encoding: .utf8)
        let process = try start(
            "receiver", "/usr/bin/python3",
            [directory + "/receiver.py", String(port), answers.map(String.init).joined(separator: ",")],
            announces: false)
        try await process.eventually("the receiver listens") { process.said.contains("listening") }
        return WebhookReceiver(process: process, url: "http://127.0.0.1:\(port)")
    }

    /// Keys with which webhooks of tenant acme reach receivers on this machine, and are tried again soon.
    func webhookSettings(url: String?, secret: String = WebhookReceiver.secret) throws -> [String: String] {
        // It takes its name with its mode: whoever reads it then would refuse another.
        let (file, passing) = (directory + "/acme.webhook", directory + "/acme.webhook.new")
        try (secret + "\n").write(toFile: passing, atomically: false, encoding: .utf8)
        guard chmod(passing, 0o600) == 0, rename(passing, file) == 0 else { throw HarnessError("no \(file)") }
        let place = url.map { "url: '\($0)', " } ?? ""
        return [
            "webhooks": "{acme: {tenant: acme, \(place)secret_file: \(directory)/acme.webhook}}",
            "webhook_allow": "[127.0.0.0/8]", "webhook_http": "yes",
            "kinds": "{statex.webhook: {retry_backoff_seconds: 0.05, retry_backoff_max_seconds: 0.2, attempts: 5}}",
        ]
    }

    /// Jobs that deliver.
    var deliveries: Int {
        get throws { try number("SELECT count(*) FROM statex.job_status WHERE kind = 'statex.webhook'") }
    }

    /// Locks a table, so that whoever writes it stops there.
    func hold(_ table: String) throws -> Connection {
        let holder = try connection()
        try holder.run("BEGIN; LOCK TABLE \(table) IN SHARE MODE", doing: "hold")
        return holder
    }

    /// Waits until a gateway stands before that lock.
    func waitUntilHeld(_ holder: borrowing Connection) throws { try waitForLock(of: "statex webhooks", holder) }

    /// All that tells a receiver but for the gateway, of which a test may want none, or two.
    @discardableResult
    func startDelivery(_ settings: [String: String]) throws -> RunningProcess {
        try configure(settings)
        let scheduler = try startScheduler()
        _ = try startWorker("w")
        _ = try startWorker("webhooks", kinds: "statex.webhook")
        return scheduler
    }

    /// A stack in which a receiver is told of all requests of tenant acme, as soon as there is a gateway.
    static func withReceiver(
        answering answers: [Int] = [204],
        _ body: (TestStack, WebhookReceiver, _ scheduler: RunningProcess) async throws -> Void
    ) async throws {
        try await with { stack in
            let receiver = try await stack.startReceiver(answering: answers)
            try await body(stack, receiver, stack.startDelivery(stack.webhookSettings(url: receiver.url)))
        }
    }
}
