// The classes of errors that this room gives, and their words. docs/handlers.md lists them.

import StatexHandlerAPI
import StatexProtocol

enum FailureClass: String {
    /// The configured URL is none.
    case url = "http_url"
    /// The key cannot be read.
    case key = "http_key"
    case payload
    case connect = "http_connect"
    /// Nothing may be sent there.
    case address = "http_address"
    case timeout = "http_timeout"
    case broken = "http_broken"
    case response = "http_response"
    case tooLarge = "http_too_large"
    case cancelled
    case revoked
}

extension HandlerError {
    init(_ failure: FailureClass, _ message: String, retryable: Bool) {
        self.init(failure.rawValue, message, retryable: retryable)
    }

    /// The attempt was told to stop.
    init(_ reason: Cancellation.Reason) {
        switch reason {
        case .cancelled: self.init(.cancelled, "cancelled", retryable: false)
        case .timeout: self.init(.timeout, "not finished within its time limit", retryable: true)
        case .revoked: self.init(.revoked, "the lease is no longer this worker's", retryable: true)
        }
    }

    init(_ fault: ResponseFault) {
        switch fault {
        case .malformed(let what):
            self.init(.response, "the server's response is not understood: \(what)", retryable: true)
        case .cut: self.init(.broken, "the response broke off", retryable: true)
        case .tooLarge(let limit):
            self.init(.tooLarge, "the response has more than \(limit) bytes, which is the limit", retryable: false)
        }
    }

    /// A status other than success.
    init(refusedBy response: ResponseParser, head: ResponseHead, key: String?, now: Int) {
        let status = head.status
        // Timeout, conflict, too early, too many requests, and what is the server's own fault; but what it
        // does not implement (501: an endpoint that its model has not) it will not implement soon.
        let isRetryable = [408, 409, 425, 429].contains(status) || (status >= 500 && status != 501)
        let words: String
        if (300..<400).contains(status) {
            words = "the server sends elsewhere (\(status)); redirects are not followed, so name the final URL and path"
        } else {
            let said = serverMessage(response.body) ?? head.reason
            let sentence = cleaned(masked(said, key))
            words = "the server answered \(status)" + (sentence.isEmpty ? "" : ": \(sentence)")
        }
        self.init(
            "http_\(status)", words, retryable: isRetryable,
            retryAfterMilliseconds: isRetryable ? retryDelayMilliseconds(head, now: now) : nil)
    }
}

/// The sentence in an error of the OpenAI API, or of servers that are nearly like it.
private func serverMessage(_ body: [UInt8]) -> String? {
    guard let object = try? JSONObject(body) else { return nil }
    if let error = object.member("error"), error.kind == .object,
        let inner = try? JSONObject(object.text(of: error)), let message = inner.string("message")
    {
        return message
    }
    return object.string("error") ?? object.string("message") ?? object.string("detail")
}

/// One line of at most 1 KiB without control characters.
private func cleaned(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var length = 0
    for scalar in text.unicodeScalars {
        let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
        let scalar = isControl ? " " : scalar
        length += UTF8.width(scalar)
        guard length <= 1 << 10 else { break }
        result.append(scalar)
    }
    return String(result)
}

/// A shorter key is a placeholder such as `EMPTY`, not a secret.
private let shortestSecret = 8

/// `text` without the key, which a server may say back.
private func masked(_ text: String, _ key: String?) -> String {
    guard let key, key.utf8.count >= shortestSecret else { return text }
    return text.replacing(key, with: "***")
}

/// Whether a result would carry the key on.
func repeats(_ key: String?, in bytes: [UInt8]) -> Bool {
    guard let key = key.map({ Array($0.utf8) }), key.count >= shortestSecret, bytes.count >= key.count else {
        return false
    }
    // `firstRange(of:)` took 3 s for 16 MiB; this takes 5 ms.
    return (0...bytes.count - key.count).contains { bytes[$0] == key[0] && bytes[$0...].starts(with: key) }
}
