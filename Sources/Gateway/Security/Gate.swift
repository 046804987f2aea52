import FoundationEssentials
import HTTPTypes
import Hummingbird

/// Who may pass: every route but the open ones asks here before it is entered.
struct Gate: Sendable {
    let tokens: TokensInForce
    let rates: RateLimits

    /// - Parameters:
    ///   - scopes: one of them suffices.
    ///   - takesTicket: whether a ticket in the query does in place of a token.
    func admit(_ request: Request, to scopes: [Scope], takesTicket: Bool) async throws(Problem) -> Identity {
        let ticket = takesTicket ? request.uri.queryParameters["ticket"] : nil
        let identity = if let ticket { try await redeem(String(ticket)) } else { try await identify(request) }
        guard !identity.scopes.isDisjoint(with: scopes) else {
            let names = scopes.map(\.rawValue).joined(separator: " or ")
            throw .forbidden("the token's scope does not have \(names)", scopes: scopes)
        }
        return identity
    }

    private func redeem(_ text: String) async throws(Problem) -> Identity {
        let now = Date().timeIntervalSince1970
        let ticket: TicketOffice.Ticket
        do throws(TokenRefusal) { ticket = try await tokens.tickets.verify(text, now: now) } catch {
            throw .unauthenticated(error.reason, error: "invalid_token")
        }
        let subject = ticket.identity.subject
        // Before it is used: who is told to wait comes again with the same one.
        try rates.take(subject)
        switch tokens.tickets.use(ticket, now: now) {
        case .first: return ticket.identity
        case .again: throw .unauthenticated("the ticket was used", error: "invalid_token")
        case .tooManyOfSubject:
            throw .tooMany(
                "\(subject) has used as many tickets as are remembered of one, within \(Int(UsedTickets.memory)) seconds",
                seconds: 5)
        case .tooMany:
            throw .unavailable("as many tickets were used as are remembered", code: "busy", seconds: 5)
        }
    }

    private func identify(_ request: Request) async throws(Problem) -> Identity {
        let values = request.headers[values: .authorization]
        guard let value = values.first else { throw .unauthenticated("give Authorization: Bearer TOKEN") }
        guard values.count == 1 else {
            throw .unauthenticated("Authorization stands there twice", error: "invalid_request")
        }
        let parts = value.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].lowercased() == "bearer", !parts[1].isEmpty else {
            throw .unauthenticated("Authorization must be Bearer and a token", error: "invalid_request")
        }
        let identity: Identity
        do throws(TokenRefusal) {
            identity = try await tokens.verifier.verify(String(parts[1]), now: Date().timeIntervalSince1970)
        } catch {
            throw .unauthenticated(error.reason, error: "invalid_token")
        }
        try rates.take(identity.subject)
        return identity
    }
}
