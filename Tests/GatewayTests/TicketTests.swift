import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
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

    @Test func `who uses up its share of tickets is alone with that`() async throws {
        let office = try await TicketOffice(Scene.tokens, used: UsedTickets(ofSubject: 3, inAll: 1_000))
        let now = now
        var ada: [TicketOffice.Ticket] = []
        for _ in 0..<4 { ada.append(try await office.verify(office.ticket(for: Self.ada), now: now)) }
        #expect(ada.map { office.use($0, now: now) } == [.first, .first, .first, .tooManyOfSubject])
        #expect(ada.map { office.use($0, now: now) } == [.again, .again, .again, .tooManyOfSubject])
        let bob = Identity(subject: "bob", scopes: [.read], tenant: nil)
        let other = try await office.verify(office.ticket(for: bob), now: now)
        #expect(office.use(other, now: now) == .first)
        // Once none of these could be shown again, there is room.
        #expect(office.use(ada[3], now: now + UsedTickets.memory - 1) == .tooManyOfSubject)
        #expect(office.use(ada[3], now: now + UsedTickets.memory) == .first)
    }

    @Test func `some who use all tickets that they get leave room for the next one`() {
        var used = UsedTickets(ofSubject: 1_000, inAll: 100)
        func useAll(of subject: String, at now: Double) -> Int {
            var count = 0
            while used.use("\(subject)\(count)", of: subject, at: now) == .first { count += 1 }
            return count
        }
        #expect(["a", "b", "c", "d"].map { useAll(of: $0, at: 1) } == [50, 25, 13, 6])
        #expect(used.use("e", of: "e", at: 1) == .first)
        #expect(used.use("x", of: "a", at: 1) == .tooMany)
        // They are remembered for as long as they could be shown, and no longer.
        #expect(used.use("a0", of: "a", at: UsedTickets.memory) == .again)
        #expect(used.use("a0", of: "a", at: 1 + UsedTickets.memory) == .first)
        #expect(used.count == 1)
    }

    @Test func `a ticket whose owner is told to wait is not used by that`() async throws {
        let tokens = try await TokensInForce(Scene.tokens, logger: Scene.logger)
        let ticket = try await tokens.tickets.ticket(for: Self.ada)
        let head = HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/v1/events?ticket=\(ticket)")
        let request = Request(head: head, body: .init(buffer: ByteBuffer()))
        func admit(_ rates: RateLimits) async throws(Problem) -> Identity {
            try await Gate(tokens: tokens, rates: rates).admit(request, to: [.read], takesTicket: true)
        }
        let spent = RateLimits(perSecond: 1)
        try spent.take("ada", at: .seconds(3_600))
        do throws(Problem) {
            _ = try await admit(spent)
            Issue.record("it was let in")
        } catch {
            #expect(error.code == "too_fast")
        }
        let rates = RateLimits(perSecond: 1_000)
        #expect(try await admit(rates).subject == "ada")
        do throws(Problem) {
            _ = try await admit(rates)
            Issue.record("it was let in twice")
        } catch {
            #expect(error.status == .unauthorized && error.detail == "the ticket was used")
        }
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

extension TicketOffice {
    /// Verified and used, as the gate does it.
    fileprivate func redeem(_ text: String, now: Double) async throws -> Identity {
        let ticket = try await verify(text, now: now)
        guard use(ticket, now: now) == .first else { throw TokenRefusal("the ticket was used") }
        return ticket.identity
    }
}
