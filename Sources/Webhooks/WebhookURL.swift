/// Why nothing is sent to a URL. The words follow "url" or the name of a field.
package struct WebhookRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    package let reason: String
    package var description: String { reason }

    package init(_ reason: String) { self.reason = reason }
}

/// Where a webhook goes. Only forms that every reader understands alike: no user, no fragment, no encoded or international
/// host, no numbers for a host but an address as everybody writes it.
package struct WebhookURL: Sendable, Equatable {
    package static let bytes = 2_048

    package let text: String
    package let isSecure: Bool
    /// A name in lower case, or an address, IPv6 without brackets.
    package let host: String
    /// The host, if it is one.
    package let address: IPAddress?
    package let port: UInt16
    /// As the header `Host` has it.
    package let authority: String
    /// Path and query.
    package let target: String

    package init(_ text: String) throws(WebhookRefusal) {
        guard (1...Self.bytes).contains(text.utf8.count) else {
            throw WebhookRefusal("must have 1 to \(Self.bytes) bytes")
        }
        guard text.utf8.allSatisfy(Self.mayStand) else {
            throw WebhookRefusal("must be ASCII without spaces and without \\ ^ ` { | } < > \" #; encode what is not")
        }
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix) else {
            throw WebhookRefusal("must begin with https://")
        }
        isSecure = scheme == "https://"
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest[authority.endIndex...]
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
        guard !authority.contains("@") else { throw WebhookRefusal("must not hold a user or a password") }
        let (host, port) = try Self.split(authority)
        (self.host, address) = try Self.host(host)
        self.port = try port.map(Self.port) ?? (isSecure ? 443 : 80)
        self.authority = authority.lowercased()
        self.text = text
    }

    private static func mayStand(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !"\\^`{|}<>\"#".utf8.contains(byte)
    }

    private static func split(_ authority: Substring) throws(WebhookRefusal) -> (Substring, Substring?) {
        guard authority.hasPrefix("[") else {
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else { throw WebhookRefusal("must have an IPv6 address in brackets") }
            return (parts[0], parts.count == 2 ? parts[1] : nil)
        }
        guard let end = authority.firstIndex(of: "]") else { throw WebhookRefusal("has a bracket without its other") }
        let behind = authority[authority.index(after: end)...]
        guard behind.isEmpty || behind.hasPrefix(":") else {
            throw WebhookRefusal("has something behind the address in brackets")
        }
        return (authority[...end], behind.isEmpty ? nil : behind.dropFirst())
    }

    private static func host(_ text: Substring) throws(WebhookRefusal) -> (String, IPAddress?) {
        if text.hasPrefix("[") {
            let inner = String(text.dropFirst().dropLast())
            guard inner.contains(":"), let address = IPAddress(inner) else {
                throw WebhookRefusal("has something else than an IPv6 address in brackets")
            }
            return (address.description, address)
        }
        if let address = IPAddress(String(text)) { return (address.description, address) }
        let name = text.lowercased()
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard name.utf8.count <= 253, labels.allSatisfy(isLabel) else {
            throw WebhookRefusal("must name a host by letters, digits and hyphens (international names as xn--…)")
        }
        // What other readers take for an address: 127.1, 0x7f.1, 2130706433, 0177.0.0.1.
        guard let last = labels.last, !last.utf8.allSatisfy(isDigit), !last.hasPrefix("0x") else {
            throw WebhookRefusal("has a host of numbers that is no address; write it as four decimal numbers")
        }
        return (name, nil)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isLabel(_ label: Substring) -> Bool {
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
            && label.utf8.allSatisfy { isDigit($0) || (0x61...0x7A).contains($0) || $0 == 0x2D || $0 == 0x5F }
    }

    private static func port(_ text: Substring) throws(WebhookRefusal) -> UInt16 {
        guard text.utf8.count <= 5, text.utf8.allSatisfy(isDigit), let port = UInt16(text), port > 0 else {
            throw WebhookRefusal("has a port that is not 1 to 65535")
        }
        return port
    }
}
