import StatexProtocol
import StatexWebhooks

/// Who is told by HTTP when requests end.
package struct WebhookSettings: Sendable {
    package var subscriptions: [WebhookSubscription]
    package var rule: WebhookRule

    package init(_ subscriptions: [WebhookSubscription] = [], rule: WebhookRule = WebhookRule()) {
        self.subscriptions = subscriptions
        self.rule = rule
    }

    /// What signs for URLs that requests of a tenant name.
    func signer(of tenant: String) -> WebhookSubscription? {
        subscriptions.first { $0.tenant == tenant && $0.url == nil }
    }
}

package struct WebhookSubscription: Sendable {
    package var name: String
    package var tenant: String
    /// nil: it signs what goes to URLs that requests name.
    package var url: String?
    package var events: Set<EventType>
    /// Read when they are needed, so that new ones count at once.
    package var readSecrets: @Sendable () throws(WebhookSecretError) -> WebhookSecrets

    package init(
        name: String, tenant: String, url: String?, events: Set<EventType>,
        readSecrets: @escaping @Sendable () throws(WebhookSecretError) -> WebhookSecrets
    ) {
        self.name = name
        self.tenant = tenant
        self.url = url
        self.events = events
        self.readSecrets = readSecrets
    }
}
