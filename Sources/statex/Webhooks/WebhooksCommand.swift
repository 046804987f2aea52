import ArgumentParser
import Foundation
import StatexConfiguration
import StatexEvents
import StatexHTTPHandler
import StatexHandlerAPI
import StatexProtocol
import StatexReads
import StatexWebhooks

struct WebhooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhooks", abstract: "List who is told when requests end, or try one of them.",
        discussion: """
            Subscriptions stand in the configuration (webhooks in config/statex.yaml). Deliveries are jobs: statex jobs, \
            dead and retry take --kind \(WebhookDelivery.kind).
            """, subcommands: [WebhookList.self, WebhookTest.self], defaultSubcommand: WebhookList.self)
}

struct WebhookList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the subscriptions, whether their secrets can be read here, and how far the relay is.",
        discussion: "Exits 4 when the database was not there.")

    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var journal: JournalOptions

    func run() async throws {
        let loaded = try journal.load()
        let behind = try journal.read(loaded, as: "webhooks") { (reader) throws(ReadError) in
            try reader.webhooksBehind()
        }
        let webhooks = loaded.configuration.webhooks.subscriptions.sorted { $0.key < $1.key }
        print(json ? Self.json(webhooks, behind) : Self.table(webhooks, behind))
    }

    private static func json(_ webhooks: [(key: String, value: WebhookConfiguration)], _ behind: Int?) -> String {
        var text = JSONText()
        text.object {
            $0.array("webhooks", webhooks) { webhook, text in
                text.object {
                    $0.member("name", webhook.key)
                    $0.member("tenant", webhook.value.tenant)
                    $0.member("url", orNull: webhook.value.url)
                    $0.strings("events", webhook.value.events.map(\.rawValue))
                    $0.member("trouble", orNull: webhook.value.trouble)
                }
            }
            if let behind { $0.member("commits_behind", behind) } else { $0.raw("\"commits_behind\":null") }
        }
        return String(decoding: text.bytes, as: UTF8.self)
    }

    private static func table(_ webhooks: [(key: String, value: WebhookConfiguration)], _ behind: Int?) -> String {
        guard !webhooks.isEmpty else { return "no webhooks" }
        var table = TextTable("NAME", "TENANT", "URL", "EVENTS", "SECRET")
        for (name, webhook) in webhooks {
            let isAll = webhook.events.count == WebhookConfiguration.Event.allCases.count
            table.add([
                name, webhook.tenant, webhook.url ?? "what requests name",
                isAll ? "all" : webhook.events.map(\.rawValue).joined(separator: ", "), webhook.trouble ?? "is there",
            ])
        }
        let relay = behind.map { "the relay is \($0) commits behind" } ?? "no relay has begun: start a gateway"
        return (table.lines + [relay]).joined(separator: "\n")
    }
}

struct WebhookTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Send one receiver a message of type webhook.test from here, now and once.",
        discussion: """
            It is signed, checked and sent as every delivery, by this process: run it where the workers are. Exits 1 \
            when it was not delivered, and says why.
            """)

    @Argument(help: "The subscription.") var name: String
    @Option(help: "Where to, in place of the subscription's own URL.") var url: String?
    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let webhooks = try options.load().configuration.webhooks
        guard let webhook = webhooks.subscriptions[name] else {
            let known = webhooks.subscriptions.keys.sorted().joined(separator: ", ")
            throw ending(.usage, "there is no webhook \(name); there are: \(known)")
        }
        guard let url = url ?? webhook.url else {
            throw ending(.usage, "webhooks.\(name) has no url, requests name theirs; give --url")
        }
        let payload: [UInt8]
        do throws(WebhookSecretError) {
            payload = message(to: url, webhook.tenant).payload(sealedBy: try webhook.readSecrets())
        } catch {
            throw ending(.failed, "webhooks.\(name): \(error)")
        }
        let job = Job(id: JobID(rawValue: 1), kind: WebhookDelivery.kind, attempt: 1, payload: .bytes(payload))
        do {
            _ = try await WebhookHandler(DeliverySettings(webhooks)).run(job)
            print("delivered to \(printable(url))")
        } catch let error as HandlerError {
            throw ending(.failed, "not delivered: \(error.message) (\(error.errorClass))")
        }
    }

    private func message(to url: String, _ tenant: String) -> WebhookDelivery {
        var text = JSONText()
        text.object {
            $0.member("type", "webhook.test")
            $0.member("timestamp", timeText(Int64(Date().timeIntervalSince1970 * 1_000_000)))
            $0.object("data") { $0.member("tenant", tenant) }
        }
        return WebhookDelivery(
            id: "test-\(String(UInt64.random(in: .min ... .max), radix: 16))", subscription: name, url: url,
            body: String(decoding: text.bytes, as: UTF8.self))
    }
}

extension WebhookConfiguration {
    /// Why its secret cannot be used; nil: it can.
    var trouble: String? {
        do throws(WebhookSecretError) { _ = try readSecrets() } catch { return error.description }
        return nil
    }
}
