/// The addresses that begin with the same bits, as CIDR writes them: `10.0.0.0/8`.
package struct AddressBlock: Hashable, Sendable, CustomStringConvertible {
    private let first: IPAddress
    private let length: Int

    /// Reads `ADDRESS/LENGTH`, or an address alone. The bits behind the length must be zero: `10.1.0.0/8` is more than
    /// its writer means.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first.flatMap({ IPAddress(String($0)) }) else { return nil }
        let most = first.bytes.count * 8
        var length = most
        if parts.count == 2 {
            guard parts[1].utf8.count <= 3, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(parts[1]), number <= most
            else { return nil }
            length = number
        }
        guard (length..<most).allSatisfy({ !Self.bit($0, of: first) }) else { return nil }
        self.first = first
        self.length = length
    }

    package func contains(_ address: IPAddress) -> Bool {
        guard address.bytes.count == first.bytes.count else { return false }
        let whole = length / 8
        guard address.bytes[..<whole] == first.bytes[..<whole] else { return false }
        return (whole * 8..<length).allSatisfy { Self.bit($0, of: address) == Self.bit($0, of: first) }
    }

    private static func bit(_ index: Int, of address: IPAddress) -> Bool {
        address.bytes[index / 8] & (0x80 >> UInt8(index % 8)) != 0
    }

    package var description: String { "\(first)/\(length)" }
}
