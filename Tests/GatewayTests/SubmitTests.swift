import HTTPTypes
import Hummingbird
import HummingbirdTesting
import StatexProtocol
import Testing

@testable import StatexGateway

/// What a submit is refused for before the scheduler hears of it.
struct SubmitTests {
    private func submit(
        _ body: String, _ headers: HTTPFields? = nil, on scene: Scene
    ) async throws -> TestResponse {
        var fields = try await Scene.json()
        for field in headers ?? [:] { fields[field.name] = field.value }
        let sent = fields
        return try await scene.gateway.application().test(.router) { client in
            try await client.execute(uri: "/v1/requests", method: .post, headers: sent, body: .init(string: body))
        }
    }

    @Test(arguments: [
        (#"{}"#, "jobs"), (#"{"jobs":[]}"#, "jobs"), (#"{"jobs":{}}"#, "jobs"), (#"{"jobs":[null]}"#, "jobs[0]"),
        (#"{"jobs":[1]}"#, "jobs[0]"), (#"{"jobs":[{}]}"#, "jobs[0].kind"), (#"{"jobs":[{"kind":1}]}"#, "jobs[0].kind"),
        (#"{"jobs":[{"kind":"a b"}]}"#, "jobs[0].kind"), (#"{"jobs":[{"kind":"a"},{"kind":""}]}"#, "jobs[1].kind"),
        (#"{"jobs":[{"kind":"statex.webhook"}]}"#, "jobs[0].kind"),
        (#"{"jobs":[{"kind":"a"}],"webhook":1}"#, "webhook"), (#"{"jobs":[{"kind":"a"}],"webhook":""}"#, "webhook"),
        (#"{"jobs":[{"kind":"a"}],"webhook":"http://h/"}"#, "webhook"),
        (#"{"jobs":[{"kind":"a"}],"webhook":"https://127.0.0.1/"}"#, "webhook"),
        (#"{"jobs":[{"kind":"a"}],"webhook":"https://h/"}"#, "webhook"),
        (#"{"jobs":[{"kind":"a","odd":1}]}"#, "jobs[0].odd"), (#"{"jobs":[{"kind":"a"}],"odd":1}"#, "odd"),
        (#"{"jobs":[{"kind":"a","priority":10}]}"#, "jobs[0].priority"),
        (#"{"jobs":[{"kind":"a","priority":null}]}"#, "jobs[0].priority"),
        (#"{"jobs":[{"kind":"a"}],"unique":{"key":"k","seconds":null}}"#, "unique.seconds"),
        (#"{"jobs":[{"kind":"a","priority":1.5}]}"#, "jobs[0].priority"),
        (#"{"jobs":[{"kind":"a","priority":"1"}]}"#, "jobs[0].priority"),
        (#"{"jobs":[{"kind":"a","priority":9223372036854775808}]}"#, "jobs[0].priority"),
        (#"{"jobs":[{"kind":"a","attempts":0}]}"#, "jobs[0].attempts"),
        (#"{"jobs":[{"kind":"a","payload":1}]}"#, "jobs[0].payload"),
        (#"{"jobs":[{"kind":"a","payload_base64":"!"}]}"#, "jobs[0].payload_base64"),
        (#"{"jobs":[{"kind":"a","payload":"x","payload_base64":"eA=="}]}"#, "jobs[0].payload_base64"),
        (#"{"jobs":[{"kind":"a","run_at":"soon"}]}"#, "jobs[0].run_at"),
        (#"{"jobs":[{"kind":"a","run_at":"2026-11-26T01:00:00Z","delay_seconds":1}]}"#, "jobs[0].delay_seconds"),
        (#"{"jobs":[{"kind":"a","delay_seconds":-1}]}"#, "jobs[0].delay_seconds"),
        (#"{"jobs":[{"kind":"a","run_limit_seconds":0}]}"#, "jobs[0].run_limit_seconds"),
        (#"{"jobs":[{"kind":"a","tags":["1","2","3","4","5","6","7","8","9"]}]}"#, "jobs[0].tags"),
        (#"{"jobs":[{"kind":"a","labels":[""]}]}"#, "jobs[0].labels"),
        (#"{"jobs":[{"kind":"a","after":[0]}]}"#, "jobs[0].after"),
        (#"{"jobs":[{"kind":"a"},{"kind":"a","after":[-1]}]}"#, "jobs[1].after"),
        (#"{"jobs":[{"kind":"a"},{"kind":"a","inputs":[0,0]}]}"#, "jobs[1].inputs"),
        (#"{"jobs":[{"kind":"a","traceparent":"00-1"}]}"#, "jobs[0].traceparent"),
        (
            #"{"jobs":[{"kind":"a","traceparent":"00-00000000000000000000000000000000-b7ad6b7169203331-01"}]}"#,
            "jobs[0].traceparent"
        ),
        (#"{"jobs":[{"kind":"a"}],"tenant":""}"#, "tenant"),
        (#"{"jobs":[{"kind":"a"}],"on_dependency_failure":"ignore"}"#, "on_dependency_failure"),
        (#"{"jobs":[{"kind":"a"}],"unique":{}}"#, "unique.key"),
        (#"{"jobs":[{"kind":"a"}],"unique":{"key":"k","seconds":0}}"#, "unique.seconds"),
    ])
    func `a field that is wrong is named`(body: String, field: String) async throws {
        let response = try await submit(body, on: Scene())
        #expect(response.status == .unprocessableContent)
        let problem = try ReadProblem(response)
        #expect(problem.errors?.map(\.field) == [field], "\(problem.detail)")
    }

    @Test(arguments: [
        "", "{", "[]", "null", #"{"jobs":[{"kind":"a"}],"jobs":[]}"#, #"{"jobs":[{"kind":"a","payload":"\u0000"}]}"#,
        #"{"jobs":[{"kind":"\ud800"}]}"#, #"{"jobs":[{"kind":"a"}]} x"#, String(repeating: #"{"a":"#, count: 100),
    ])
    func `a body that is no proper JSON is refused whole`(body: String) async throws {
        let response = try await submit(body, on: Scene())
        #expect(response.status == .badRequest)
        #expect(try ReadProblem(response).code == "malformed")
    }

    @Test func `a body of another type is refused`() async throws {
        for type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            let response = try await submit("{}", [.contentType: type], on: Scene())
            #expect(response.status == .unsupportedMediaType, "\(type)")
        }
    }

    @Test func `a body that is packed, or says so, is refused`() async throws {
        for coding in ["gzip", "br", "deflate, gzip", "GZIP"] {
            let headers: HTTPFields = [.contentType: "application/json", .contentEncoding: coding]
            let response = try await submit(#"{"jobs":[{"kind":"a"}]}"#, headers, on: Scene())
            #expect(response.status == .unsupportedMediaType, "\(coding)")
            #expect(try ReadProblem(response).detail.hasPrefix("Content-Encoding"))
        }
    }

    @Test func `a body beyond the limit is refused`() async throws {
        let scene = try await Scene(bodyLimit: 1_000)
        let body = #"{"jobs":[{"kind":"a","payload":"\#(String(repeating: "x", count: 1_000))"}]}"#
        let response = try await submit(body, on: scene)
        #expect(response.status == .contentTooLarge)
        #expect(try ReadProblem(response).code == "too_large")
    }

    @Test func `a token of a tenant submits for that tenant only`() async throws {
        let token = try await Scene.token([.submit], tenant: "acme")
        let headers = Scene.bearer(token)
        let scene = try await Scene()
        let other = try await submit(#"{"jobs":[{"kind":"a"}],"tenant":"other"}"#, headers, on: scene)
        #expect(other.status == .forbidden)
        for body in [#"{"jobs":[{"kind":"a"}],"tenant":"acme"}"#, #"{"jobs":[{"kind":"a"}]}"#] {
            // As far as it comes here.
            #expect(try await submit(body, headers, on: scene).status == .serviceUnavailable)
        }
    }

    @Test(arguments: ["", String(repeating: "k", count: Limits.userKeyBytes + 1), "k\u{E9}"])
    func `an idempotency key that is none is named`(key: String) async throws {
        let response = try await submit(#"{"jobs":[{"kind":"a"}]}"#, [.idempotencyKey: key], on: Scene())
        #expect(response.status == .unprocessableContent)
        #expect(try ReadProblem(response).errors?.map(\.field) == ["Idempotency-Key"])
    }
}
