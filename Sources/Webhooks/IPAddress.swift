import Glibc

/// An address of IPv4 (4 bytes) or IPv6 (16).
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// - Parameter bytes: 4 or 16.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// Reads a literal: four decimal numbers without leading zeros, or IPv6 without brackets and zone. None of the
    /// shortened, octal or hexadecimal forms of IPv4 that other readers take.
    package init?(_ text: String) {
        guard !text.utf8.contains(0) else { return nil }
        let family = text.utf8.contains(UInt8(ascii: ":")) ? AF_INET6 : AF_INET
        let count = family == AF_INET6 ? 16 : 4
        var isRead = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
            isRead = inet_pton(family, text, buffer.baseAddress) == 1
            written = isRead ? count : 0
        }
        guard isRead else { return nil }
        self.bytes = bytes
    }

    package var isIPv4: Bool { bytes.count == 4 }

    /// The IPv4 address that a socket of IPv6 would connect to (`::ffff:1.2.3.4`).
    package var unmapped: IPAddress {
        let isMapped = bytes.count == 16 && bytes.starts(with: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF])
        return isMapped ? IPAddress(bytes: Array(bytes[12...])) ?? self : self
    }

    package var description: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(isIPv4 ? AF_INET : AF_INET6, bytes, &buffer, socklen_t(buffer.count)) != nil else { return "?" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
