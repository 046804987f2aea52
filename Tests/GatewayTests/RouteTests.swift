import HTTPTypes
import Hummingbird
import HummingbirdTesting
import StatexProtocol
import Testing

@testable import StatexGateway

/// What holds for every route, whatever it does.
struct RouteTests {
    /// A path of the route, with ids in it.
    private static func path(_ endpoint: Endpoint) -> String {
        endpoint.path.replacing("{id}", with: "4387482403384328192")
    }

    @Test func `no route but the open ones is entered without a token`() async throws {
        let scene = try await Scene()
        let guarded = scene.gateway.endpoints.filter { endpoint in
            if case .to = endpoint.answer { true } else { false }
        }
        #expect(guarded.count >= 7)
        try await scene.gateway.application().test(.router) { client in
            for endpoint in guarded {
                let response = try await client.execute(uri: Self.path(endpoint), method: endpoint.method)
                #expect(response.status == .unauthorized, "\(endpoint.path)")
                #expect(response.headers[.wwwAuthenticate]?.hasPrefix("Bearer") == true)
                #expect(response.headers[.contentType] == "application/problem+json")
                #expect(try ReadProblem(response).code == "unauthenticated")
            }
        }
    }

    @Test func `a route is for its scopes only`() async throws {
        let scene = try await Scene()
        try await scene.gateway.application().test(.router) { client in
            for endpoint in scene.gateway.endpoints {
                guard case .to(let scopes, _) = endpoint.answer else { continue }
                for scope in Scope.allCases {
                    let token = try await Scene.token([scope])
                    let response = try await client.execute(
                        uri: Self.path(endpoint), method: endpoint.method, headers: Scene.bearer(token))
                    let isAdmitted = response.status != .forbidden
                    #expect(isAdmitted == scopes.contains(scope), "\(endpoint.method) \(endpoint.path) \(scope)")
                }
                let none = try await Scene.token([])
                let response = try await client.execute(
                    uri: Self.path(endpoint), method: endpoint.method, headers: Scene.bearer(none))
                #expect(response.status == .forbidden)
            }
        }
    }

    @Test func `every answer tells browsers to do nothing else with it`() async throws {
        let scene = try await Scene()
        try await scene.gateway.application().test(.router) { client in
            for uri in ["/livez", "/readyz", "/nowhere", "/v1/jobs"] {
                let response = try await client.execute(uri: uri, method: .get)
                #expect(response.headers[.xContentTypeOptions] == "nosniff")
                #expect(response.headers[.contentSecurityPolicy]?.contains("frame-ancestors 'none'") == true)
                #expect(response.headers[.cacheControl] == "no-store")
                #expect(response.headers[.server] == nil)
            }
        }
    }

    @Test func `an unknown path is 404, and a known one names its methods`() async throws {
        let scene = try await Scene()
        try await scene.gateway.application().test(.router) { client in
            for uri in ["/nowhere", "/v1", "/v1/jobs/1/2/3", "/v1/requests/1/result", "/livez/x"] {
                let response = try await client.execute(uri: uri, method: .get)
                #expect(response.status == .notFound, "\(uri)")
                #expect(try ReadProblem(response).code == "no_such_path")
            }
            for (uri, method, allowed) in [
                ("/v1/requests/1", HTTPRequest.Method.delete, "GET, HEAD"), ("/v1/jobs/1/cancel", .get, "POST"),
                ("/livez", .post, "GET, HEAD"), ("/v1/jobs", .trace, "GET, HEAD"),
            ] {
                let response = try await client.execute(uri: uri, method: method)
                #expect(response.status == .methodNotAllowed, "\(uri)")
                #expect(response.headers[.allow] == allowed)
                #expect(try ReadProblem(response).code == "method_not_allowed")
            }
        }
    }

    @Test func `without a scheduler and a journal it lives, is not ready, and says why`() async throws {
        let scene = try await Scene()
        let headers = try await Scene.json()
        try await scene.gateway.application().test(.router) { client in
            #expect(try await client.execute(uri: "/livez", method: .get).status == .ok)
            let ready = try await client.execute(uri: "/readyz", method: .get)
            #expect(ready.status == .serviceUnavailable)
            let text = String(buffer: ready.body)
            #expect(text.contains(#""part":"journal""#) && text.contains(#""part":"scheduler""#))
            // Nothing of where they would be.
            #expect(!text.contains("nowhere"))

            let read = try await client.execute(uri: "/v1/jobs", method: .get, headers: headers)
            #expect(read.status == .serviceUnavailable && read.headers[.retryAfter] == "1")
            #expect(try ReadProblem(read).code == "journal_away")
            #expect(!String(buffer: read.body).contains("nowhere"), "what Postgres says is for the log")
            let submit = try await client.execute(
                uri: "/v1/requests", method: .post, headers: headers, body: .init(string: #"{"jobs":[{"kind":"a"}]}"#))
            #expect(submit.status == .serviceUnavailable && submit.headers[.retryAfter] == "1")
            #expect(try ReadProblem(submit).code == "scheduler_away")
        }
    }

    @Test(arguments: ["0", "-1", "x", "01", "+1", "9223372036854775808", "1e3", "%00", "1%2F2"])
    func `an id that is none names the field`(id: String) async throws {
        let scene = try await Scene()
        let headers = Scene.bearer(try await Scene.token())
        try await scene.gateway.application().test(.router) { client in
            let response = try await client.execute(uri: "/v1/jobs/\(id)", method: .get, headers: headers)
            #expect(response.status == .unprocessableContent)
            #expect(try ReadProblem(response).errors?.map(\.field) == ["id"])
        }
    }

    @Test(arguments: [
        ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("state=odd", "state"),
        ("since=now", "since"), ("cursor=0", "cursor"), ("kind=", "kind"), ("kind=a&kind=b", "kind"),
        ("bogus=1", "bogus"), ("kind=%00", "kind"), ("tag=&tag=b", "tag"), ("until=1969-01-01T00:00:00Z", "until"),
    ])
    func `a parameter that is wrong names the field`(query: String, field: String) async throws {
        let scene = try await Scene()
        let headers = Scene.bearer(try await Scene.token())
        try await scene.gateway.application().test(.router) { client in
            let response = try await client.execute(uri: "/v1/jobs?\(query)", method: .get, headers: headers)
            #expect(response.status == .unprocessableContent)
            #expect(try ReadProblem(response).errors?.map(\.field) == [field])
        }
    }
}
