// Delivers webhooks: jobs that the gateway submits. One request to one receiver, with the client of this room, to an
// address that was checked and is the one connected to. Redirects are not followed, and nothing that a receiver says
// but its status is told to anybody.

import Glibc
import StatexHandlerAPI
import StatexProtocol
import StatexThreads
import StatexWebhooks

package struct WebhookHandler: Handler {
    package let kind = WebhookDelivery.kind
    private let settings: DeliverySettings

    package init(_ settings: DeliverySettings) { self.settings = settings }

    /// Blocks the calling thread until the attempt is over.
    package func run(_ job: Job) async throws -> Payload { try attempt(job) }

    func attempt(_ job: Job) throws(HandlerError) -> Payload {
        guard case .bytes(let bytes) = job.payload, let sealed = WebhookDelivery.Sealed(bytes) else {
            throw HandlerError(.payload, "the payload is no delivery: the gateway submits these jobs", retryable: false)
        }
        let delivery = sealed.delivery
        let secrets = try secrets(of: delivery)
        guard sealed.isSealed(by: secrets) else {
            throw HandlerError(
                .payload, "the payload was not made with a secret of webhooks.\(delivery.subscription)",
                retryable: false)
        }
        let url = try checked(delivery.url)
        return try Exchange.stopping(with: job) { stop throws(HandlerError) in
            let exchange = Exchange(job, transport(to: url), ServerAddress(url), stop: stop)
            return try result(try exchange.ask(request(delivery, to: url, signedBy: secrets, trace: job.trace)))
        }
    }

    private func secrets(of delivery: WebhookDelivery) throws(HandlerError) -> WebhookSecrets {
        let found: WebhookSecrets?
        do throws(WebhookSecretError) {
            found = try settings.readSecrets(delivery.subscription)
        } catch {
            throw HandlerError(.key, error.description, retryable: true)
        }
        guard let found else {
            throw HandlerError(.key, "there is no webhooks.\(delivery.subscription) any more", retryable: false)
        }
        return found
    }

    private func checked(_ text: String) throws(HandlerError) -> WebhookURL {
        do throws(WebhookRefusal) {
            let url = try WebhookURL(text)
            try settings.rule.check(url)
            return url
        } catch {
            throw HandlerError(.url, "the url \(error)", retryable: false)
        }
    }

    private func transport(to url: WebhookURL) -> HTTPSettings {
        var transport = HTTPSettings(kind: kind, url: url.text, path: url.target)
        transport.timeoutMilliseconds = settings.timeoutMilliseconds
        transport.connectMilliseconds = settings.timeoutMilliseconds
        transport.authorities = settings.authorities
        transport.readsBody = false
        transport.addresses = {
            [rule = settings.rule, lookUp = settings.lookUp] server, patience throws(TransportFault) in
            // Looked up once: what is checked is what is connected to, whatever the name says a moment later.
            let addresses = try lookUp(server, patience)
            for address in addresses {
                guard let plain = address.plain else { throw .refused("the url leads to an address of another family") }
                do throws(WebhookRefusal) { try rule.check(url, at: plain) } catch {
                    throw .refused("the url \(error)")
                }
            }
            return addresses
        }
        return transport
    }

    private func request(
        _ delivery: WebhookDelivery, to url: WebhookURL, signedBy secrets: WebhookSecrets, trace: TraceContext?
    ) -> [UInt8] {
        let body = Array(delivery.body.utf8)
        let seconds = time(nil)
        var head = """
            POST \(url.target) HTTP/1.1\r
            Host: \(url.authority)\r
            User-Agent: statex\r
            Accept-Encoding: identity\r
            Connection: close\r
            Content-Type: application/json\r
            Content-Length: \(body.count)\r
            webhook-id: \(delivery.id)\r
            webhook-timestamp: \(seconds)\r
            webhook-signature: \(secrets.signature(of: delivery.id, at: seconds, body))\r

            """
        if let trace { head += "traceparent: \(trace)\r\n" }
        head += "\r\n"
        return Array(head.utf8) + body
    }

    private func result(_ response: ResponseParser) throws(HandlerError) -> Payload {
        guard let head = response.head else { throw HandlerError(ResponseFault.cut) }
        guard !(200..<300).contains(head.status) else { return .bytes(Array(#"{"status":\#(head.status)}"#.utf8)) }
        throw HandlerError(refusedBy: head, now: time(nil))
    }
}

extension HandlerError {
    /// A receiver's status other than success. Its words stay untold: they may be those of a service that the one who
    /// named the URL cannot reach.
    fileprivate init(refusedBy head: ResponseHead, now: Int) {
        let status = head.status
        let isRetryable = [408, 425, 429].contains(status) || status >= 500
        let words = (300..<400).contains(status) ? "; redirects are not followed, so name the final URL" : ""
        self.init(
            "http_\(status)", "the receiver answered \(status)\(words)", retryable: isRetryable,
            retryAfterMilliseconds: isRetryable ? retryDelayMilliseconds(head, now: now) : nil)
    }
}

extension SocketAddress {
    /// The address alone, as it stands in `sockaddr_in` and `sockaddr_in6`.
    var plain: IPAddress? {
        switch family {
        case AF_INET where bytes.count >= 8: IPAddress(bytes: Array(bytes[4..<8]))
        case AF_INET6 where bytes.count >= 24: IPAddress(bytes: Array(bytes[8..<24]))
        default: nil
        }
    }
}
