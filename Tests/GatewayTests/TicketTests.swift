import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@testable import StatexGateway

/// Tickets: each opens one stream, soon, and nothing else.
struct TicketTests {
    private static let ada = Identity(subject: "ada", scopes: [.read, .operate], tenant: "acme")
    private var now: Double { Date().timeIntervalSince1970 }

    @Test func `a ticket shows what its owner may see, once`() async throws {
        let office = try await TicketOffice(Scene.tokens)
        let ticket = try await office.ticket(for: Self.ada)
        let identity = try await office.redeem(ticket, now: now)
        #expect(identity == Identity(subject: "ada", scopes: [.read], tenant: "acme"))
        await #expect(throws: TokenRefusal("the ticket was used")) { try await office.redeem(ticket, now: now) }
        let second = try await office.ticket(for: Self.ada)
        #expect(second != ticket)
        _ = try await office.redeem(second, now: now)
    }

    @Test func `of many who show the same ticket at once, one is let in`() async throws {
        let office = try await TicketOffice(Scene.tokens)
        let ticket = try await office.ticket(for: Self.ada)
        let admitted = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask { (try? await office.redeem(ticket, now: now)) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(admitted == 1)
    }

    @Test func `a ticket is soon too old, and used ones are remembered for longer`() async throws {
        let office = try await TicketOffice(Scene.tokens)
        let ticket = try await office.ticket(for: Self.ada)
        let issued = now
        await #expect(throws: TokenRefusal("the ticket is not valid here, or too old")) {
            try await office.redeem(ticket, now: issued + 70)
        }
        let used = try await office.ticket(for: Self.ada)
        for step in 0..<6 { _ = try? await office.redeem(used, now: issued + Double(step) * 11) }
        await #expect(throws: TokenRefusal.self) { try await office.redeem(used, now: issued + 55) }
    }

    @Test func `gateways of one secret take each other's tickets; those of other keys do not`() async throws {
        let ticket = try await TicketOffice(Scene.tokens).ticket(for: Self.ada)
        _ = try await TicketOffice(Scene.tokens).redeem(ticket, now: now)
        let other = TokenSettings(keys: .secret([UInt8](repeating: 7, count: 32)), audience: "statex")
        await #expect(throws: TokenRefusal.self) { try await TicketOffice(other).redeem(ticket, now: now) }
    }

    @Test func `a token is no ticket, and a ticket no token`() async throws {
        let scene = try await Scene()
        let token = try await Scene.token()
        let stream = "/v1/requests/4387482403384328192/events"
        try await scene.gateway.application().test(.router) { client in
            let response = try await client.execute(
                uri: "/v1/tickets", method: .post, headers: Scene.bearer(token), body: .init(string: "{}"))
            #expect(response.status == .ok)
            let given = try JSONDecoder().decode(Given.self, from: Data(response.body.readableBytesView))
            #expect(given.expires_seconds == 30)
            for (uri, headers) in [
                (stream + "?ticket=\(token)", [:]), (stream + "?ticket=", [:]), (stream + "?ticket=a.b.c", [:]),
                // Elsewhere a ticket in the address means nothing.
                ("/v1/jobs?ticket=\(given.ticket)", HTTPFields()),
                ("/v1/jobs", Scene.bearer(given.ticket)),
            ] {
                let refused = try await client.execute(uri: uri, method: .get, headers: headers)
                #expect(refused.status == .unauthorized, "\(uri)")
            }
            // Admitted: what is missing is the journal.
            let admitted = try await client.execute(uri: stream + "?ticket=\(given.ticket)", method: .get)
            #expect(admitted.status == .serviceUnavailable)
            let again = try await client.execute(uri: stream + "?ticket=\(given.ticket)", method: .get)
            #expect(again.status == .unauthorized)
        }
    }

    private struct Given: Decodable {
        let ticket: String
        let expires_seconds: Int
    }

    @Test(arguments: [
        "x", "1-2", "0-1-1", "g-1-1", "7-1-4294967295", "7-4611686018427387904-0", "7-1-1-1", "+7-1-1", "7--1", "7-1-",
        "-1-1",
        "10000000000000000-1-1", "7-18446744073709551616-1", "7-1-4294967296",
    ])
    func `a Last-Event-ID that is none names the field`(id: String) async throws {
        let scene = try await Scene()
        var headers = Scene.bearer(try await Scene.token())
        headers[HTTPField.Name("Last-Event-ID")!] = id
        let all = headers
        try await scene.gateway.application().test(.router) { client in
            let response = try await client.execute(uri: "/v1/events", method: .get, headers: all)
            #expect(response.status == .unprocessableContent)
            #expect(try ReadProblem(response).errors?.map(\.field) == ["Last-Event-ID"])
        }
    }
}
