// What is between an event and the request that tells of it: pure, without files, clocks and sockets.
//
// The gateway makes deliveries of events and submits each as a job; a worker reads it, checks that it is one of the
// gateway's, and sends it. docs/webhooks.md says what receivers see, docs/decisions/0014 why it is so.

import Crypto
import StatexProtocol

/// One message to one receiver.
package struct WebhookDelivery: Sendable, Equatable {
    /// Of the jobs that deliver. Names that begin so are Statex' own.
    package static let kind = "statex.webhook"
    package static let reservedPrefix = "statex."

    /// The same however often it is sent: receivers tell repeats by it.
    package var id: String
    /// Whose secret signs it.
    package var subscription: String
    package var url: String
    /// The JSON that is sent.
    package var body: String

    package init(id: String, subscription: String, url: String, body: String) {
        self.id = id
        self.subscription = subscription
        self.url = url
        self.body = body
    }

    /// The id of a message about an event: of the event, for ever the same, and of who is told.
    package static func id(of sequence: String, to subscription: String, _ url: String) -> String {
        "\(sequence)-\(digest("\(subscription)\n\(url)").prefix(16))"
    }

    /// Names a URL of a tenant.
    package static func targetName(_ tenant: String, _ url: String) -> String {
        String(digest("\(tenant)\n\(url)").prefix(32))
    }

    /// What its job is submitted under. A tenant's submitters have keys of the same space, and ids can be foretold: who took
    /// this key first would have the message suppressed. So it is not known without the secret.
    package func key(by secrets: WebhookSecrets) -> String { Self.hex(secrets.key(of: id)) }

    private static func digest(_ text: String) -> String { hex(SHA256.hash(data: Array(text.utf8))) }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.utf8.count == 2 ? digits : "0" + digits
        }.joined()
    }

    // MARK: The payload of its job

    /// It never holds the secret, but a seal made with it: who may submit jobs cannot have something signed.
    package func payload(sealedBy secrets: WebhookSecrets) -> [UInt8] {
        var text = JSONText()
        text.object {
            $0.member("id", id)
            $0.member("subscription", subscription)
            $0.member("url", url)
            $0.member("body", body)
            $0.member("seal", secrets.seal(sealed))
        }
        return text.bytes
    }

    /// Read from a payload, and not believed yet.
    package struct Sealed: Sendable {
        package let delivery: WebhookDelivery
        private let seal: String

        package init?(_ payload: [UInt8]) {
            guard let object = try? JSONObject(payload), let id = object.string("id"),
                let subscription = object.string("subscription"), let url = object.string("url"),
                let body = object.string("body"), let seal = object.string("seal"), Self.isID(id)
            else { return nil }
            delivery = WebhookDelivery(id: id, subscription: subscription, url: url, body: body)
            self.seal = seal
        }

        package func isSealed(by secrets: WebhookSecrets) -> Bool { secrets.isSeal(seal, of: delivery.sealed) }

        /// It stands in a header.
        private static func isID(_ text: String) -> Bool {
            (1...128).contains(text.utf8.count)
                && text.utf8.allSatisfy {
                    (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "-")
                }
        }
    }

    /// None of the parts before the body has a line end.
    private var sealed: [UInt8] { Array("\(id)\n\(subscription)\n\(url)\n\(body)".utf8) }
}
