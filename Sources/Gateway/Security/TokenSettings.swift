/// What tokens must be. The algorithm is fixed here: what a token says of itself never chooses how it is checked.
package struct TokenSettings: Sendable {
    package enum Keys: Sendable {
        /// HS256, with a secret of at least 32 bytes.
        case secret([UInt8])
        /// RS256, with the keys of a JWKS document.
        case rsa(jwks: String)
        /// ES256, with the keys of a JWKS document.
        case ecdsa(jwks: String)

        var algorithm: String {
            switch self {
            case .secret: "HS256"
            case .rsa: "RS256"
            case .ecdsa: "ES256"
            }
        }
    }

    package var keys: Keys
    /// Who must have issued them; nil: anybody who has the key.
    package var issuer: String?
    /// For whom they must be.
    package var audience: String

    package init(keys: Keys, issuer: String? = nil, audience: String) {
        self.keys = keys
        self.issuer = issuer
        self.audience = audience
    }
}

/// Why the keys of a configuration cannot be used.
package struct TokenKeyError: Error, Sendable, CustomStringConvertible {
    package let description: String
}

/// Why a token is refused. For its sender: it says which rule was broken, and nothing that helps to break another.
struct TokenRefusal: Error, Sendable, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}
