import Testing

@testable import StatexWebhooks

struct SignatureTests {
    @Test func `a signature is that of Standard Webhooks`() throws {
        // The example of the specification's libraries.
        let secrets = try WebhookSecrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
        let signature = secrets.signature(
            of: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: 1_614_265_330, Array(#"{"test": 2432232314}"#.utf8))
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test func `with several secrets there is a signature of each, and each vouches for a delivery`() throws {
        let (old, new) = ("whsec_" + String(repeating: "A", count: 32), "whsec_" + String(repeating: "B", count: 44))
        let both = try WebhookSecrets("\(new)\n\(old)\n")
        let body = Array("{}".utf8)
        let parts = both.signature(of: "a", at: 1, body).split(separator: " ").map(String.init)
        #expect(
            parts == [
                try WebhookSecrets(new).signature(of: "a", at: 1, body),
                try WebhookSecrets(old).signature(of: "a", at: 1, body),
            ])
        let delivery = WebhookDelivery(id: "a", subscription: "s", url: "https://h/", body: "{}")
        for secret in [old, new] {
            let sealed = WebhookDelivery.Sealed(delivery.payload(sealedBy: try WebhookSecrets(secret)))
            #expect(sealed?.delivery == delivery && sealed?.isSealed(by: both) == true)
        }
        let sealed = WebhookDelivery.Sealed(delivery.payload(sealedBy: try WebhookSecrets(new)))
        #expect(sealed?.isSealed(by: try WebhookSecrets(old)) == false)
        #expect("\(both)" == "***")
    }

    @Test(arguments: [
        "", "\n", "secret", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_????", "whsec_QUJD",
        "whsec_" + String(repeating: "A", count: 88), "whsk_" + String(repeating: "A", count: 32),
        (0..<5).map { _ in "whsec_" + String(repeating: "A", count: 32) }.joined(separator: "\n"),
    ])
    func `what is no secret of 24 to 64 bytes is refused, and not repeated`(text: String) {
        do {
            _ = try WebhookSecrets(text)
            Issue.record("\(text) was taken")
        } catch {
            #expect(text.count < 7 || !error.description.contains(text))
        }
    }

    @Test func `a job's key follows from its id and the newest secret, and is not known without it`() throws {
        let (old, new) = ("whsec_" + String(repeating: "A", count: 32), "whsec_" + String(repeating: "B", count: 44))
        func key(_ id: String, _ secrets: String) throws -> String {
            WebhookDelivery(id: id, subscription: "s", url: "https://h/", body: "{}").key(
                by: try WebhookSecrets(secrets))
        }
        let one = try key("5f-1-2", new)
        #expect(try one == key("5f-1-2", "\(new)\n\(old)"))
        #expect(
            one.utf8.count == 64 && one.utf8.allSatisfy("0123456789abcdef".utf8.contains) && !one.contains("5f-1-2"))
        #expect(try Set([one, key("5f-1-3", new), key("5f-1-2", old)]).count == 3)
    }

    @Test func `an id follows from the event and the receiver alone`() {
        let id = WebhookDelivery.id(of: "5f-1-2", to: "acme", "https://h/")
        #expect(id == WebhookDelivery.id(of: "5f-1-2", to: "acme", "https://h/"))
        let others = [
            WebhookDelivery.id(of: "5f-1-3", to: "acme", "https://h/"),
            WebhookDelivery.id(of: "5f-1-2", to: "other", "https://h/"),
            WebhookDelivery.id(of: "5f-1-2", to: "acme", "https://h/x"),
        ]
        #expect(!others.contains(id) && Set(others).count == 3 && id.hasPrefix("5f-1-2-"))
    }
}
