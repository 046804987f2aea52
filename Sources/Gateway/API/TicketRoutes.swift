import Hummingbird
import StatexProtocol

/// `/v1/tickets`: what a browser opens a stream with.
struct TicketRoutes: Sendable {
    let tickets: TicketOffice

    var endpoints: [Endpoint] { [Endpoint(.post, "/v1/tickets", for: .read, answer: give)] }

    @Sendable private func give(_ call: Call) async throws -> Response {
        let ticket = try await tickets.ticket(for: call.identity)
        var text = JSONText()
        text.object {
            $0.member("ticket", ticket)
            $0.member("expires_seconds", Int(TicketOffice.lifetime.components.seconds))
        }
        return Response(json: text)
    }
}
