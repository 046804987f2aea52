/// A host and a port where HTTP is listened for.
package struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// A literal address, without brackets.
    package var host: String
    /// 0: a free one.
    package var port: Int

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension ValueFormat<ListenAddress?> {
    /// An address, or `off`. Never a name: that is whatever a resolver says.
    static var listenAddress: Self {
        Self(
            text: { text throws(FormatError) in
                if text == "off" { return nil }
                guard let colon = text.lastIndex(of: ":") else { throw FormatError(rule(text)) }
                var host = String(text[..<colon])
                let digits = text[text.index(after: colon)...]
                let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
                if isBracketed { host = String(host.dropFirst().dropLast()) }
                guard isLiteralAddress(host), isBracketed == host.contains(":"),
                    digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits)
                else { throw FormatError(rule(text)) }
                return ListenAddress(host: host, port: Int(port))
            }, show: { $0?.description ?? "off" })
    }

    private static func rule(_ text: String) -> String {
        "must be a literal address and a port, such as 127.0.0.1:8420, 0.0.0.0:8420 or [::1]:8420, or off; not \(text.shown)"
    }
}
