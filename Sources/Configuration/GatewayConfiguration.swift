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
    /// The largest form, with all its files.
    package var uploadLimit: Int
    /// Event streams that a subject may have open at once.
    package var streamsPerSubject: Int
    /// Requests that a subject may make in a second.
    package var requestsPerSecond: Int
    /// What `/v1/scale` answers by: how long a job shall wait, how many workers there are at most, and how long fewer
    /// must be enough before fewer are asked for.
    package var scaleTargetWait: Duration
    package var scaleMostWorkers: Int
    package var scaleHold: Duration

    init(from values: inout ValueReader) {
        let standard = ListenAddress(host: "127.0.0.1", port: 8420)
        address = values.take("gateway", default: standard, .listenAddress)
        certificate = values.take("gateway_tls_certificate", .path)
        key = values.take("gateway_tls_key", .path)
        if (certificate == nil) != (key == nil) {
            values.refuse(
                certificate == nil ? "gateway_tls_key" : "gateway_tls_certificate",
                "goes with \(certificate == nil ? "gateway_tls_certificate" : "gateway_tls_key"), which is not set")
        }
        bodyLimit = values.take("gateway_body_limit", default: 4 << 20, .bytes(64 << 10...64 << 20))
        uploadLimit = values.take("gateway_upload_limit", default: 1 << 30, .bytes(1 << 20...1 << 40))
        streamsPerSubject = values.take("gateway_streams_per_subject", default: 100, .integer(1...10_000))
        requestsPerSecond = values.take("gateway_requests_per_second", default: 1_000, .integer(1...1_000_000))
        scaleTargetWait = values.take("scale_target_wait_seconds", default: .seconds(30), .seconds(0.1...86_400))
        scaleMostWorkers = values.take("scale_max_workers", default: 100, .integer(1...100_000))
        scaleHold = values.take("scale_hold_seconds", default: .seconds(300), .seconds(0...86_400))
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
            for: isSecret ? "gateway_tokens.secret_file" : "gateway_tokens.jwks_file", isSecret: isSecret
        ).trimmed
    }
}
