import FoundationEssentials
import JWTKit
import Synchronization

/// Tickets: what a browser says in an address, where a token must never stand. Each opens one stream, soon.
///
/// A ticket is a signed text, so that any gateway with the same secret takes those of the others: its key is made of
/// the secret of HS256. With keys of an identity provider there is no secret to share, and a ticket is good at the
/// gateway that gave it. That it was used is known to the gateway that it was used at.
final class TicketOffice: Sendable {
    static let lifetime = Duration.seconds(30)
    private static let audience = "statex-ticket"

    /// One that was verified, and is not used by that.
    struct Ticket: Sendable {
        let identity: Identity
        fileprivate let signature: String
    }

    private struct Keys {
        let maker: TokenMaker
        let verifier: TokenVerifier

        init(_ settings: TokenSettings) async throws(TokenKeyError) {
            let tickets = TokenSettings(keys: .secret(try await TicketOffice.key(settings)), audience: audience)
            maker = TokenMaker(tickets)
            verifier = try await TokenVerifier(tickets)
        }
    }

    private let keys: Mutex<Keys>
    private let used: Mutex<UsedTickets>

    /// - Parameter used: which are remembered, and how many.
    init(_ settings: TokenSettings, used: UsedTickets = UsedTickets()) async throws(TokenKeyError) {
        self.used = Mutex(used)
        keys = Mutex(try await Keys(settings))
    }

    /// Takes other keys. Tickets of those of before are good no more; which were used is known still, as the keys may
    /// come back.
    func exchange(_ settings: TokenSettings) async throws(TokenKeyError) {
        // Random ones have nothing to do with those of the provider.
        guard case .secret = settings.keys else { return }
        let exchanged = try await Keys(settings)
        keys.withLock { $0 = exchanged }
    }

    private static func key(_ settings: TokenSettings) async throws(TokenKeyError) -> [UInt8] {
        guard case .secret(let secret) = settings.keys else {
            var random = SystemRandomNumberGenerator()
            return (0..<32).map { _ in random.next() }
        }
        // Another key for another purpose: a ticket is no token, whatever it says.
        let keys = JWTKeyCollection()
        await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        do { return try await keys.getKey().sign(Array("statex tickets".utf8)) } catch {
            throw TokenKeyError(description: "the key of tickets could not be made: \(error)")
        }
    }

    /// - Returns: a ticket that lets its bearer see what `identity` sees.
    func ticket(for identity: Identity) async throws(Problem) -> String {
        let maker = keys.withLock { $0.maker }
        do throws(TokenKeyError) {
            return try await maker.token(
                .init(subject: identity.subject, scopes: [.read], tenant: identity.tenant, lifetime: Self.lifetime),
                id: UInt64.random(in: .min ... .max))
        } catch {
            throw .unexpected
        }
    }

    /// - Parameter now: seconds since 1970.
    func verify(_ ticket: String, now: Double) async throws(TokenRefusal) -> Ticket {
        let refusal = TokenRefusal("the ticket is not valid here, or too old")
        let identity: Identity
        let verifier = keys.withLock { $0.verifier }
        do throws(TokenRefusal) { identity = try await verifier.verify(ticket, now: now) } catch { throw refusal }
        // It was verified: there is one text for each signature.
        guard let signature = ticket.split(separator: ".").last else { throw refusal }
        return Ticket(identity: identity, signature: String(signature))
    }

    /// Takes a ticket, which is then used.
    /// - Parameter now: seconds since 1970.
    func use(_ ticket: Ticket, now: Double) -> UsedTickets.Use {
        used.withLock { $0.use(ticket.signature, of: ticket.identity.subject, at: now) }
    }
}
