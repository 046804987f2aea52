import NIOCore
import StatexMetrics
import StatexProbes
import Synchronization
import Testing

@Suite struct ProbeListenerTests {
    private func with(
        _ health: Health = Health([]), idle: TimeAmount = ProbeListener.Limits.idle,
        _ body: (String) async throws -> Void
    ) async throws {
        let probes = Probes(
            metrics: { $0.counter("statex_test_total", "A test.", 7) }, live: { health }, ready: { health })
        let listener = await ProbeListener(probes, host: "127.0.0.1", port: 0, idle: idle) { Issue.record("\($0)") }
        do {
            try await body(try #require(listener.address))
        } catch {
            await listener.stop()
            throw error
        }
        await listener.stop()
    }

    @Test func `metrics come as text with the process's own figures`() async throws {
        try await with { address in
            let answer = try await HTTPTalk.get("/metrics", at: address)
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(answer.lowercased().contains("content-type: text/plain; version=0.0.4"))
            #expect(answer.contains("\nstatex_test_total 7\n"))
            #expect(answer.contains("\nprocess_open_fds "))
            #expect(answer.contains("statex_build_info{version="))
        }
    }

    @Test func `health is 200 while all is well, and 503 with the reasons when it is not`() async throws {
        try await with(Health([Health.Check("journal")])) { address in
            let answer = try await HTTPTalk.get("/readyz", at: address)
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(answer.hasSuffix(#"{"status":"ok","checks":[{"name":"journal","ok":true}]}"#))
        }
        let sick = Health([Health.Check("broker"), Health.Check("journal", problem: #"it said "no""#)])
        try await with(sick) { address in
            for path in ["/livez", "/readyz"] {
                let answer = try await HTTPTalk.get(path, at: address)
                #expect(answer.hasPrefix("HTTP/1.1 503"))
                #expect(
                    answer.hasSuffix(
                        #"{"status":"unavailable","checks":[{"name":"broker","ok":true},{"name":"journal","ok":false,"reason":"it said \"no\""}]}"#
                    ), "\(answer)")
            }
        }
    }

    @Test(arguments: ["GET /", "GET /metrics/x", "GET /../etc/passwd", "POST /metrics", "DELETE /readyz"])
    func `there is nothing else`(line: String) async throws {
        try await with { address in
            let talk = try HTTPTalk(address)
            talk.send("\(line) HTTP/1.1\r\nHost: test\r\n\r\n")
            #expect(try await talk.answer().hasPrefix("HTTP/1.1 4"))
        }
    }

    @Test func `several requests on one connection are answered in turn`() async throws {
        try await with { address in
            let talk = try HTTPTalk(address)
            for _ in 0..<3 {
                talk.send("GET /livez HTTP/1.1\r\nHost: test\r\n\r\n")
                #expect(try await talk.answer().hasPrefix("HTTP/1.1 200"))
            }
        }
    }

    @Test(arguments: ["Content-Length: 1000000000", "Transfer-Encoding: chunked"])
    func `a body is refused, not read, and the connection ends`(header: String) async throws {
        try await with { address in
            let talk = try HTTPTalk(address)
            talk.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\(header)\r\n\r\n")
            #expect(try await talk.answer().hasPrefix("HTTP/1.1 400"))
            try await talk.waitUntilClosed()
        }
    }

    @Test func `headers beyond the limits end the connection`() async throws {
        try await with { address in
            let long = try HTTPTalk(address)
            long.send("GET /livez HTTP/1.1\r\nX: \(String(repeating: "x", count: 1 << 20))")
            #expect(try await !long.answer().hasPrefix("HTTP/1.1 200"))
            try await long.waitUntilClosed()
            let many = try HTTPTalk(address)
            many.send("GET /livez HTTP/1.1\r\n" + (0..<1_000).map { "X\($0): 1\r\n" }.joined() + "\r\n")
            #expect(try await !many.answer().hasPrefix("HTTP/1.1 200"))
            try await many.waitUntilClosed()
        }
    }

    @Test func `a request that does not come to its end ends by itself`() async throws {
        try await with(idle: .milliseconds(200)) { address in
            let talk = try HTTPTalk(address)
            talk.send("GET /livez HTTP/1.1\r\nX-Slow: ")
            try await talk.waitUntilClosed()
        }
    }

    @Test func `connections beyond the limit wait until another ends`() async throws {
        try await with { address in
            var talks: [HTTPTalk] = []
            for _ in 0..<ProbeListener.Limits.connections {
                let talk = try HTTPTalk(address)
                talk.send("GET /livez HTTP/1.1\r\nHost: test\r\n\r\n")
                _ = try await talk.answer()
                talks.append(talk)
            }
            let late = try HTTPTalk(address)
            late.send("GET /livez HTTP/1.1\r\nHost: test\r\n\r\n")
            // A server without the limit would have answered: so it did to each of the others.
            #expect(try await !late.hasNews(within: 300))
            talks.removeAll()
            #expect(try await late.answer().hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test func `an address that is taken is complained of once, and keeps nobody waiting`() async throws {
        try await with { address in
            let port = try #require(Int(address.split(separator: ":")[1]))
            let complaints = Mutex<[String]>([])
            let second = await ProbeListener(
                Probes(metrics: { _ in }, live: { Health([]) }, ready: { Health([]) }), host: "127.0.0.1", port: port
            ) { text in complaints.withLock { $0.append(text) } }
            #expect(second.address == nil)
            await second.stop()
            let said = complaints.withLock { $0 }
            #expect(said.count == 1)
            #expect(said.first?.contains(address) == true, "\(said)")
        }
    }
}
