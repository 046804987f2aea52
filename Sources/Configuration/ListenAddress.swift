import Glibc

/// Where HTTP is listened for: a literal address and a port.
package struct ListenAddress: Sendable, Equatable {
    package var host: String
    /// 0: a free one.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension ValueFormat<ListenAddress?> {
    /// `off`, a port (on loopback), or an address and a port. Never a name: that is whatever a resolver says.
    static var listenAddress: Self {
        Self(
            text: { text throws(FormatError) in
                if text == "off" { return nil }
                let parts = text.lastIndex(of: ":").map { (text[..<$0], text[text.index(after: $0)...]) }
                let (host, digits) = parts ?? ("127.0.0.1", text[...])
                guard let host = literal(String(host)), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                    let port = UInt16(digits)
                else {
                    throw FormatError(
                        "must be off, a port of the loopback interface such as 8421 (0: a free one), or a literal "
                            + "address and a port such as 127.0.0.1:8421, [::1]:8421 or 0.0.0.0:8421, not \(text.shown)"
                    )
                }
                return ListenAddress(host: host, port: Int(port))
            }, show: { $0?.text ?? "off" })
    }

    private static func literal(_ host: String) -> String? {
        guard !host.utf8.contains(0) else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") {
            let inner = String(host.dropFirst().dropLast())
            var address = in6_addr()
            return inet_pton(AF_INET6, inner, &address) == 1 ? inner : nil
        }
        var address = in_addr()
        return inet_pton(AF_INET, host, &address) == 1 ? host : nil
    }
}
