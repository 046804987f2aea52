import FoundationEssentials
import JWTKit
import StatexProtocol

/// Checks bearer tokens (JWT, RFC 8725): jwt-kit does the cryptography; what is around it is decided here, before and
/// after, from bytes that were read strictly.
struct TokenVerifier: Sendable {
    /// A token with three claims has 250 bytes; roles of an identity provider make some of them large.
    static let longest = 8 << 10
    /// How far clocks may be apart.
    static let skew: Double = 30
    /// Claims that are names, in bytes.
    private static let nameBytes = 100

    private let settings: TokenSettings
    private let keys: JWTKeyCollection
    /// The keys of a JWKS document by their names; empty: there is one secret, which has none.
    private let names: Set<String>

    init(_ settings: TokenSettings) async throws(TokenKeyError) {
        self.settings = settings
        let keys = JWTKeyCollection()
        self.keys = keys
        switch settings.keys {
        case .secret(let secret):
            guard secret.count >= 32 else {
                throw TokenKeyError(
                    description:
                        "the secret has \(secret.count) bytes, HS256 needs at least 32; openssl rand -hex 32 makes one")
            }
            await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
            names = []
        case .rsa(let document): names = try await Self.add(document, to: keys, type: .rsa, .rs256)
        case .ecdsa(let document): names = try await Self.add(document, to: keys, type: .ecdsa, .es256)
        }
    }

    private static func add(
        _ document: String, to keys: JWTKeyCollection, type: JWK.KeyType, _ algorithm: JWK.Algorithm
    ) async throws(TokenKeyError) -> Set<String> {
        func refuse(_ reason: String) -> TokenKeyError { TokenKeyError(description: "the JWKS file \(reason)") }
        guard let set = try? JSONDecoder().decode(JWKS.self, from: Data(document.utf8)) else {
            throw refuse("is no JSON Web Key Set with RSA or EC keys")
        }
        guard !set.keys.isEmpty else { throw refuse("has no key") }
        var names: Set<String> = []
        for key in set.keys {
            guard let name = key.keyIdentifier?.string, !name.isEmpty, names.insert(name).inserted else {
                throw refuse("has a key without a kid, or two with the same")
            }
            guard key.keyType == type, key.algorithm == nil || key.algorithm == algorithm else {
                throw refuse("has a key \(name) that is not for \(algorithm.rawValue): a set has keys of one algorithm")
            }
            guard key.privateExponent == nil else { throw refuse("holds the private part of \(name): remove it") }
            var key = key
            key.algorithm = algorithm
            do { try await keys.add(jwk: key) } catch { throw refuse("has a key \(name) that cannot be used") }
            // Whether its numbers are a key is only seen when a signer is made of it.
            do { _ = try await keys.getKey(for: JWKIdentifier(string: name), alg: algorithm.rawValue) } catch {
                throw refuse("has a key \(name) that cannot be used: too short, or no key")
            }
        }
        return names
    }

    /// - Parameter now: seconds since 1970.
    func verify(_ token: String, now: Double) async throws(TokenRefusal) -> Identity {
        guard token.utf8.count <= Self.longest else {
            throw TokenRefusal("the token is longer than \(Self.longest) bytes")
        }
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.object(parts[0]), let claims = Self.object(parts[1]),
            Base64URL.decode(parts[2]) != nil
        else {
            throw TokenRefusal("the token is no JWT")
        }
        try check(header)
        do {
            _ = try await keys.verify(token, as: SignatureOnly.self)
        } catch {
            throw TokenRefusal("the token's signature does not hold")
        }
        return try identity(claims, now: now)
    }

    /// A part is base64url of one JSON object, without a name twice.
    private static func object(_ part: Substring.UTF8View) -> JSONObject? {
        Base64URL.decode(part).flatMap { try? JSONObject($0) }
    }

    private func check(_ header: JSONObject) throws(TokenRefusal) {
        guard header.string("alg") == settings.keys.algorithm else {
            throw TokenRefusal("the token is not signed with \(settings.keys.algorithm)")
        }
        if header.member("typ") != nil {
            guard let type = header.string("typ")?.lowercased(), ["jwt", "at+jwt"].contains(type) else {
                throw TokenRefusal("the token's typ is not JWT")
            }
        }
        // Whoever uses it must be refused by whoever does not know it.
        guard header.member("crit") == nil else { throw TokenRefusal("the token has critical headers") }
        guard !names.isEmpty else { return }
        // Other ways to name a key (jku, jwk, x5u, …) are never looked at.
        guard let name = header.string("kid"), names.contains(name) else {
            throw TokenRefusal("the token names no key that is known here")
        }
    }

    private func identity(_ claims: JSONObject, now: Double) throws(TokenRefusal) -> Identity {
        guard let expiry = claims.number("exp") else { throw TokenRefusal("the token has no expiry (exp)") }
        guard now < expiry + Self.skew else { throw TokenRefusal("the token has expired") }
        for name in ["nbf", "iat"] where claims.member(name) != nil {
            guard let time = claims.number(name), now >= time - Self.skew else {
                throw TokenRefusal("the token is not valid yet (\(name))")
            }
        }
        let audiences = claims.string("aud").map { [$0] } ?? claims.strings("aud") ?? []
        guard audiences.contains(settings.audience) else {
            throw TokenRefusal("the token is for another audience (aud)")
        }
        if let issuer = settings.issuer, claims.string("iss") != issuer {
            throw TokenRefusal("the token is of another issuer (iss)")
        }
        guard let subject = claims.string("sub"), (1...Self.nameBytes).contains(subject.utf8.count) else {
            throw TokenRefusal("the token's subject (sub) is missing, or longer than \(Self.nameBytes) bytes")
        }
        var tenant: String?
        if claims.member("tenant") != nil {
            guard let named = claims.string("tenant"), (1...Limits.nameBytes).contains(named.utf8.count) else {
                throw TokenRefusal("the token's tenant is no name of 1 to \(Limits.nameBytes) bytes")
            }
            tenant = named
        }
        guard let words = claims.string("scope") else { throw TokenRefusal("the token has no scope") }
        // Others are for other services.
        let scopes = Set(words.split(separator: " ").compactMap { Scope(rawValue: String($0)) })
        return Identity(subject: subject, scopes: scopes, tenant: tenant)
    }
}

/// The claims are read elsewhere, strictly.
private struct SignatureOnly: JWTPayload {
    func verify(using algorithm: some JWTAlgorithm) {}
}
