import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@testable import StatexGateway

/// The server's limits, over a real connection: bytes go in as an attacker would write them.
struct LimitTests {
    /// What the gateway answers to these bytes, up to the end of the connection or of the time.
    private func answer(
        to bytes: [UInt8], idle: TimeAmount = .seconds(30)
    ) async throws -> String {
        let scene = try await Scene(bodyLimit: 1_000)
        return try await scene.gateway.application(idle: idle).test(.live) { client in
            try await RawConnection().answer(to: bytes, at: #require(client.port))
        }
    }

    private func head(_ lines: String...) -> [UInt8] {
        Array((["GET /livez HTTP/1.1", "Host: x"] + lines + ["", ""]).joined(separator: "\r\n").utf8)
    }

    @Test func `a plain request is answered over a connection`() async throws {
        #expect(try await answer(to: head()).hasPrefix("HTTP/1.1 200 OK"))
    }

    @Test func `more or longer header fields than fit are refused`() async throws {
        let many = (0...GatewayLimits.headerFields).map { "X-\($0): a" }.joined(separator: "\r\n")
        let long = "X: " + String(repeating: "a", count: GatewayLimits.headerFieldBytes + 1)
        let heavy = (0..<20).map { "X-\($0): " + String(repeating: "a", count: 2_000) }.joined(separator: "\r\n")
        for lines in [many, long, heavy] {
            let text = try await answer(to: head(lines))
            #expect(!text.contains("200 OK") && (text.isEmpty || text.hasPrefix("HTTP/1.1 4")), "\(text.prefix(100))")
        }
    }

    @Test(arguments: [
        "Transfer-Encoding: chunked\r\nContent-Length: 3", "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: -1", "Content-Length: 3x", "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip, chunked", " Folded: x", "Bad Name: x", "X: a\u{0}b", "Host: y",
    ])
    func `headers that two readers would read differently are refused`(line: String) async throws {
        let text = try await answer(to: Array("POST /livez HTTP/1.1\r\nHost: x\r\n\(line)\r\n\r\n0\r\n\r\n".utf8))
        #expect(text.isEmpty || text.hasPrefix("HTTP/1.1 400"), "\(text.prefix(200))")
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: ["", "GET /livez HTTP/1.1\r\nX-Slow: a", "GET /livez HTTP/1.1\r\nHost: x\r\n"])
    func `a head that does not come to its end ends the connection`(text: String) async throws {
        #expect(try await answer(to: Array(text.utf8), idle: .milliseconds(200)).isEmpty)
    }

    @Test func `what is no HTTP is refused`() async throws {
        for text in [
            "\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", String(repeating: "a", count: 100_000),
        ] {
            let answer = try await answer(to: Array(text.utf8))
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(answer.prefix(100))")
        }
    }

    @Test(arguments: ["1001", "9223372036854775808", "18446744073709551615"])
    func `a body that says that it is larger is refused before it comes`(length: String) async throws {
        let token = try await Scene.token()
        let lines = [
            "POST /v1/requests HTTP/1.1", "Host: x", "Authorization: Bearer \(token)", "Content-Type: application/json",
            "Content-Length: \(length)", "", "",
        ]
        let text = try await answer(to: Array(lines.joined(separator: "\r\n").utf8))
        #expect(text.hasPrefix("HTTP/1.1 413"), "\(text.prefix(200))")
    }

    @Test(arguments: [(1_000, "100"), (1_001, "413")])
    func `who asks before it sends a body is told at once`(length: Int, status: String) async throws {
        let lines = [
            "POST /v1/requests HTTP/1.1", "Host: x", "Authorization: Bearer \(try await Scene.token())",
            "Content-Type: application/json", "Content-Length: \(length)", "Expect: 100-continue", "", "",
        ]
        let text = try await answer(to: Array(lines.joined(separator: "\r\n").utf8))
        #expect(text.hasPrefix("HTTP/1.1 \(status)"), "\(text.prefix(200))")
    }
}
