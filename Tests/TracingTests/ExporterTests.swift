import CollectorTestServer
import StatexOTLP
import StatexProtocol
import StatexTracing
import Testing

@Suite(.timeLimit(.minutes(1))) struct ExporterTests {
    private let collector: Collector
    private let queue = SpanQueue()

    init() throws { collector = try Collector() }

    /// Sends what is in the queue, as a process does that ends.
    /// - Returns: what it complained of.
    private func export(
        to endpoint: String? = nil, headers: [(name: String, value: String)] = [], farewell: Duration = .seconds(60)
    ) async throws -> [String] {
        let (complaints, complain) = AsyncStream.makeStream(of: String.self)
        let exporter = try SpanExporter(
            queue, to: CollectorSettings(url: (endpoint ?? collector.endpoint) + "/v1/traces", headers: headers),
            of: TracedService(name: "statex-worker", version: "1", instance: "w"), farewell: farewell
        ) { complain.yield($0) }
        let export = Task { await exporter.run() }
        export.cancel()
        await export.value
        complain.finish()
        return await complaints.reduce(into: []) { $0.append($1) }
    }

    private func span(parent: TraceContext? = nil) -> Span {
        Span(
            "attempt", .consumer, context: parent?.child() ?? .random(), parent: parent, start: 1_000_001,
            end: 2_000_002,
            attributes: [("text", .text("a \"quoted\"\nü")), ("number", .number(-7)), ("flag", .flag(true))],
            failure: parent == nil ? nil : "broken_file")
    }

    @Test func `spans arrive as they were, with what their process is`() async throws {
        let root = span()
        let below = span(parent: root.context)
        queue.put(root)
        queue.put(below)
        #expect(try await export() == [])
        let spans = try collector.spans()
        #expect(spans.map(\.trace) == [root.context.traceID, root.context.traceID])
        #expect(spans.map(\.span) == [root.context.spanID, below.context.spanID])
        #expect(spans.map(\.parent) == ["", root.context.spanID])
        #expect(spans.map(\.failed) == [false, true])
        #expect(spans.allSatisfy { $0.start == 1_000_001_000 && $0.end == 2_000_002_000 && $0.kind == 5 })
        #expect(spans[0].attributes == ["text": "a \"quoted\"\nü", "number": "-7", "flag": "True"])
        #expect(spans[0].name == "attempt" && spans[0].service == "statex-worker")
        #expect(queue.counts == SpanQueue.Counts(sent: 2))
    }

    @Test func `many go in pieces, with the head that was asked for`() async throws {
        for _ in 0..<SpanQueue.pieceLength * 2 + 1 { queue.put(span()) }
        #expect(try await export(headers: [("authorization", "Bearer secret")]) == [])
        #expect(try collector.spans().count == SpanQueue.pieceLength * 2 + 1)
        let requests = try collector.requests()
        #expect(requests.count == 3)
        #expect(
            requests.allSatisfy {
                $0["path"] == "/v1/traces" && $0["authorization"] == "Bearer secret"
                    && $0["content-type"] == "application/json"
            })
    }

    @Test(arguments: [429, 502, 503, 504]) func `a collector that is busy is asked again`(status: Int) async throws {
        try collector.answer([status])
        queue.put(span())
        #expect(try await export() == [])
        #expect(try collector.spans().count == 1 && collector.requests().count == 2)
        #expect(queue.counts == SpanQueue.Counts(sent: 1))
    }

    @Test(arguments: [301, 400, 401, 404, 500])
    func `what it refuses is not sent again, said and counted; what comes after goes its way`(status: Int) async throws
    {
        try collector.answer([status])
        for _ in 0..<SpanQueue.pieceLength + 1 { queue.put(span()) }
        let complaints = try await export(headers: [("authorization", "Bearer secret")])
        #expect(complaints.count == 1 && complaints[0].contains("\(status)") && !complaints[0].contains("secret"))
        #expect(try collector.spans().count == 1)
        #expect(queue.counts == SpanQueue.Counts(sent: 1, refused: UInt64(SpanQueue.pieceLength)))
    }

    @Test func `a collector that is not there costs the spans, and the end of the process no more than its farewell`()
        async throws
    {
        queue.put(span())
        // Nobody may listen on port 1.
        let complaints = try await export(to: "http://127.0.0.1:1", farewell: .milliseconds(50))
        #expect(complaints.count == 1)
        #expect(queue.waiting == 0 && queue.counts == SpanQueue.Counts(undelivered: 1))
    }
}
