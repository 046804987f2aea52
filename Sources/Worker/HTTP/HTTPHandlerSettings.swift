import Foundation
import StatexHandlerAPI

/// Which server, which endpoint, and how much of it.
package struct HTTPHandlerSettings: Sendable {
    package struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// `http://host:port` or `https://…`, without the path.
    package var url: String
    /// Such as `/v1/chat/completions`. A path that ends in `/audio/transcriptions` gets the payload as audio in
    /// a form; every other one gets it as JSON.
    package var path: String
    /// Sent as a bearer token; never in a log or an error.
    package var key: String?
    /// From the start of a request to the end of its answer, in seconds.
    package var timeout = 120.0
    /// Until a connection stands and the request leaves, in seconds.
    package var connectTimeout = 10.0
    /// An answer above it is a failure.
    package var largestResponseBytes = 16 << 20
    /// Fields of the form for audio: `model`, `language`, `response_format` and the like.
    package var fields: [String: String] = [:]
    /// Reads the content of an object reference.
    package var objectSource: (@Sendable ([UInt8]) throws(HandlerError) -> [UInt8])?

    package init(url: String, path: String) {
        self.url = url
        self.path = path
    }

    var sendsAudio: Bool { path.hasSuffix("/audio/transcriptions") }

    func endpoint() throws(Problem) -> URL {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), parts.host?.isEmpty == false
        else { throw Problem(description: "url is not one such as http://127.0.0.1:8080") }
        guard parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil else {
            throw Problem(
                description: "url holds a user, a query or a fragment; give host and port alone, and the key apart")
        }
        guard path.hasPrefix("/"), let endpoint = URL(string: url.trimmingSuffix("/") + path) else {
            throw Problem(description: "path is not one such as /v1/chat/completions")
        }
        guard key.map({ $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } }) ?? true else {
            throw Problem(description: "the key holds a character that a header cannot")
        }
        guard fields.allSatisfy({ Self.fitsForm($0.key) && !$0.value.utf8.contains(0) }) else {
            throw Problem(description: "a form field's name takes letters, digits, _ and -")
        }
        guard timeout > 0, connectTimeout > 0, largestResponseBytes > 0 else {
            throw Problem(description: "timeouts and the largest answer must be above 0")
        }
        return endpoint
    }

    private static func fitsForm(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
            }
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
