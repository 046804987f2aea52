// The configuration's webhooks, for the rooms that know no configuration.

import StatexConfiguration
import StatexGateway
import StatexHTTPHandler
import StatexProtocol
import StatexWebhooks

extension WebhooksConfiguration {
    /// Before anything depends on them: a secret that cannot be read ends the command.
    func checkSecrets() throws {
        for (name, webhook) in subscriptions.sorted(by: { $0.key < $1.key }) {
            do throws(WebhookSecretError) { _ = try webhook.readSecrets() } catch {
                throw ending(.usage, "webhooks.\(name): \(error)")
            }
        }
    }
}

extension WebhookSettings {
    init(_ configuration: WebhooksConfiguration) {
        self.init(
            configuration.subscriptions.sorted { $0.key < $1.key }.map { WebhookSubscription($0.key, $0.value) },
            rule: configuration.rule)
    }
}

extension WebhookSubscription {
    fileprivate init(_ name: String, _ webhook: WebhookConfiguration) {
        self.init(
            name: name, tenant: webhook.tenant, url: webhook.url, events: Set(webhook.events.map(EventType.init)),
            readSecrets: { () throws(WebhookSecretError) in try webhook.readSecrets() })
    }
}

extension EventType {
    fileprivate init(_ event: WebhookConfiguration.Event) {
        switch event {
        case .completed: self = .requestCompleted
        case .failed: self = .requestFailed
        case .cancelled: self = .requestCancelled
        }
    }
}

extension DeliverySettings {
    init(_ configuration: WebhooksConfiguration) {
        self.init(rule: configuration.rule) { name throws(WebhookSecretError) in
            try configuration.subscriptions[name]?.readSecrets()
        }
        timeoutMilliseconds = Int(configuration.timeout / .milliseconds(1))
        authorities = configuration.authorities
    }
}
