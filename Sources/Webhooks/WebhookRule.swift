/// What an operator lets webhooks reach.
package struct WebhookRule: Sendable, Equatable {
    /// Also without TLS.
    package var allowsHTTP = false
    /// To addresses that are allowed by name any port.
    package var ports: Set<UInt16> = [80, 443]
    package var addresses = AddressRule()

    package init() {}

    /// What can be said before a name is looked up.
    package func check(_ url: WebhookURL) throws(WebhookRefusal) {
        guard url.isSecure || allowsHTTP else { throw WebhookRefusal("must begin with https://") }
        if let address = url.address { return try check(url, at: address) }
        // A name may be that of an allowed address.
        guard addresses.allowed.isEmpty else { return }
        try checkPort(url)
    }

    /// Whether it may be sent to this address: the one that is connected to then.
    package func check(_ url: WebhookURL, at address: IPAddress) throws(WebhookRefusal) {
        if let reason = addresses.refusal(of: address) {
            throw WebhookRefusal("leads to an address that \(reason)")
        }
        if !addresses.isAllowedByName(address) { try checkPort(url) }
    }

    private func checkPort(_ url: WebhookURL) throws(WebhookRefusal) {
        guard ports.contains(url.port) else {
            let list = ports.sorted().map(String.init).joined(separator: ", ")
            throw WebhookRefusal("must have one of the ports \(list)")
        }
    }
}
