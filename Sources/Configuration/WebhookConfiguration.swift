import StatexWebhooks

/// Who is told by HTTP when requests end, and where that may go.
package struct WebhooksConfiguration: Sendable, Equatable {
    package var subscriptions: [String: WebhookConfiguration]
    package var rule: WebhookRule
    package var timeout: Duration
    /// The authorities that sign receivers' certificates, instead of the system's.
    package var authorities: String?

    init(from values: inout ValueReader) {
        subscriptions = values.takeGroups("webhooks", names: .kind, like: "acme: {tenant: acme, secret_file: acme.key}")
        { _, group in WebhookConfiguration(from: &group) }
        rule = WebhookRule()
        rule.addresses.allowed = values.take("webhook_allow", default: [], .addressBlocks)
        rule.ports = Set(values.take("webhook_ports", default: [80, 443], .ports))
        rule.allowsHTTP = values.take("webhook_http", default: false, .yesOrNo)
        timeout = values.take("webhook_timeout_seconds", default: .seconds(10), .seconds(0.1...300))
        authorities = values.take("webhook_ca_file", .path)
        check(&values)
    }

    private func check(_ values: inout ValueReader) {
        var signers: Set<String> = []
        for (name, webhook) in subscriptions.sorted(by: { $0.key < $1.key }) {
            if let url = webhook.url {
                do throws(WebhookRefusal) { try rule.check(try WebhookURL(url)) } catch {
                    values.refuse("webhooks.\(name).url", error.description)
                }
            } else if !signers.insert(webhook.tenant).inserted {
                values.refuse("webhooks.\(name).url", "must be given: tenant \(webhook.tenant) has another one without")
            }
        }
    }
}

/// One subscription.
package struct WebhookConfiguration: Sendable, Equatable {
    package enum Event: String, Sendable, CaseIterable {
        case completed = "request.completed"
        case failed = "request.failed"
        case cancelled = "request.cancelled"
    }

    package var tenant: String
    /// nil: it signs what goes to URLs that requests of the tenant name.
    package var url: String?
    package var events: [Event]
    package var secretFile: String

    init(from values: inout ValueReader) {
        tenant = values.require("tenant", empty: "", .name)
        url = values.take("url", .text)
        let names = Event.allCases.map(\.rawValue)
        let wanted = values.take("events", default: names, .list(of: .requestEvent, count: 1...names.count))
        events = Event.allCases.filter { wanted.contains($0.rawValue) }
        secretFile = values.require("secret_file", empty: "", .path)
    }

    private static let longestSecrets = 4 << 10

    /// Read when they are needed, so that new ones count at once.
    package func readSecrets() throws(WebhookSecretError) -> WebhookSecrets {
        let text: String
        do throws(ConfigurationError) {
            text = try readSmallFile(secretFile, limit: Self.longestSecrets, for: "secret_file", isSecret: true)
        } catch {
            throw WebhookSecretError(error.description)
        }
        do throws(WebhookSecretError) { return try WebhookSecrets(text) } catch {
            throw WebhookSecretError("secret_file \(secretFile): \(error)")
        }
    }
}

extension RetryConfiguration {
    /// Of deliveries, where the operator says nothing: they go on for about a day, and one receiver that is down holds
    /// up no other's.
    package func ofWebhooks() -> RetryConfiguration {
        var retry = self
        retry.attempts = 18
        retry.backoff = .seconds(5)
        retry.backoffMaximum = .seconds(14_400)
        retry.budget = 100
        retry.budgetPerSecond = 1_000
        retry.circuit.failures = 0
        retry.quarantine.failures = 0
        return retry
    }
}

extension ValueFormat<String> {
    fileprivate static var requestEvent: Self {
        let format = ValueFormat<WebhookConfiguration.Event>.choice()
        return Self(
            text: { text throws(FormatError) in try format.parse(.text(text), "").rawValue }, show: { $0 })
    }
}

extension ValueFormat<[AddressBlock]> {
    /// In a file a list, elsewhere joined by commas: an IPv6 address has colons.
    fileprivate static var addressBlocks: Self {
        .commaList { text throws(FormatError) in
            guard let block = AddressBlock(text) else {
                throw FormatError("must be blocks of addresses such as 10.0.0.0/8 or fd00::/8, not \(text.shown)")
            }
            return block
        }
    }
}

extension ValueFormat<[UInt16]> {
    fileprivate static var ports: Self {
        .commaList { text throws(FormatError) in
            guard let port = UInt16(text), port > 0, String(port) == text else {
                throw FormatError("must be ports from 1 to 65535, not \(text.shown)")
            }
            return port
        }
    }
}

extension ValueFormat {
    fileprivate static func commaList<Element: Sendable>(
        of element: @escaping (String) throws(FormatError) -> Element
    ) -> ValueFormat<[Element]> where Value == [Element], Element: CustomStringConvertible {
        ValueFormat<[Element]>(
            raw: { raw, _ throws(FormatError) in
                let texts =
                    switch raw {
                    case .list(let texts): texts
                    case .text(let text): text.split(separator: ",").map { String($0).trimmed }
                    }
                guard texts.count <= 64 else { throw FormatError("must have at most 64 entries, not \(texts.count)") }
                var values: [Element] = []
                for text in texts { values.append(try element(text)) }
                return values
            }, show: { $0.map(\.description).joined(separator: ",") })
    }
}
