import StatexPostgres
import StatexReads
import StatexWebhooks

/// Keeps the URLs that requests name, before the requests are submitted.
final class WebhookTargets: Sendable {
    private let settings: WebhookSettings
    private let thread: JournalThreads<WebhookLedger>

    /// - Parameter patience: how long a submit waits for a journal that hangs.
    init(_ settings: WebhookSettings, journalURL: String, patience: Duration = JournalLimits.patience) {
        self.settings = settings
        thread = JournalThreads("webhook urls", threads: 1, patience: patience) { () throws(ReadError) in
            do throws(PostgresError) { return try WebhookLedger(url: journalURL) } catch { throw ReadError(error) }
        }
    }

    func close() { thread.close() }

    /// Checks a URL and keeps it, durably.
    /// - Returns: the tag that names it, for the request's first job.
    func tag(_ text: String, of tenant: String) async throws(Problem) -> String {
        let url: WebhookURL
        do throws(WebhookRefusal) {
            url = try WebhookURL(text)
            try settings.rule.check(url)
        } catch {
            throw .field("webhook", error.description)
        }
        guard let signer = settings.signer(of: tenant) else {
            throw .field(
                "webhook",
                "cannot be signed: tenant \(tenant) has no secret for URLs that requests name; an operator gives it one (webhooks in config/statex.yaml)"
            )
        }
        do throws(WebhookSecretError) { _ = try signer.readSecrets() } catch {
            throw .unavailable("the secret of tenant \(tenant) cannot be read", code: "webhook_secret")
        }
        let name = WebhookDelivery.targetName(tenant, url.text)
        do throws(ReadError) {
            try await thread.ask { ledger, _ throws(ReadError) in
                do throws(PostgresError) { try Self.write(name, tenant, url.text, ledger) } catch {
                    throw ReadError(error)
                }
            }
        } catch {
            throw Problem(error)
        }
        return WebhookLedger.Target.tagPrefix + name
    }

    private static func write(
        _ name: String, _ tenant: String, _ url: String, _ ledger: borrowing WebhookLedger
    ) throws(PostgresError) {
        // The relay must not begin behind the request that is submitted next.
        guard try ledger.cursor() != nil else {
            throw PostgresError(doing: "webhooks", state: nil, message: "there is no journal yet")
        }
        try ledger.remember(name, tenant: tenant, url: url)
    }
}
