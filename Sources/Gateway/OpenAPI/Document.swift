// The OpenAPI 3.1 document. Paths, methods, scopes and what follows from them (which problems, which security) come from
// the table of routes that is served; limits are those that the code keeps. What each route takes and answers beside
// that stands in Operations, and tests hold it against what the routes do.

import StatexPage
import StatexProtocol

struct Document: Sendable {
    private let endpoints: [Endpoint]

    /// - Parameter endpoints: all that are served.
    init(_ endpoints: [Endpoint]) { self.endpoints = endpoints }

    var json: [UInt8] { Array(value.json.utf8) }

    private var value: JSONLiteral {
        [
            "openapi": "3.1.0",
            "info": [
                "title": "Statex", "version": "1",
                "description": .text(Self.description),
                "license": ["name": "Apache 2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": "/"]],
            "paths": paths,
            "components": [
                "schemas": Schemas.all, "headers": Self.headers, "responses": Self.problems,
                "securitySchemes": [
                    "token": [
                        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                        "description": "With a scope that the operation names: submit, read or operate.",
                    ],
                    "ticket": [
                        "type": "apiKey", "in": "query", "name": "ticket",
                        "description": "Of POST /v1/tickets, for one stream.",
                    ],
                ],
            ],
        ]
    }

    private static let description =
        "Requests, jobs and results of Statex over HTTP. Ids are decimal strings, times RFC 3339, durations numbers of seconds. Lengths of texts are bytes in UTF-8. What GET has, HEAD has too. Every error is a problem (RFC 9457) that names the field."

    private var paths: JSONLiteral {
        var paths: [(String, JSONLiteral)] = []
        for endpoint in endpoints where !paths.contains(where: { $0.0 == endpoint.path }) {
            let methods = endpoints.filter { $0.path == endpoint.path }
            paths.append((endpoint.path, .object(methods.compactMap(Self.operation))))
        }
        return .object(paths)
    }

    private static func operation(_ endpoint: Endpoint) -> (String, JSONLiteral)? {
        guard let operation = Operations.all["\(endpoint.method.rawValue) \(endpoint.path)"] else { return nil }
        var members: [(String, JSONLiteral)] = [
            ("operationId", .text(operation.id)), ("summary", operation.summary),
        ]
        if let description = operation.description { members.append(("description", description)) }
        members.append(("security", security(endpoint)))
        let parameters = inPath(endpoint) + operation.parameters
        if !parameters.isEmpty { members.append(("parameters", .list(parameters))) }
        if let body = operation.body { members.append(("requestBody", body)) }
        members.append(("responses", responses(operation, of: endpoint)))
        return (endpoint.method.rawValue.lowercased(), .object(members))
    }

    private static func security(_ endpoint: Endpoint) -> JSONLiteral {
        guard case .to(let scopes, _) = endpoint.answer else { return [] }
        let tokens = scopes.map { ["token": [.text($0.rawValue)]] as JSONLiteral }
        return .list(tokens + (endpoint.takesTicket ? [["ticket": []]] : []))
    }

    private static func inPath(_ endpoint: Endpoint) -> [JSONLiteral] {
        if endpoint.path.contains("{id}") { return [Parameter.path("id", Schemas.ref("ID"))] }
        guard endpoint.path.contains("{name}") else { return [] }
        if endpoint.path.hasPrefix("/assets/") {
            return [Parameter.path("name", Schemas.names(PageFile.assets, \.name))]
        }
        return [Parameter.path("name", Schemas.word(OrderRoutes.longestWorker))]
    }

    // MARK: Answers

    private static func responses(_ operation: Operation, of endpoint: Endpoint) -> JSONLiteral {
        var responses = operation.answers.map { ($0.status, response($0)) }
        for status in problems(operation, of: endpoint) {
            responses.append((status, ["$ref": "#/components/responses/\(status)"]))
        }
        return .object(responses.sorted { $0.0 < $1.0 }.map { (String($0.0), $0.1) })
    }

    private static func response(_ answer: Operation.Answer) -> JSONLiteral {
        var members: [(String, JSONLiteral)] = [("description", answer.description)]
        if !answer.headers.isEmpty {
            members.append(
                ("headers", .object(answer.headers.map { ($0, ["$ref": "#/components/headers/\($0)"]) })))
        }
        if !answer.content.isEmpty {
            members.append(("content", .object(answer.content.map { ($0.type, ["schema": $0.schema]) })))
        }
        return .object(members)
    }

    /// Those that follow from what the route takes, and its own.
    private static func problems(_ operation: Operation, of endpoint: Endpoint) -> Set<Int> {
        // A header that two would read differently is refused on every path.
        var problems = operation.problems.union([400])
        if case .to = endpoint.answer {
            problems.formUnion([401, 403, 429, 500])
            if operation.asksOthers { problems.insert(503) }
            if endpoint.path.contains("{id}") { problems.formUnion([404, 422]) }
            if endpoint.path.contains("{name}") || !operation.parameters.isEmpty { problems.insert(422) }
            if operation.body != nil { problems.formUnion([413, 415, 422]) }
        }
        return problems
    }

    private static let titles: KeyValuePairs<Int, (JSONLiteral, headers: [String])> = [
        400: ("The request cannot be read.", []),
        401: ("A valid token is needed.", ["WWW-Authenticate"]),
        403: ("The token does not allow it.", ["WWW-Authenticate"]),
        404: ("It is not there, or not for this token.", []),
        408: ("The upload took too long.", []),
        409: ("It cannot be done as things are.", []),
        413: ("The body is larger than its limit.", []),
        415: ("The body is of another type.", ["Accept"]),
        416: ("The range begins behind the end.", ["Content-Range"]),
        422: ("A field is not as it must be: `errors` names it.", []),
        429: ("Too many at once.", ["Retry-After"]),
        500: ("A fault of the gateway.", []),
        503: ("The scheduler or the journal is away, or something is busy.", ["Retry-After"]),
    ]

    private static let problems: JSONLiteral = .object(
        titles.map { status, title in
            let answer = Operation.Answer(
                status: status, description: title.0, content: [("application/problem+json", Schemas.ref("Problem"))],
                headers: title.headers)
            return (String(status), response(answer))
        })

    private static let headers: JSONLiteral = .object(
        [
            ("Accept", "What the body may be.", Schemas.text),
            ("Accept-Ranges", "bytes", ["const": "bytes"]),
            ("Content-Disposition", "A name for a file.", Schemas.text),
            ("Content-Range", "Which bytes, and of how many.", ["type": "string", "pattern": "^bytes "]),
            ("ETag", "Names the content.", ["type": "string", "pattern": "^\"[0-9a-f]+\"$"]),
            ("Location", "The path of the request.", ["type": "string", "pattern": "^/v1/requests/[1-9][0-9]*$"]),
            ("Repr-Digest", "The SHA-256 of the whole (RFC 9530).", ["type": "string", "pattern": "^sha-256=:"]),
            ("Retry-After", "Seconds.", ["type": "string", "pattern": "^[1-9][0-9]*$"]),
            ("WWW-Authenticate", "How to (RFC 6750).", ["type": "string", "pattern": "^Bearer "]),
        ].map { (name: String, description: JSONLiteral, schema: JSONLiteral) in
            (name, ["description": description, "required": true, "schema": schema])
        })
}
