import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import StatexClient
import StatexEvents
import StatexProtocol
import Testing

@testable import StatexGateway

/// The OpenAPI document against the routes as they are.
struct DocumentTests {
    /// The document as a client reads it.
    private struct ReadDocument {
        let whole: [String: Any]

        init(_ scene: Scene) async throws {
            let body = try await scene.gateway.application().test(.router) { client in
                let response = try await client.execute(uri: "/openapi.json", method: .get)
                #expect(response.status == .ok && response.headers[.contentType] == "application/json")
                return Data(response.body.readableBytesView)
            }
            whole = try #require(try JSONSerialization.jsonObject(with: body) as? [String: Any])
        }

        var operations: [String: [String: Any]] {
            var found: [String: [String: Any]] = [:]
            for (path, methods) in whole["paths"] as? [String: [String: [String: Any]]] ?? [:] {
                for (method, operation) in methods { found["\(method.uppercased()) \(path)"] = operation }
            }
            return found
        }

        func schema(_ name: String) -> [String: Any]? {
            ((whole["components"] as? [String: Any])?["schemas"] as? [String: Any])?[name] as? [String: Any]
        }

        func members(_ schema: [String: Any]?) -> Set<String> {
            Set((schema?["properties"] as? [String: Any])?.keys ?? [:].keys)
        }

        func statuses(_ operation: String) -> Set<Int> {
            Set((operations[operation]?["responses"] as? [String: Any])?.keys.compactMap(Int.init) ?? [])
        }

        func parameters(_ operation: String, in place: String) -> Set<String> {
            let all = operations[operation]?["parameters"] as? [[String: Any]] ?? []
            return Set(all.filter { $0["in"] as? String == place }.compactMap { $0["name"] as? String })
        }

        func resolves(_ reference: String) -> Bool {
            var value: Any? = whole
            for part in reference.split(separator: "/").dropFirst() {
                value = (value as? [String: Any])?[String(part).replacing("~1", with: "/")]
            }
            return value != nil
        }
    }

    private static func name(_ endpoint: Endpoint) -> String { "\(endpoint.method.rawValue) \(endpoint.path)" }

    private static func uri(_ endpoint: Endpoint) -> String {
        endpoint.path.replacing("{id}", with: "4387482403384328192").replacing("{name}", with: "w")
    }

    /// All references in it.
    private static func references(_ value: Any) -> [String] {
        if let list = value as? [Any] { return list.flatMap(references) }
        guard let object = value as? [String: Any] else { return [] }
        return (object["$ref"] as? String).map { [$0] } ?? object.values.flatMap(references)
    }

    @Test func `every route is in the document, and every operation is a route`() async throws {
        let scene = try await Scene()
        let document = try await ReadDocument(scene)
        #expect(Set(document.operations.keys) == Set(scene.gateway.endpoints.map(Self.name)))
        // Nothing is described that nobody serves.
        #expect(Set(Operations.all.keys) == Set(document.operations.keys))
        let ids = document.operations.values.compactMap { $0["operationId"] as? String }
        #expect(Set(ids).count == scene.gateway.endpoints.count)
        for reference in Set(Self.references(document.whole)) { #expect(document.resolves(reference), "\(reference)") }
    }

    @Test func `what the document says of tokens is what the routes ask for`() async throws {
        let scene = try await Scene()
        let document = try await ReadDocument(scene)
        for endpoint in scene.gateway.endpoints {
            let security = document.operations[Self.name(endpoint)]?["security"] as? [[String: [String]]] ?? []
            switch endpoint.answer {
            case .toAnybody: #expect(security.isEmpty)
            case .to(let scopes, _):
                #expect(security.compactMap { $0["token"]?.first } == scopes.map(\.rawValue))
                #expect(security.contains { $0["ticket"] != nil } == endpoint.takesTicket)
            }
        }
    }

    @Test func `bodies have the fields that are read`() async throws {
        let document = try await ReadDocument(Scene())
        let submit = document.schema("Submit")
        #expect(document.members(submit) == Set(SubmitBody.Fields.allCases.map(\.stringValue)))
        let ofJob = Set(JobBody.Fields.allCases.map(\.stringValue))
        #expect(document.members(document.schema("FormJob")) == ofJob)
        #expect(document.members(document.schema("Job")) == ofJob.subtracting(["file"]))
        #expect(document.members(document.schema("LetterOrder")) == Set(LetterBody.Fields.allCases.map(\.stringValue)))
        #expect(document.members(document.schema("Order")) == Set(PauseBody.Fields.allCases.map(\.stringValue)))
        let unique = (submit?["properties"] as? [String: Any])?["unique"] as? [String: Any]
        #expect(document.members(unique) == Set(UniqueBody.Fields.allCases.map(\.stringValue)))
    }

    @Test func `queries have the parameters that are read`() async throws {
        let scene = try await Scene()
        let document = try await ReadDocument(scene)
        let headers = Scene.bearer(try await Scene.token())
        for endpoint in scene.gateway.endpoints where endpoint.method == .get {
            guard case .to = endpoint.answer else { continue }
            let response = try await scene.ask(endpoint.method, Self.uri(endpoint) + "?bogus=1", headers)
            var known: Set<Substring> = []
            if response.status == .unprocessableContent {
                let message = try #require(try ReadProblem(response).errors?.first?.message)
                known = Set(message.replacing("is no parameter here; there are ", with: "").split(separator: ", "))
            }
            let documented = document.parameters(Self.name(endpoint), in: "query")
            #expect(documented == Set(known.map(String.init)), "\(endpoint.path)")
        }
    }

    @Test func `the document takes the ids that streams send, those of heartbeats too`() async throws {
        let document = try await ReadDocument(Scene())
        let place = EventPlace(incarnation: 0x5d1b, position: EventPosition(batch: 8_124, index: 0))
        let beat = try #require(place.sequence).description
        #expect(String(decoding: ServerSentEvent.beat(place.sequence), as: UTF8.self).hasPrefix("id: \(beat)\n"))
        for stream in ["/v1/events", "/v1/jobs/{id}/events", "/v1/requests/{id}/events"] {
            let parameters = document.operations["GET " + stream]?["parameters"] as? [[String: Any]] ?? []
            let parameter = try #require(parameters.first { $0["name"] as? String == "Last-Event-ID" })
            let pattern = try Regex(#require((parameter["schema"] as? [String: Any])?["pattern"] as? String))
            for id in [beat, "5d1b-8123-0", "5d1b-8123-4", "1-0-999999999", "1-0-1000000000", "1-0-3999999999"] {
                #expect(id.wholeMatch(of: pattern) != nil, "\(id)")
                // Nothing is promised that is not taken.
                #expect(EventSequence(id) != nil, "\(id)")
            }
            for id in ["5d1b-8123-4294967295", "5d1b-8123-9999999999", "5d1b-8123-10000000000", "5d1b-8123-01", "x"] {
                #expect(id.wholeMatch(of: pattern) == nil, "\(id)")
            }
        }
    }

    /// Statuses that a gateway without scheduler and journal answers; others are seen end to end.
    private static let provoked: Set = [400, 401, 403, 413, 415, 422, 429, 503]

    @Test func `every problem that comes is documented, and every documented one comes`() async throws {
        let scene = try await Scene(bodyLimit: 1_000)
        let document = try await ReadDocument(scene)
        var answers: [String: Set<Int>] = [:]
        let token = try await Scene.token()
        let json = try await Scene.json()
        let none = Scene.bearer(try await Scene.token([]))
        var bad = json
        bad[.idempotencyKey] = ""
        bad[HTTPField.Name("Last-Event-ID")!] = "x"
        var unreadable = json
        unreadable[.transferEncoding] = "gzip, chunked"
        var text = Scene.bearer(token)
        text[.contentType] = "text/plain"
        let long = #"{"jobs":[{"kind":"a","payload":"\#(String(repeating: "x", count: 1_000))"}]}"#
        let asked: [(HTTPFields, String, String?)] = [
            ([:], "", nil), (none, "", nil), (Scene.bearer(token), "", nil), (json, "", "{"), (json, "", "{}"),
            (json, "", #"{"jobs":[{"kind":"a"}]}"#), (json, "", #"{"all":true}"#), (json, "", long), (text, "", "x"),
            (bad, "", "{}"), (unreadable, "", nil), (Scene.bearer("x.y.z"), "", nil),
            (json, "?limit=0", nil), (json, "?kind=", nil), (json, "?kind=a", nil),
        ]
        for endpoint in scene.gateway.endpoints {
            let name = Self.name(endpoint)
            for (headers, query, body) in asked {
                let wrong = endpoint.path.replacing("{id}", with: "x")
                    .replacing("{name}", with: String(repeating: "w", count: 200))
                for uri in [Self.uri(endpoint), wrong] {
                    let response = try await scene.ask(endpoint.method, uri + query, headers, body)
                    let status = Int(response.status.code)
                    answers[name, default: []].insert(status)
                    #expect(document.statuses(name).contains(status), "\(name) answers \(status)")
                    guard status >= 400, endpoint.path != "/readyz" else { continue }
                    #expect(response.headers[.contentType] == "application/problem+json")
                    let problem = try ReadProblem(response)
                    #expect(problem.status == status && problem.type == "urn:statex:problem:\(problem.code)")
                }
            }
        }
        let busy = try await Scene(requestsPerSecond: 1)
        for endpoint in busy.gateway.endpoints {
            for _ in 0..<2 {
                let response = try await busy.ask(endpoint.method, Self.uri(endpoint), Scene.bearer(token))
                answers[Self.name(endpoint), default: []].insert(Int(response.status.code))
            }
        }
        for (name, seen) in answers {
            let missing = document.statuses(name).intersection(Self.provoked).subtracting(seen)
            #expect(missing.isEmpty, "\(name) never answers \(missing.sorted())")
        }
    }
}
