// Who may speak to a scheduler over TCP, and what: keys, the list of those that are allowed, and which role may send
// which message. Nothing here opens a socket; the files of keys are read and written here alone.

/// What is wrong with a key, a file of keys or an argument, and what to do. Never holds a secret.
package struct KeyError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// A public key of CURVE, as ZeroMQ writes it: 40 characters of Z85.
package struct CurveKey: Sendable, Hashable, CustomStringConvertible {
    package let text: String

    package init?(_ text: some StringProtocol) {
        guard isCurveKey(text) else { return nil }
        self.text = String(text)
    }

    package var description: String { text }
}

/// A secret key. It shows itself nowhere but in the file that it is written to, and to the socket.
package struct SecretKey: Sendable, CustomStringConvertible {
    package let text: String

    package init?(_ text: some StringProtocol) {
        guard isCurveKey(text) else { return nil }
        self.text = String(text)
    }

    package var description: String { "(secret)" }
}

package struct KeyPair: Sendable {
    package let publicKey: CurveKey
    package let secretKey: SecretKey

    package init(publicKey: CurveKey, secretKey: SecretKey) {
        self.publicKey = publicKey
        self.secretKey = secretKey
    }
}

/// Each five characters are a number of 32 bits in base 85.
private func isCurveKey(_ text: some StringProtocol) -> Bool {
    guard text.utf8.count == 40 else { return false }
    var number: UInt64 = 0
    for (place, byte) in text.utf8.enumerated() {
        guard let digit = z85Digits[byte] else { return false }
        number = number * 85 + digit
        guard place % 5 == 4 else { continue }
        guard number <= UInt64(UInt32.max) else { return false }
        number = 0
    }
    return true
}

private let z85Digits: [UInt8: UInt64] = Dictionary(
    uniqueKeysWithValues: "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#".utf8
        .enumerated().map { ($1, UInt64($0)) })
