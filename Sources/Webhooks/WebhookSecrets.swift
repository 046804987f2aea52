import Crypto
import FoundationEssentials

/// Why a text holds no secret; the secret is no part of it.
package struct WebhookSecretError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// The secrets of one subscription, as Standard Webhooks writes them: `whsec_` and base64 of 24 to 64 bytes. Several
/// while one replaces another: each message is signed with all of them.
package struct WebhookSecrets: Sendable, CustomStringConvertible {
    private let keys: [SymmetricKey]

    /// Secrets at once: two suffice for a rotation.
    private static let most = 4
    private static let prefix = "whsec_"
    private static let keyBytes = 24...64

    /// - Parameter text: one a line, the newest first.
    package init(_ text: String) throws(WebhookSecretError) {
        let lines = text.split(whereSeparator: \.isWhitespace)
        guard (1...Self.most).contains(lines.count) else {
            throw WebhookSecretError("must hold 1 to \(Self.most) secrets, one a line, not \(lines.count)")
        }
        var keys: [SymmetricKey] = []
        for line in lines {
            guard line.hasPrefix(Self.prefix), let key = Data(base64Encoded: String(line.dropFirst(Self.prefix.count))),
                Self.keyBytes.contains(key.count)
            else {
                throw WebhookSecretError(
                    "must be whsec_ and base64 of 24 to 64 bytes, as echo \"whsec_$(openssl rand -base64 32)\" makes it"
                )
            }
            keys.append(SymmetricKey(data: key))
        }
        self.keys = keys
    }

    /// The header `webhook-signature` of a message: HMAC-SHA256 of id, time and body, one for each secret.
    package func signature(of id: String, at seconds: Int, _ body: [UInt8]) -> String {
        let signed = Array("\(id).\(seconds).".utf8) + body
        return keys.map { "v1," + Self.code(signed, $0).base64EncodedString() }.joined(separator: " ")
    }

    /// Vouches for a delivery inside of Statex, with the newest secret.
    func seal(_ bytes: [UInt8]) -> String { keys.first.map { Self.code(bytes, $0).base64EncodedString() } ?? "" }

    /// Of a delivery's job, with the secret that seals it: the two change together. No id has a line end, and what is
    /// signed or sealed begins with one, followed by a dot or by three more lines: so this is the code of neither.
    func key(of id: String) -> Data { keys.first.map { Self.code(Array("key\n\(id)".utf8), $0) } ?? Data() }

    func isSeal(_ seal: String, of bytes: [UInt8]) -> Bool {
        guard let code = Data(base64Encoded: seal) else { return false }
        return keys.contains { HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: bytes, using: $0) }
    }

    private static func code(_ bytes: [UInt8], _ key: SymmetricKey) -> Data {
        Data(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
    }

    package var description: String { "***" }
}
