import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import StatexClient
import StatexProtocol

@testable import StatexGateway

/// A gateway without a scheduler and a journal: what is decided before either is asked.
struct Scene: Sendable {
    static let secret = Array("0123456789abcdef0123456789abcdef".utf8)
    static let tokens = TokenSettings(keys: .secret(secret), issuer: "tests", audience: "statex")

    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    let gateway: Gateway

    init(
        tokens: TokenSettings = tokens, bodyLimit: Int = 4 << 20, bodyMemory: Int? = nil,
        requestsPerSecond: Int = 1_000_000, tls: ServerCertificate? = nil, tokenFile: TokenFile? = nil
    ) async throws {
        var settings = GatewaySettings(
            host: "127.0.0.1", port: 0, tokens: tokens, submitEndpoint: "ipc:///nowhere/submit.sock",
            eventsEndpoint: "ipc:///nowhere/events.sock", journalURL: "postgresql://statex@/statex?host=/nowhere",
            bodyLimit: bodyLimit)
        settings.requestsPerSecond = requestsPerSecond
        if let bodyMemory { settings.bodyMemory = bodyMemory }
        settings.tls = tls
        settings.tokenFile = tokenFile
        gateway = try await Gateway(settings, logger: Self.logger)
    }

    /// What one request is answered.
    func ask(
        _ method: HTTPRequest.Method, _ uri: String, _ headers: HTTPFields = [:], _ body: String? = nil
    ) async throws -> TestResponse {
        try await gateway.application().test(.router) { client in
            try await client.execute(
                uri: uri, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
        }
    }

    static func token(
        _ scopes: Set<Scope> = Set(Scope.allCases), tenant: String? = nil, subject: String = "tester",
        lifetime: Duration = .seconds(60)
    ) async throws -> String {
        try await TokenMaker(tokens).token(
            .init(subject: subject, scopes: scopes, tenant: tenant, lifetime: lifetime))
    }

    static func bearer(_ token: String) -> HTTPFields { [.authorization: "Bearer \(token)"] }

    /// Headers of a JSON body with a token that allows everything.
    static func json() async throws -> HTTPFields {
        var headers = bearer(try await token())
        headers[.contentType] = "application/json"
        return headers
    }
}

/// A problem as a client reads it.
struct ReadProblem: Decodable {
    struct Field: Decodable {
        let field: String
        let message: String
    }

    let type: String
    let title: String
    let status: Int
    let detail: String
    let code: String
    let errors: [Field]?

    init(_ response: TestResponse) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(response.body.readableBytesView))
    }
}
