import StatexProtocol
import StatexWebhooks

/// Who is told by HTTP when requests end.
package struct WebhookSettings: Sendable {
    private let ofTenants: [String: [WebhookSubscription]]
    package let rule: WebhookRule

    package init(_ subscriptions: [WebhookSubscription] = [], rule: WebhookRule = WebhookRule()) {
        ofTenants = Dictionary(grouping: subscriptions, by: \.tenant)
        self.rule = rule
    }

    var isEmpty: Bool { ofTenants.isEmpty }

    func subscriptions(of tenant: String) -> [WebhookSubscription] { ofTenants[tenant] ?? [] }

    func subscription(_ name: String, of tenant: String) -> WebhookSubscription? {
        subscriptions(of: tenant).first { $0.name == name }
    }

    /// What signs for URLs that requests of a tenant name.
    func signer(of tenant: String) -> WebhookSubscription? { subscriptions(of: tenant).first { $0.url == nil } }
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
