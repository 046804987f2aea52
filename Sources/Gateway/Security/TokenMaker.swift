import FoundationEssentials
import JWTKit

/// Makes tokens of a secret: for development, and for services that have no identity provider.
package struct TokenMaker: Sendable {
    package struct Wish: Sendable {
        package var subject: String
        package var scopes: Set<Scope>
        /// nil: of every tenant.
        package var tenant: String?
        package var lifetime: Duration

        package init(subject: String, scopes: Set<Scope>, tenant: String? = nil, lifetime: Duration) {
            self.subject = subject
            self.scopes = scopes
            self.tenant = tenant
            self.lifetime = lifetime
        }
    }

    private let settings: TokenSettings

    package init(_ settings: TokenSettings) { self.settings = settings }

    /// - Parameter id: makes it another than one with the same claims.
    package func token(
        _ wish: Wish, id: UInt64? = nil, now: Date = Date()
    ) async throws(TokenKeyError) -> String {
        guard case .secret(let secret) = settings.keys, secret.count >= 32 else {
            throw TokenKeyError(
                description:
                    "tokens are made of a secret of at least 32 bytes (HS256); whoever has the private keys of the JWKS file makes others"
            )
        }
        let keys = JWTKeyCollection()
        await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        let issued = Int(now.timeIntervalSince1970)
        let claims = Claims(
            sub: wish.subject, aud: settings.audience, exp: issued + Int(wish.lifetime.components.seconds), iat: issued,
            iss: settings.issuer, scope: wish.scopes.map(\.rawValue).sorted().joined(separator: " "),
            tenant: wish.tenant, jti: id.map { String($0, radix: 36) })
        do { return try await keys.sign(claims) } catch {
            throw TokenKeyError(description: "the token could not be signed: \(error)")
        }
    }

    private struct Claims: JWTPayload {
        var sub: String
        var aud: String
        var exp: Int
        var iat: Int
        var iss: String?
        var scope: String
        var tenant: String?
        var jti: String?

        func verify(using algorithm: some JWTAlgorithm) {}
    }
}
