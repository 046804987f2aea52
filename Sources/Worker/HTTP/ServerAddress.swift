import StatexHandlerAPI
import StatexWebhooks

/// Where a server listens: what a URL such as `https://models.internal:8443` says.
struct ServerAddress: Sendable, Equatable {
    let isSecure: Bool
    /// A name or an address; an IPv6 address without its brackets.
    let host: String
    let port: UInt16
    /// As it goes into the `Host` header.
    let authority: String

    init(_ url: WebhookURL) {
        isSecure = url.isSecure
        host = url.host
        port = url.port
        authority = url.authority
    }

    init(url: String) throws(HandlerError) {
        func bad(_ reason: String) -> HandlerError { HandlerError(.url, "url \(reason)", retryable: false) }
        guard let scheme = ["http://", "https://"].first(where: url.hasPrefix) else {
            throw bad("must begin with http:// or https://")
        }
        isSecure = scheme == "https://"
        var rest = url.dropFirst(scheme.count)
        while rest.last == "/" { rest.removeLast() }
        guard rest.utf8.count <= 255, rest.utf8.allSatisfy(Self.mayStand) else {
            throw bad("must be scheme, host and port only, such as http://127.0.0.1:8000")
        }
        let portText: Substring?
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            let after = rest[rest.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else {
                throw bad("has something behind the address in brackets")
            }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else {
            let parts = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = String(parts[0])
            portText = parts.count > 1 ? parts[1] : nil
        }
        guard !host.isEmpty else { throw bad("names no host") }
        if let portText {
            guard let number = UInt16(portText), number > 0 else { throw bad("has a port that is not 1 to 65535") }
            port = number
        } else {
            port = isSecure ? 443 : 80
        }
        authority = String(rest)
    }

    private static func mayStand(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
            true
        default: false
        }
    }
}
