import Foundation
import StatexWebhooks
import Testing

@testable import StatexConfiguration

struct WebhookTests {
    @Test func `a webhook has a tenant, a secret and perhaps a URL`() throws {
        let webhooks = try load(
            """
            webhooks:
              one: {tenant: acme, url: "https://h.example.org/x", secret_file: /a, events: [request.failed]}
              two: {tenant: acme, secret_file: /b}
            webhook_allow: [10.0.0.0/8, "fd00::/8"]
            webhook_ports: [443, 8443]
            webhook_timeout_seconds: 2.5
            """
        ).configuration.webhooks
        #expect(webhooks.subscriptions["one"]?.events == [.failed] && webhooks.subscriptions["one"]?.secretFile == "/a")
        #expect(webhooks.subscriptions["two"]?.url == nil && webhooks.subscriptions["two"]?.events.count == 3)
        #expect(webhooks.rule.ports == [443, 8_443] && !webhooks.rule.allowsHTTP && webhooks.timeout == .seconds(2.5))
        #expect(webhooks.rule.addresses.allowed.map(\.description) == ["10.0.0.0/8", "fd00::/8"])
        let flags = try load(flags: ["webhook_allow": "10.0.0.0/8,fd00::/8", "webhook_ports": "443"])
        #expect(flags.configuration.webhooks.rule.addresses.allowed == webhooks.rule.addresses.allowed)
    }

    @Test(arguments: [
        ("webhooks: {a: {tenant: t}}", "webhooks.a.secret_file: must be given"),
        ("webhooks: {a: {secret_file: /s}}", "webhooks.a.tenant: must be given"),
        ("webhooks: {a: {tenant: t, secret_file: /s, url: 'http://h/'}}", "must begin with https://"),
        ("webhooks: {a: {tenant: t, secret_file: /s, url: 'https://10.0.0.1/'}}", "is private"),
        ("webhooks: {a: {tenant: t, secret_file: /s, url: 'https://u:p@h/'}}", "a user or a password"),
        ("webhooks: {a: {tenant: t, secret_file: /s, url: 'https://h:444/'}}", "ports 80, 443"),
        ("webhooks: {a: {tenant: t, secret_file: /s, events: [job.failed]}}", "must be one of"),
        ("webhooks: {a: {tenant: t, secret_file: /s, secret: x}}", "unknown key"),
        ("webhooks: {'a b': {tenant: t, secret_file: /s}}", "the name must be"),
        ("webhooks: {a: {tenant: t, secret_file: /s}, b: {tenant: t, secret_file: /s}}", "has another one without"),
        ("webhook_allow: [10.1.0.0/8]", "must be blocks of addresses"), ("webhook_allow: [localhost]", "blocks"),
        ("webhook_ports: [0]", "must be ports"), ("webhook_ports: [65536]", "must be ports"),
    ])
    func `what is wrong is named`(text: String, problem: String) throws {
        let problems = try problems(text)
        #expect(problems.count == 1 && problems[0].contains(problem), "\(problems)")
    }

    @Test func `secrets are read from their file, and problems do not repeat it`() throws {
        let scratch = try ScratchFolder()
        func webhook(_ text: String) throws -> WebhookConfiguration {
            let file = try scratch.write(text, to: "secret")
            let loaded = try load("webhooks: {a: {tenant: t, secret_file: '\(file)'}}")
            return try #require(loaded.configuration.webhooks.subscriptions["a"])
        }
        _ = try webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").readSecrets()
        do {
            _ = try webhook("hunter2hunter2").readSecrets()
            Issue.record("it was taken")
        } catch let error as WebhookSecretError {
            #expect(error.description.contains("must be whsec_") && !error.description.contains("hunter2"))
        }
        #expect(throws: WebhookSecretError.self) {
            try load("webhooks: {a: {tenant: t, secret_file: /nowhere}}").configuration.webhooks.subscriptions["a"]?
                .readSecrets()
        }
    }

    @Test(arguments: [(0o644, "run: chmod 0600 "), (0o640, "run: chmod 0600 "), (0o622, "others may write there")])
    func `secrets that others may read or write are refused, public keys are not`(
        mode: Int, words: String
    ) throws {
        let scratch = try ScratchFolder()
        let file = try scratch.write("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        let text = "webhooks: {a: {tenant: t, secret_file: '\(file)'}}\ngateway_tokens: {secret_file: '\(file)'}"
        let configuration = try load(text).configuration
        let webhook = try #require(throws: WebhookSecretError.self) {
            try configuration.webhooks.subscriptions["a"]?.readSecrets()
        }
        let tokens = try #require(throws: ConfigurationError.self) { try configuration.gateway.tokens?.readKeys() }
        for problem in [webhook.description, tokens.description] {
            #expect(problem.contains(file + ": ") && problem.contains(words), "\(problem)")
        }
        let keys = try load("gateway_tokens: {algorithm: RS256, jwks_file: '\(file)'}").configuration.gateway.tokens
        #expect(try keys?.readKeys().isEmpty == false)
    }

    @Test func `deliveries are tried for a day and pause nobody, unless the kind says otherwise`() throws {
        let retry = try load("attempts: 2").configuration.retry.ofWebhooks()
        #expect(retry.attempts == 18 && retry.circuit.failures == 0 && retry.quarantine.failures == 0)
        let kinds = try load("kinds: {statex.webhook: {attempts: 3}, other: {}}").configuration.kinds
        #expect(kinds["statex.webhook"]?.retry.attempts == 3 && kinds["statex.webhook"]?.retry.circuit.failures == 0)
        #expect(kinds["statex.webhook"]?.retry.backoffMaximum == .seconds(14_400))
        #expect(kinds["other"]?.retry.attempts == 3 && kinds["other"]?.retry.circuit.failures == 20)
    }
}
