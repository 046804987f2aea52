import StatexClient
import StatexProtocol
import StatexWebhooks

/// What became of a delivery that was to be submitted.
enum WebhookFate: Equatable {
    /// Its job is durable.
    case submitted
    /// It is to be submitted again.
    case open
    /// No job will be made of it, and why.
    case givenUp(String)

    init(_ answer: Swift.Result<RequestHandle, ClientError>) {
        switch answer {
        case .success: self = .submitted
        case .failure(let error): self.init(error)
        }
    }

    init(_ error: ClientError) {
        switch error {
        case .busy, .unreachable, .unsent, .closed, .cancelled, .object, .unknown: self = .open
        // Under its key is something else: of a gateway that made it in other words, or of somebody who has the secret.
        case .keyConflict(let reason), .invalid(let reason), .refused(_, let reason): self = .givenUp(reason)
        }
    }
}

extension WebhookOutbox.Waiting {
    /// The same however often it is made, as long as the newest secret is.
    func request(by secrets: WebhookSecrets) -> Request {
        var job = JobSpec(kind: WebhookDelivery.kind, payload: .bytes(delivery.payload(sealedBy: secrets)))
        job.traceparent = trace
        return Request([job], tenant: tenant, key: delivery.key(by: secrets))
    }
}
