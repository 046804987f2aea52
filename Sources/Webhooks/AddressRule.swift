/// To which addresses of the network webhooks may go: to what the whole Internet reaches, and to what the operator
/// allows besides.
package struct AddressRule: Sendable, Equatable {
    /// What is allowed although it is refused otherwise.
    package var allowed: [AddressBlock]

    package init(allowed: [AddressBlock] = []) { self.allowed = allowed }

    package func isAllowedByName(_ address: IPAddress) -> Bool {
        allowed.contains { $0.contains(address) || $0.contains(address.unmapped) }
    }

    /// Why nothing may be sent there; nil: it may.
    package func refusal(of address: IPAddress) -> String? {
        isAllowedByName(address) ? nil : Self.standing(of: address.unmapped)
    }

    /// What an address is other than one of the Internet's.
    private static func standing(of address: IPAddress) -> String? {
        if let entry = (address.isIPv4 ? special4 : special6).first(where: { $0.block.contains(address) }) {
            return entry.name
        }
        return address.isIPv4 || global6.contains { $0.contains(address) } ? nil : "is not of the Internet"
    }

    // The special-purpose registries of IANA (RFC 6890 and its updates), and addresses of clouds' metadata.
    private static let special4 = blocks([
        ("is of this network", ["0.0.0.0/8"]),
        ("is private", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]),
        ("is shared inside a provider's network", ["100.64.0.0/10"]),
        ("is loopback", ["127.0.0.0/8"]),
        ("is link-local, as metadata services are", ["169.254.0.0/16"]),
        ("is a metadata service's", ["168.63.129.16/32"]),
        ("is for protocols", ["192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24"]),
        ("is for documentation", ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"]),
        ("is a relay of 6to4", ["192.88.99.0/24"]),
        ("is for measurements", ["198.18.0.0/15"]),
        ("is multicast", ["224.0.0.0/4"]),
        ("is reserved", ["240.0.0.0/4"]),
    ])

    // All of these lie in what is given out as global unicast; what does not is refused as a whole.
    private static let special6 = blocks([
        ("is for protocols, such as Teredo and ORCHID", ["2001::/23"]),
        ("is for documentation", ["2001:db8::/32", "3fff::/20"]),
        ("is of 6to4, which hides an address of IPv4", ["2002::/16"]),
        ("is for protocols", ["2620:4f:8000::/48"]),
        ("is loopback", ["::1/128"]),
        ("is unspecified", ["::/128"]),
        ("hides an address of IPv4", ["::/96", "64:ff9b::/96", "64:ff9b:1::/48"]),
        ("is private", ["fc00::/7"]),
        ("is link-local", ["fe80::/10", "fec0::/10"]),
        ("is multicast", ["ff00::/8"]),
    ])

    private static let global6 = ["2000::/3"].compactMap { AddressBlock($0) }

    private static func blocks(_ list: [(String, [String])]) -> [(name: String, block: AddressBlock)] {
        list.flatMap { name, texts in texts.compactMap { AddressBlock($0) }.map { (name, $0) } }
    }
}
