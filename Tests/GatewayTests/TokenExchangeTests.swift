import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import StatexClient
import Testing

@testable import StatexGateway

/// The file with the keys of tokens, which is exchanged while a gateway runs.
final class TokenExchangeTests: Sendable {
    private static let other = Array("fedcba9876543210fedcba9876543210".utf8)
    private let folder = NSTemporaryDirectory() + "statex-tokens-\(UInt64.random(in: .min ... .max))/"
    private var path: String { folder + "secret" }

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try write(Scene.secret)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func write(_ secret: [UInt8]) throws { try Data(secret).write(to: URL(filePath: path), options: .atomic) }

    private static func settings(_ secret: [UInt8]) -> TokenSettings {
        TokenSettings(keys: .secret(secret), issuer: "tests", audience: "statex")
    }

    private var file: TokenFile {
        let path = path
        return TokenFile(path) { Self.settings(Array(try Data(contentsOf: URL(filePath: path)))) }
    }

    private func bearer(_ secret: [UInt8]) async throws -> HTTPFields {
        Scene.bearer(
            try await TokenMaker(Self.settings(secret)).token(
                .init(subject: "tester", scopes: [.read], lifetime: .seconds(300))))
    }

    private func status(
        _ client: some TestClientProtocol, _ uri: String = "/v1/jobs", as headers: HTTPFields = [:]
    ) async throws -> HTTPResponse.Status {
        try await client.execute(uri: uri, method: .get, headers: headers).status
    }

    private struct Given: Decodable { let ticket: String }

    private func stream(_ client: some TestClientProtocol, _ headers: HTTPFields) async throws -> String {
        let response = try await client.execute(uri: "/v1/tickets", method: .post, headers: headers)
        let ticket = try JSONDecoder().decode(Given.self, from: Data(response.body.readableBytesView)).ticket
        return "/v1/requests/4387482403384328192/events?ticket=\(ticket)"
    }

    @Test func `tokens of a new secret are believed from then on, and those of the old one no more`() async throws {
        let scene = try await Scene(tokenFile: file)
        let (old, new) = (try await bearer(Scene.secret), try await bearer(Self.other))
        try await scene.gateway.application().test(.live) { client in
            // Admitted: what is missing is the journal.
            #expect(try await self.status(client, as: old) == .serviceUnavailable)
            #expect(try await self.status(client, as: new) == .unauthorized)
            let (used, unused) = (try await self.stream(client, old), try await self.stream(client, old))
            #expect(try await self.status(client, used) == .serviceUnavailable)
            // Nothing was exchanged.
            await scene.gateway.tokens.look()
            #expect(try await self.status(client, as: old) == .serviceUnavailable)
            try self.write(Self.other)
            await scene.gateway.tokens.look()
            #expect(try await self.status(client, as: old) == .unauthorized)
            #expect(try await self.status(client, as: new) == .serviceUnavailable)
            #expect(try await self.status(client, unused) == .unauthorized)
            #expect(try await self.status(client, self.stream(client, new)) == .serviceUnavailable)
            // What was used is, also when the old secret comes back.
            try self.write(Scene.secret)
            await scene.gateway.tokens.look()
            #expect(try await self.status(client, used) == .unauthorized)
        }
    }

    @Test func `a file that cannot be used changes nothing, and metrics say so until it is mended`() async throws {
        let scene = try await Scene(tokenFile: file)
        let (old, new) = (try await bearer(Scene.secret), try await bearer(Self.other))
        @Sendable func isRefused(_ client: some TestClientProtocol) async throws -> Bool {
            let page = String(buffer: try await client.execute(uri: "/metrics", method: .get).body)
            let lines = ["0", "1"].map { page.contains("\nstatex_gateway_file_refused{file=\"tokens\"} \($0)\n") }
            #expect(lines[0] != lines[1])
            return lines[1]
        }
        try await scene.gateway.application().test(.live) { client in
            #expect(try await !isRefused(client))
            for make in [
                { try self.write(Array("short".utf8)) }, { try FileManager.default.removeItem(atPath: self.path) },
            ] as [@Sendable () throws -> Void] {
                try make()
                await scene.gateway.tokens.look()
                #expect(try await isRefused(client))
                #expect(try await self.status(client, as: old) == .serviceUnavailable)
            }
            try self.write(Self.other)
            await scene.gateway.tokens.look()
            #expect(try await !isRefused(client))
            #expect(try await self.status(client, as: new) == .serviceUnavailable)
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a gateway looks at the file by itself`() async throws {
        let tokens = try await TokensInForce(Self.settings(Scene.secret), file: file, logger: Scene.logger)
        let new = try await TokenMaker(Self.settings(Self.other)).token(
            .init(subject: "tester", scopes: [.read], lifetime: .seconds(300)))
        let watching = Task { try await TokenWatch(tokens: tokens, pause: .milliseconds(1)).run() }
        defer { watching.cancel() }
        func isBelieved() async -> Bool {
            (try? await tokens.verifier.verify(new, now: Date().timeIntervalSince1970)) != nil
        }
        #expect(await !isBelieved())
        try write(Self.other)
        let until = ContinuousClock.now + .seconds(20)
        while await !isBelieved(), .now < until { await Task.yield() }
        #expect(await isBelieved())
    }

    @Test func `what was written before the file was read first is no exchange`() async throws {
        let file = file
        // As it is between the look at the file and the first reading.
        try write(Self.other)
        let tokens = try await TokensInForce(file.read(), file: file, logger: Scene.logger)
        await tokens.look()
        let token = try await TokenMaker(Self.settings(Self.other)).token(
            .init(subject: "tester", scopes: [.read], lifetime: .seconds(300)))
        _ = try await tokens.verifier.verify(token, now: Date().timeIntervalSince1970)
        #expect(!tokens.isRefused)
    }
}
