import Foundation
import FoundationNetworking

/// Somebody who speaks HTTP to a gateway.
struct GatewayVisitor {
    let url: String
    let token: String

    /// The one that a gateway without keys lets in.
    init(_ gateway: RunningProcess) throws {
        guard gateway.announcement.count == 2 else { throw HarnessError("no address and token: \(gateway.said)") }
        url = gateway.announcement[0]
        token = gateway.announcement[1]
    }

    init(url: String, token: String) {
        self.url = url
        self.token = token
    }

    struct Answer {
        let status: Int
        let headers: [AnyHashable: Any]
        let body: Data

        var text: String { String(decoding: body, as: UTF8.self) }
        var json: [String: Any] { (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:] }

        func header(_ name: String) -> String? {
            headers.first { ($0.key as? String)?.lowercased() == name.lowercased() }?.value as? String
        }
    }

    func get(_ path: String, headers: [String: String] = [:]) async throws -> Answer {
        try await send("GET", path, nil, headers)
    }

    /// - Parameter json: nil: without a body.
    func post(_ path: String, _ json: String? = nil, headers: [String: String] = [:]) async throws -> Answer {
        try await send("POST", path, json, headers)
    }

    func send(
        _ method: String, _ path: String, _ json: String? = nil, _ headers: [String: String] = [:]
    ) async throws -> Answer {
        let type = json.map { _ in ["Content-Type": "application/json"] } ?? [:]
        return try await send(method, path, body: json.map { Data($0.utf8) }, headers.merging(type) { $1 })
    }

    func send(
        _ method: String, _ path: String, body: Data?, _ headers: [String: String]
    ) async throws -> Answer {
        guard let place = URL(string: url + path) else { throw HarnessError("\(url + path) is no URL") }
        var request = URLRequest(url: place, timeoutInterval: 30)
        request.httpMethod = method
        request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
        for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
        request.httpBody = body
        let (body, response) = try await URLSession.shared.data(for: request)
        guard let response = response as? HTTPURLResponse else { throw HarnessError("no HTTP answer") }
        return Answer(status: response.statusCode, headers: response.allHeaderFields, body: body)
    }

    /// The request once all of its jobs are final.
    func finished(_ id: String, within limit: Duration = .seconds(30)) async throws -> Answer {
        let deadline = ContinuousClock.now + limit
        while true {
            let answer = try await get("/v1/requests/\(id)")
            if answer.status == 200, answer.json["state"] as? String != "open" { return answer }
            guard ContinuousClock.now < deadline else {
                throw HarnessError("request \(id) did not end: \(answer.text)")
            }
        }
    }
}
