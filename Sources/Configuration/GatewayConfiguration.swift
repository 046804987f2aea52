/// Where the gateway listens, and whom it believes.
package struct GatewayConfiguration: Sendable, Equatable {
    /// nil: `statex up` starts none.
    package var address: ListenAddress?
    /// PEM files; nil: it speaks HTTP without TLS.
    package var certificate: String?
    package var key: String?
    /// nil: a secret of its own in the data directory, for development.
    package var tokens: TokenConfiguration?
    /// The largest JSON body.
    package var bodyLimit: Int

    init(from values: inout ValueReader) {
        let standard = GatewayAddress.at(ListenAddress(host: "127.0.0.1", port: 8420))
        address = values.take("gateway", default: standard, .gatewayAddress).address
        certificate = values.take("gateway_tls_certificate", .path)
        key = values.take("gateway_tls_key", .path)
        if (certificate == nil) != (key == nil) {
            values.refuse(
                certificate == nil ? "gateway_tls_key" : "gateway_tls_certificate",
                "goes with \(certificate == nil ? "gateway_tls_certificate" : "gateway_tls_key"), which is not set")
        }
        bodyLimit = values.take("gateway_body_limit", default: 4 << 20, .bytes(64 << 10...64 << 20))
        tokens = values.takeGroup("gateway_tokens", like: "{secret_file: gateway.key}") {
            TokenConfiguration(from: &$0)
        }
    }
}

/// What bearer tokens must be.
package struct TokenConfiguration: Sendable, Equatable {
    package enum Algorithm: String, Sendable, CaseIterable {
        case hs256 = "HS256"
        case rs256 = "RS256"
        case es256 = "ES256"
    }

    package var algorithm: Algorithm
    /// Holds the secret of HS256, or the public keys of the others.
    package var keyFile: String
    package var issuer: String?
    package var audience: String

    package static let standardAudience = "statex"

    /// nil: the group says nothing.
    init?(from values: inout ValueReader) {
        let named = values.take("algorithm", .choice() as ValueFormat<Algorithm>)
        let secret = values.take("secret_file", .path)
        let keys = values.take("jwks_file", .path)
        issuer = values.take("issuer", .text)
        audience = values.take("audience", default: Self.standardAudience, .text)
        algorithm = named ?? .hs256
        let (file, key, other) =
            algorithm == .hs256 ? (secret, "secret_file", keys) : (keys, "jwks_file", secret)
        if other != nil {
            values.refuse(algorithm == .hs256 ? "jwks_file" : "secret_file", "is not for \(algorithm.rawValue)")
        }
        guard let file else {
            if named != nil { values.refuse("algorithm", "\(algorithm.rawValue) needs \(key), which is not set") }
            return nil
        }
        keyFile = file
    }

    private static let longestSecret = 8 << 10
    private static let longestKeys = 256 << 10

    /// The content of the key file, without the space around it.
    package func readKeys() throws(ConfigurationError) -> String {
        let isSecret = algorithm == .hs256
        return try readSmallFile(
            keyFile, limit: isSecret ? Self.longestSecret : Self.longestKeys,
            for: isSecret ? "gateway_tokens.secret_file" : "gateway_tokens.jwks_file"
        ).trimmed
    }
}

/// A host and a port to listen on.
package struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// A literal address, without brackets.
    package var host: String
    /// 0: a free one.
    package var port: Int

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// An address, or `off`.
enum GatewayAddress: Equatable {
    case at(ListenAddress)
    case off

    var address: ListenAddress? {
        switch self {
        case .at(let address): address
        case .off: nil
        }
    }
}

extension ValueFormat<GatewayAddress> {
    static var gatewayAddress: Self {
        Self(
            text: { text throws(FormatError) in
                if text == "off" { return .off }
                guard let colon = text.lastIndex(of: ":") else { throw FormatError(rule(text)) }
                var host = String(text[..<colon])
                let digits = text[text.index(after: colon)...]
                if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
                guard isLiteralAddress(host), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                    let port = UInt16(digits)
                else { throw FormatError(rule(text)) }
                return .at(ListenAddress(host: host, port: Int(port)))
            }, show: { $0.address?.description ?? "off" })
    }

    private static func rule(_ text: String) -> String {
        "must be a literal address and a port, such as 127.0.0.1:8420, 0.0.0.0:8420 or [::1]:8420, or off; not \(text.shown)"
    }
}
