import StatexHandlerAPI
import StatexProtocol
import StatexWorkerCore

/// Puts bytes where they last and returns the JSON text of a reference to them.
public typealias ObjectSink = @Sendable ([UInt8]) throws(HandlerError) -> [UInt8]

/// What becomes of a handler's result or error: what a handler says is untrusted, so each length and
/// each text is checked before it may reach the journal.
package struct ResultRules: Sendable {
    private let objectSink: ObjectSink?
    private let largestResultBytes: Int

    package init(objectSink: ObjectSink?, largestResultBytes: Int) {
        self.objectSink = objectSink
        self.largestResultBytes = largestResultBytes
    }

    package func report(_ result: Payload, in attempt: inout EndedAttempt) throws(HandlerError) {
        switch result {
        case .bytes(let bytes):
            guard bytes.count <= largestResultBytes else {
                throw HandlerError(
                    "result_too_large", "the result has \(bytes.count) bytes, the limit is \(largestResultBytes)",
                    retryable: false)
            }
            if bytes.count <= Limits.inlineBytes {
                attempt.body = bytes
            } else {
                try report(reference: try store(bytes), in: &attempt)
            }
        case .object(let reference):
            try report(reference: reference, in: &attempt)
        }
    }

    private func store(_ bytes: [UInt8]) throws(HandlerError) -> [UInt8] {
        guard let objectSink else {
            throw HandlerError(
                "result_too_large",
                "the result has \(bytes.count) bytes, inline go \(Limits.inlineBytes), and this worker has no object folder",
                retryable: false)
        }
        return try objectSink(bytes)
    }

    private func report(reference: [UInt8], in attempt: inout EndedAttempt) throws(HandlerError) {
        guard !reference.isEmpty, reference.count <= Limits.referenceBytes else {
            throw HandlerError(
                "bad_reference",
                "the result's object reference has \(reference.count) bytes, it takes 1 to \(Limits.referenceBytes)",
                retryable: false)
        }
        attempt.encoding = Encoding.object.rawValue
        attempt.body = reference
    }

    package func report(_ error: any Error, in attempt: inout EndedAttempt) {
        let error = error as? HandlerError ?? HandlerError("error", "\(error)")
        let text = ErrorText(Self.errorClass(error.errorClass), Self.text(error.message, Limits.errorMessageBytes))
        var buffer = ByteBuffer(capacity: text.length)
        text.write(to: &buffer)
        attempt.ending = .failed
        attempt.encoding = Encoding.bytes.rawValue
        attempt.retryable = error.retryable
        attempt.retryAfterMilliseconds = UInt32(clamping: error.retryAfterMilliseconds ?? 0)
        attempt.body = buffer.array()
    }

    static func errorClass(_ name: String) -> String {
        let allowed = name.utf8.prefix(Limits.errorClassBytes).map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                byte
            default: UInt8(ascii: "_")
            }
        }
        return allowed.isEmpty ? "error" : String(decoding: allowed, as: UTF8.self)
    }

    /// Text as Postgres takes it: no NUL, and cut to so many bytes of UTF-8 between two characters.
    package static func text(_ text: String, _ limit: Int) -> String {
        var result = String.UnicodeScalarView()
        var length = 0
        for scalar in text.unicodeScalars {
            let scalar = scalar.value == 0 ? "\u{FFFD}" : scalar
            length += UTF8.width(scalar)
            guard length <= limit else { break }
            result.append(scalar)
        }
        return String(result)
    }
}
