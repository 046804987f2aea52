import Foundation
import Glibc
import StatexHandlerAPI
import StatexProtocol
import StatexThreads
import StatexWebhooks
import Synchronization
import Testing

@testable import StatexHTTPHandler

/// What becomes of a delivery, against receivers of all sorts and URLs of strangers.
struct WebhookTests {
    private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    /// Everything on loopback is allowed, unless a test says otherwise.
    private static func rule(_ allowed: String? = "127.0.0.0/8", ports: Set<UInt16> = [80, 443]) -> WebhookRule {
        var rule = WebhookRule()
        rule.allowsHTTP = true
        rule.ports = ports
        rule.addresses.allowed = allowed.flatMap { AddressBlock($0) }.map { [$0] } ?? []
        return rule
    }

    private static func settings(_ rule: WebhookRule = rule()) -> DeliverySettings {
        DeliverySettings(rule: rule) { name throws(WebhookSecretError) in
            name == "acme" ? try WebhookSecrets(secret) : nil
        }
    }

    private static func deliver(
        to url: String, _ settings: DeliverySettings = settings(), cancellation: Cancellation = Cancellation()
    ) -> Result<String, HandlerError> {
        let delivery = WebhookDelivery(id: "a1-2-3-f", subscription: "acme", url: url, body: #"{"type":"x"}"#)
        return Result { () throws(HandlerError) in
            let secrets: WebhookSecrets
            do throws(WebhookSecretError) { secrets = try WebhookSecrets(secret) } catch {
                throw HandlerError("test", error.description)
            }
            return try attempt(delivery.payload(sealedBy: secrets), settings, cancellation)
        }
    }

    private static func attempt(
        _ payload: [UInt8], _ settings: DeliverySettings = settings(), _ cancellation: Cancellation = Cancellation()
    ) throws(HandlerError) -> String {
        let job = Job(
            id: JobID(rawValue: 1), kind: WebhookDelivery.kind, attempt: 1, payload: .bytes(payload),
            cancellation: cancellation)
        guard case .bytes(let bytes) = try WebhookHandler(settings).attempt(job) else { return "a reference" }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: What is sent

    @Test func `a message has its id, its time and a signature over both and the body`() throws {
        let seen = Seen()
        let server = ScriptedServer { peer in
            seen.add(peer.request())
            peer.answer("", status: "204 No Content")
        }
        defer { server.stop() }
        #expect(Self.deliver(to: server.url + "/hook?a=1") == .success(#"{"status":204}"#))
        let request = try #require(seen.first)
        #expect(request.has("POST /hook?a=1 HTTP/1.1") && request.has("Host: 127.0.0.1:\(server.port)"))
        #expect(request.has("Content-Type: application/json") && request.has("webhook-id: a1-2-3-f"))
        let stamp = try #require(
            request.head.split(separator: "\r\n").first { $0.hasPrefix("webhook-timestamp: ") }?.dropFirst(19))
        let seconds = try #require(Int(stamp))
        #expect(abs(seconds - time(nil)) < 60)
        let signature = try WebhookSecrets(Self.secret).signature(of: "a1-2-3-f", at: seconds, request.body)
        #expect(request.has("webhook-signature: \(signature)"))
        #expect(String(decoding: request.body, as: UTF8.self) == #"{"type":"x"}"#)
    }

    // MARK: What is answered

    @Test(arguments: [
        (301, false), (302, false), (307, false), (400, false), (401, false), (404, false), (409, false), (410, false),
        (408, true), (425, true), (429, true), (500, true), (501, true), (503, true),
    ])
    func `a status other than success is tried again only when that may help`(status: Int, isRetryable: Bool) {
        let server = ScriptedServer { peer in
            peer.request()
            peer.answer(
                #"{"error": "inner secrets"}"#, status: "\(status) Words of theirs",
                headers: "Location: http://127.0.0.1:1/\r\nRetry-After: 7\r\n")
        }
        defer { server.stop() }
        let error = Self.deliver(to: server.url).error
        #expect(error?.errorClass == "http_\(status)" && error?.retryable == isRetryable)
        #expect(error?.retryAfterMilliseconds == (isRetryable ? 7_000 : nil))
        #expect(error?.message.contains("secrets") == false && error?.message.contains("Words") == false)
        #expect(server.count == 1)
    }

    @Test func `nothing of an answer but its head is waited for`() {
        let server = ScriptedServer { peer in
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n")
            peer.sendEndlessly([UInt8](repeating: 0x78, count: 1 << 20))
        }
        defer { server.stop() }
        #expect(Self.deliver(to: server.url) == .success(#"{"status":200}"#))
    }

    @Test func `a receiver that says nothing, or a byte now and then, has so long and no longer`() {
        var settings = Self.settings()
        settings.timeoutMilliseconds = 300
        for says in ["", "HTTP/1.1 200"] {
            let server = ScriptedServer { peer in
                peer.request()
                peer.send(says)
                peer.awaitEnd()
            }
            defer { server.stop() }
            let error = Self.deliver(to: server.url, settings).error
            #expect(error?.errorClass == "http_timeout" && error?.retryable == true)
        }
    }

    @Test func `what is no HTTP, too much of it, or nobody is tried again`() {
        for script: @Sendable (Peer) -> Void in [
            {
                $0.request(); $0.send("220 smtp ready\r\n")
            },
            {
                $0.request(); $0.sendEndlessly(Array("HTTP/1.1 200 OK\r\nx: y\r\n".utf8))
            },
            { _ in },
        ] {
            let server = ScriptedServer(script)
            defer { server.stop() }
            let error = Self.deliver(to: server.url).error
            #expect(error?.retryable == true, "\(String(describing: error))")
        }
        let (port, descriptor) = ScriptedServer.refusingPort()
        defer { close(descriptor) }
        let error = Self.deliver(to: "http://127.0.0.1:\(port)/").error
        #expect(error?.errorClass == "http_connect" && error?.retryable == true)
    }

    // MARK: Where it may go

    private struct Target {
        let url: String
        let lookedUpAs: [String]?
    }

    private static func targets(port: UInt16) throws -> [Target] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "ssrf-urls.txt")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
            let parts = $0.replacing("PORT", with: String(port)).components(separatedBy: " -> ")
            return Target(
                url: parts[0], lookedUpAs: parts.count > 1 ? parts[1].components(separatedBy: ",") : nil)
        }
    }

    /// Addresses as the system's resolver would give them.
    @Sendable private static func addresses(
        _ literals: [String], _ port: UInt16, _ patience: Patience
    ) throws(TransportFault) -> [SocketAddress] {
        var addresses: [SocketAddress] = []
        for literal in literals {
            let host = literal.contains(":") ? "[\(literal)]" : literal
            guard let url = try? WebhookURL("http://\(host):\(port)/") else { throw .broken("no address: \(literal)") }
            addresses += try resolve(ServerAddress(url), patience)
        }
        return addresses
    }

    @Test func `300 URLs that lead where they may not are refused, and nobody is connected to`() throws {
        let server = ScriptedServer { $0.answer("", status: "204 No Content") }
        defer { server.stop() }
        // The port is good and TLS is not asked for: what refuses them is the form, or the address.
        let targets = try Self.targets(port: server.port)
        #expect(targets.count >= 300)
        for target in targets {
            var settings = Self.settings(Self.rule(nil, ports: [server.port]))
            if let literals = target.lookedUpAs {
                settings.lookUp = { [port = server.port] _, patience throws(TransportFault) in
                    try Self.addresses(literals, port, patience)
                }
            }
            let error = Self.deliver(to: target.url, settings).error
            #expect(
                ["http_url", "http_address"].contains(error?.errorClass ?? "") && error?.retryable == false,
                "\(target): \(String(describing: error))")
        }
        #expect(server.count == 0)
        // Had one been let through, it would have been seen.
        #expect(Self.deliver(to: "http://127.0.0.1:\(server.port)/").error == nil)
        #expect(server.count == 1)
    }

    @Test func `a name that leads elsewhere a moment later is connected to where it was checked`() {
        let server = ScriptedServer { $0.answer("", status: "204 No Content") }
        defer { server.stop() }
        // Allowed is another address of loopback than the listener's.
        var settings = Self.settings(Self.rule("127.0.0.9/32"))
        settings.timeoutMilliseconds = 2_000
        let looks = Counter()
        settings.lookUp = { [port = server.port] _, patience throws(TransportFault) in
            looks.add()
            return try Self.addresses([looks.value == 1 ? "127.0.0.9" : "127.0.0.1"], port, patience)
        }
        let first = Self.deliver(to: "http://rebinding.example.org:\(server.port)/", settings).error
        #expect(first?.errorClass == "http_connect" && looks.value == 1)
        let second = Self.deliver(to: "http://rebinding.example.org:\(server.port)/", settings).error
        #expect(second?.errorClass == "http_address" && looks.value == 2 && server.count == 0)
    }

    @Test func `ports and plain HTTP are as the operator says`() {
        let server = ScriptedServer { $0.answer("", status: "204 No Content") }
        defer { server.stop() }
        var rule = Self.rule()
        rule.allowsHTTP = false
        #expect(Self.deliver(to: server.url, Self.settings(rule)).error?.errorClass == "http_url")
        // To an address of the Internet other ports are not for webhooks.
        var settings = Self.settings(Self.rule(nil))
        settings.lookUp = { _, patience throws(TransportFault) in
            try Self.addresses(["93.184.215.14"], 25, patience)
        }
        for url in ["http://93.184.215.14:25/", "http://mail.example.org:25/", "https://mail.example.org:8443/"] {
            let error = Self.deliver(to: url, settings).error
            #expect(error?.message.contains("must have one of the ports 80, 443") == true, "\(url)")
        }
        #expect(server.count == 0)
    }

    // MARK: Whose it is

    @Test func `only what the gateway sealed is sent`() throws {
        let server = ScriptedServer { $0.answer("", status: "204 No Content") }
        defer { server.stop() }
        let secrets = try WebhookSecrets(Self.secret)
        let good = WebhookDelivery(id: "a-1", subscription: "acme", url: server.url + "/", body: "{}")
        let payload = String(decoding: good.payload(sealedBy: secrets), as: UTF8.self)
        let others = [
            "", "{}", "[]", "x", payload.replacing("a-1", with: "a-2"), payload.replacing("/\"", with: "/x\""),
            payload.replacing(#""{}""#, with: #""{ }""#), payload.replacing("a-1", with: "a-1\\r\\nx: y"),
            payload.replacing("\"seal\"", with: "\"zeal\""), payload.replacing("=", with: ""),
            String(
                decoding: good.payload(sealedBy: try WebhookSecrets("whsec_" + String(repeating: "A", count: 32))),
                as: UTF8.self),
        ]
        for other in others {
            #expect(throws: HandlerError.self, "\(other)") { try Self.attempt(Array(other.utf8)) }
        }
        var unknown = good
        unknown.subscription = "gone"
        let gone = Result { () throws(HandlerError) in try Self.attempt(unknown.payload(sealedBy: secrets)) }.error
        #expect(gone?.errorClass == "http_key" && gone?.retryable == false)
        #expect(server.count == 0)
        #expect(try Self.attempt(Array(payload.utf8)) == #"{"status":204}"#)
    }

    @Test func `a secret that cannot be read now may be later`() {
        var settings = Self.settings()
        settings.readSecrets = { _ throws(WebhookSecretError) in throw WebhookSecretError("no such file") }
        let error = Self.deliver(to: "http://127.0.0.1:1/", settings).error
        #expect(error?.errorClass == "http_key" && error?.retryable == true)
    }

    @Test func `a delivery that is told to stop stops`() {
        let cancellation = Cancellation()
        let server = ScriptedServer { peer in
            peer.request()
            cancellation.cancel(.cancelled)
            peer.awaitEnd()
        }
        defer { server.stop() }
        #expect(Self.deliver(to: server.url, cancellation: cancellation).error?.errorClass == "cancelled")
    }
}
