import NIOPosix
import StatexPostgres
import StatexWebhooks
import Synchronization

/// Keeps the URLs that requests name, before the requests are submitted.
final class WebhookTargets: Sendable {
    private let settings: WebhookSettings
    private let journalURL: String
    private let ledger = Mutex<WebhookLedger?>(nil)
    private let thread = NIOThreadPool(numberOfThreads: 1)

    init(_ settings: WebhookSettings, journalURL: String) {
        self.settings = settings
        self.journalURL = journalURL
        thread.start()
    }

    func close() async { try? await thread.shutdownGracefully() }

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
        do {
            try await thread.runIfActive { [self] in try write(name, tenant, url.text) }
        } catch {
            throw .unavailable("the journal does not answer", code: "journal_away")
        }
        return WebhookLedger.Target.tagPrefix + name
    }

    /// Over the connection that is there; over a new one if it was lost.
    private func write(_ name: String, _ tenant: String, _ url: String) throws(PostgresError) {
        try ledger.withLock { held throws(PostgresError) in
            do throws(PostgresError) {
                if held != nil { return try Self.write(name, tenant, url, held) }
            } catch {
                held = nil
                guard error.isConnectionLoss else { throw error }
            }
            held = try WebhookLedger(url: journalURL)
            try Self.write(name, tenant, url, held)
        }
    }

    private static func write(
        _ name: String, _ tenant: String, _ url: String, _ ledger: borrowing WebhookLedger?
    ) throws(PostgresError) {
        // The relay must not begin behind the request that is submitted next.
        guard try ledger?.cursor() != nil else {
            throw PostgresError(doing: "webhooks", state: nil, message: "there is no journal yet")
        }
        try ledger?.remember(name, tenant: tenant, url: url)
    }
}
