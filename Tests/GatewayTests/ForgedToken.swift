import FoundationEssentials
import JWTKit

@testable import StatexGateway

/// A token of any header and any claims, signed or not: what no library would make.
struct ForgedToken {
    var header = #"{"alg":"HS256","typ":"JWT"}"#
    var claims = ForgedToken.claims()
    /// nil: without a signature.
    var signer: Signer? = .secret(Scene.secret)

    enum Signer {
        case secret([UInt8])
        case ecdsa(ES256PrivateKey)
        case rsa(Insecure.RSA.PrivateKey)

        func sign(_ text: String) async throws -> [UInt8] {
            let keys = JWTKeyCollection()
            switch self {
            case .secret(let secret): await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
            case .ecdsa(let key): await keys.add(ecdsa: key)
            case .rsa(let key): await keys.add(rsa: key, digestAlgorithm: .sha256)
            }
            return try await keys.getKey().sign(Array(text.utf8))
        }
    }

    static let now = 1_800_000_000.0

    /// Good ones, but for what is named; nil takes a claim away.
    static func claims(_ changes: KeyValuePairs<String, String?> = [:]) -> String {
        var claims: [(String, String?)] = [
            ("sub", #""tester""#), ("aud", #""statex""#), ("iss", #""tests""#), ("exp", "1800000060"),
            ("scope", #""read submit""#),
        ]
        for (name, value) in changes {
            claims.removeAll { $0.0 == name }
            claims.append((name, value))
        }
        return "{" + claims.compactMap { claim in claim.1.map { #""\#(claim.0)":\#($0)"# } }.joined(separator: ",")
            + "}"
    }

    func text() async throws -> String {
        let signed = "\(Base64URL.encode(Array(header.utf8))).\(Base64URL.encode(Array(claims.utf8)))"
        guard let signer else { return signed + "." }
        return signed + "." + Base64URL.encode(try await signer.sign(signed))
    }
}
