import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import StatexMetrics
import Testing

@testable import StatexGateway

/// What the gateway says of itself to a Prometheus.
struct MeterTests {
    private func page(_ client: some TestClientProtocol) async throws -> String {
        let response = try await client.execute(uri: "/metrics", method: .get)
        #expect(response.status == .ok && response.headers[.contentType] == MetricsText.contentType)
        return String(buffer: response.body)
    }

    @Test func `kinds are named to those alone who may know all of them`() async throws {
        let scene = try await Scene()
        let all = Scene.bearer(try await Scene.token())
        let own = Scene.bearer(try await Scene.token(tenant: "acme"))
        try await scene.gateway.application().test(.router) { client in
            #expect(try await !page(client).contains("statex_desired_workers"))
            let told = try await client.execute(uri: "/metrics", method: .get, headers: all)
            #expect(told.status == .ok)
            #expect(String(buffer: told.body).contains("# TYPE statex_desired_workers gauge"))
            let tenant = try await client.execute(uri: "/metrics", method: .get, headers: own)
            #expect(tenant.status == .forbidden)
            let forged = try await client.execute(uri: "/metrics", method: .get, headers: Scene.bearer("x.y.z"))
            #expect(forged.status == .unauthorized)
        }
    }

    @Test func `requests are counted by their route's pattern, and problems by their code`() async throws {
        let scene = try await Scene()
        let token = Scene.bearer(try await Scene.token(tenant: "acme"))
        try await scene.gateway.application().test(.router) { client in
            for uri in ["/livez", "/nowhere/4387", "/v1/jobs/4387"] {
                _ = try await client.execute(uri: uri, method: .get)
            }
            _ = try await client.execute(uri: "/v1/jobs?limit=0", method: .get, headers: token)
            let page = try await page(client)
            for line in [
                #"statex_http_requests_total{route="/livez",method="GET",status="200"} 1"#,
                #"statex_http_requests_total{route="none",method="GET",status="404"} 1"#,
                #"statex_http_requests_total{route="/v1/jobs/{id}",method="GET",status="401"} 1"#,
                #"statex_http_request_seconds_count{route="/v1/jobs"} 1"#,
                #"statex_http_problems_total{code="invalid"} 1"#,
                #"statex_http_problems_total{code="no_such_path"} 1"#,
                #"statex_http_problems_total{code="unauthenticated"} 1"#,
                "statex_http_requests_open 1", "statex_gateway_streams 0", "statex_gateway_uploads 0",
                #"statex_gateway_link_up{to="scheduler"} 0"#, #"statex_gateway_link_up{to="journal"} 0"#,
            ] { #expect(page.contains("\n\(line)\n"), "\(line) is missing in \(page)") }
            // It is for everybody.
            for secret in ["acme", "tester", "4387", "nowhere"] { #expect(!page.contains(secret)) }
        }
    }
}
