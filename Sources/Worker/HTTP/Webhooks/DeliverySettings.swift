import StatexWebhooks

/// What an operator says of the delivery of webhooks.
package struct DeliverySettings: Sendable {
    package var rule: WebhookRule
    /// Of one attempt, from the name's look-up to the status.
    package var timeoutMilliseconds = 10_000
    /// A PEM file of the authorities that sign receivers' certificates; nil: the system's.
    package var authorities: String?
    /// Reads a subscription's secrets when they are needed, so that new ones count at once; nil: there is no such one.
    package var readSecrets: @Sendable (_ subscription: String) throws(WebhookSecretError) -> WebhookSecrets?
    /// The addresses of a host.
    var lookUp: @Sendable (ServerAddress, Patience) throws(TransportFault) -> [SocketAddress] = {
        server, patience throws(TransportFault) in try resolve(server, patience)
    }

    package init(
        rule: WebhookRule,
        readSecrets: @escaping @Sendable (String) throws(WebhookSecretError) -> WebhookSecrets?
    ) {
        self.rule = rule
        self.readSecrets = readSecrets
    }
}
