import StatexMetrics
import Testing

@Suite struct RequestCountsTests {
    private func text(_ counts: RequestCounts) -> String {
        var text = MetricsText()
        counts.write(to: &text)
        return String(decoding: text.bytes, as: UTF8.self)
    }

    @Test func `requests are counted by route, method and status, and timed by route`() {
        let counts = RequestCounts()
        for _ in 0..<3 { counts.began() }
        counts.ended(route: "/v1/jobs/{id}", method: "GET", status: 200, after: 2_000_000)
        counts.ended(route: "/v1/jobs/{id}", method: "GET", status: 404, after: 1_000_000)
        let said = text(counts)
        #expect(said.contains(#"statex_http_requests_total{route="/v1/jobs/{id}",method="GET",status="200"} 1"#))
        #expect(said.contains(#"statex_http_requests_total{route="/v1/jobs/{id}",method="GET",status="404"} 1"#))
        #expect(said.contains(#"statex_http_request_seconds_count{route="/v1/jobs/{id}"} 2"#))
        #expect(said.contains("\nstatex_http_requests_open 1\n"))
    }

    @Test func `a stranger cannot make series without end`() {
        let counts = RequestCounts()
        for index in 0..<5_000 {
            counts.began()
            counts.ended(route: index % 2 == 0 ? nil : "/\(index)", method: "M\(index)", status: index, after: 1)
        }
        let lines = text(counts).split(separator: "\n").filter { $0.hasPrefix("statex_http_requests_total{") }
        #expect(lines.allSatisfy { $0.contains(#"method="other""#) })
        #expect(Set(lines.compactMap { $0.split(separator: "\"").dropFirst().first }).count <= 129)
        #expect(lines.count <= 2_000)
    }
}
