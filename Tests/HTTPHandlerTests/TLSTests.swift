import Foundation
import StatexHandlerAPI
import StatexProtocol
import StatexWebhooks
import Testing

@testable import StatexHTTPHandler

private let programs = ["/usr/bin/openssl", "/usr/bin/python3"]

@Suite(
    .enabled(if: programs.allSatisfy(FileManager.default.isExecutableFile), "needs \(programs.joined(separator: ", "))")
)
final class TLSTests: Sendable {
    private let directory: URL
    private let server: ServerProcess

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "statex-tls-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        server = try ServerProcess("/usr/bin/python3", [path("tls_server.py"), directory.path])
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    private func ask(
        host: String = "localhost", path: String = "/v1/completions", trusting: Bool = true, payload: String = "{}"
    ) -> Result<String, HandlerError> {
        var settings = HTTPSettings(kind: "t", url: "https://\(host):\(server.firstLine)", path: path)
        if trusting { settings.authorities = directory.appending(path: "cert.pem").path }
        return HTTPHandlerTests.ask(Array(payload.utf8), settings)
    }

    @Test func `a server with a good certificate answers, to large requests too`() {
        #expect(ask() == .success(#"{"length":2}"#))
        let payload = #"{"input":""# + String(repeating: "x", count: 8 << 20) + #""}"#
        #expect(ask(payload: payload) == .success(#"{"length":\#(payload.utf8.count)}"#))
    }

    @Test func `a server that nobody vouches for is not asked`() {
        let error = ask(trusting: false).error
        #expect(error?.errorClass == "http_connect")
        #expect(error?.message.contains("self-signed certificate") == true)
    }

    @Test func `a server whose certificate is another's is not asked`() {
        let error = ask(host: "127.0.0.1").error
        #expect(error?.errorClass == "http_connect")
        #expect(error?.message.contains("IP address mismatch") == true)
    }

    @Test func `a body of unknown length that ends without a goodbye has broken off`() {
        #expect(ask(path: "/cut").error == HandlerError("http_broken", "the response broke off", retryable: true))
    }

    @Test func `a server that speaks no TLS is a failed connection`() {
        let plain = ScriptedServer { peer in
            _ = peer.receive()
            peer.send("HTTP/1.1 400 Bad Request\r\n\r\n")
        }
        defer { plain.stop() }
        let settings = HTTPSettings(kind: "t", url: "https://127.0.0.1:\(plain.port)", path: "/v1/completions")
        #expect(HTTPHandlerTests.ask(Array("{}".utf8), settings).error?.errorClass == "http_connect")
    }

    @Test func `a webhook goes to a receiver whose certificate is good for its name, and to no other`() throws {
        let text = "whsec_" + String(repeating: "A", count: 32)
        func deliver(to url: String, trusting: Bool) throws -> String? {
            var rule = WebhookRule()
            rule.addresses.allowed = ["127.0.0.0/8", "::1/128"].compactMap { AddressBlock($0) }
            var settings = DeliverySettings(rule: rule) { _ throws(WebhookSecretError) in try WebhookSecrets(text) }
            if trusting { settings.authorities = directory.appending(path: "cert.pem").path }
            let delivery = WebhookDelivery(id: "a", subscription: "s", url: url, body: "{}")
            let payload = delivery.payload(sealedBy: try WebhookSecrets(text))
            let job = Job(id: JobID(rawValue: 1), kind: "statex.webhook", attempt: 1, payload: .bytes(payload))
            return Result { () throws(HandlerError) in try WebhookHandler(settings).attempt(job) }.error?.errorClass
        }
        #expect(try deliver(to: "https://localhost:\(server.firstLine)/", trusting: true) == nil)
        #expect(try deliver(to: "https://localhost:\(server.firstLine)/", trusting: false) == "http_connect")
        #expect(try deliver(to: "https://127.0.0.1:\(server.firstLine)/", trusting: true) == "http_connect")
    }

    @Test func `certificates that cannot be read make the handler unavailable`() async {
        var settings = HTTPSettings(kind: "t", url: "https://localhost", path: "/v1/completions")
        settings.authorities = "/nowhere/ca.pem"
        #expect(await HTTPHandler(settings).unavailable() == "ca_file /nowhere/ca.pem: No such file or directory")
    }
}
