import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@testable import StatexGateway

/// Paths that are to lead somewhere else: there is nowhere else, as no path is ever one of a file system.
struct PathTests {
    private static let climbs = [
        "..", "../..", "....//", "..;", "..\\", "%2e%2e", "%2E%2E%2F", "..%2f", "..%5c", "%252e%252e%252f", "..%00",
        "%c0%ae%c0%ae%2f", "%c0%af", ".%2e", "%2e.", "%u002e%u002e", "..%ef%bc%8f", "\u{202E}..", "..%0d%0a", "..%09",
    ]
    private static let places = [
        "/assets/{}", "/assets/{}/index.html", "/assets/app.css/{}", "/{}", "/{}/etc/passwd", "/v1/{}/livez",
        "/v1/jobs/{}", "/v1/jobs/{}/result", "/v1/jobs/1/{}", "/v1/requests/{}", "/v1/requests/{}/events",
        "/v1/workers/{}", "/v1/jobs/4387482403384328192{}", "/openapi.json/{}", "/metrics/{}",
    ]

    static let paths = places.flatMap { place in
        climbs.flatMap { climb in ["", "/"].map { place.replacing("{}", with: climb) + $0 } }
    }

    @Test func `no path leads out of the table of routes`() async throws {
        #expect(Self.paths.count >= 500)
        let scene = try await Scene()
        let token = Scene.bearer(try await Scene.token())
        try await scene.gateway.application().test(.router) { client in
            for path in Self.paths {
                for headers in [[:], token] {
                    let response = try await client.execute(uri: path, method: .get, headers: headers)
                    #expect([400, 401, 404, 405, 422].contains(response.status.code), "\(path): \(response.status)")
                    #expect(response.headers[.contentType] == "application/problem+json", "\(path)")
                    #expect(!String(buffer: response.body).contains("root:"))
                }
            }
        }
    }
}
