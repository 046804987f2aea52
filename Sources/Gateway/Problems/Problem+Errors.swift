import StatexClient
import StatexObjects
import StatexProtocol
import StatexReads

// What the errors of the rooms below are for an HTTP client.

extension Problem {
    init(_ error: ReadError) {
        switch error {
        case .busy: self = .unavailable(error.description, code: "busy")
        // What Postgres said may name tables: it is for the log.
        case .unreachable(let reason), .failed(let reason):
            self = .unavailable("the journal does not answer", code: "journal_away")
            self.reason = reason
        }
    }

    init(_ error: ClientError) {
        switch error {
        case .invalid(let text): self = .field("jobs", text)
        case .keyConflict(let text): self = .conflict("key_conflict", text)
        case .refused(let code, let text):
            switch WireError.Code(rawValue: code) {
            case .unknown: self = .conflict("unknown", text)
            default: self = .field("request", text)
            }
        case .busy(let text): self = .unavailable(text, code: "busy")
        case .unknown: self = .notFound("request or job")
        case .object: self = .unavailable("the object store failed", code: "objects_away")
        case .unreachable(let reason), .unsent(let reason):
            self = .unavailable("the scheduler does not answer", code: "scheduler_away")
            self.reason = reason
        case .closed, .cancelled: self = .unavailable("the scheduler does not answer", code: "scheduler_away")
        }
    }

    /// Of a submit: one that nobody answered may have been recorded.
    /// - Parameter isKeyed: whether it has an Idempotency-Key. Only then may a client repeat it of its own accord.
    init(submitting error: ClientError, isKeyed: Bool) {
        switch error {
        case .unreachable, .closed, .cancelled:
            let again =
                isKeyed
                ? "send it again with the same Idempotency-Key"
                : "look for it, or send it again if it may run twice; with an Idempotency-Key it never does"
            self = .unavailable(
                "nobody answered whether the request was recorded: \(again)", code: "outcome_unknown",
                seconds: isKeyed ? 1 : nil)
            reason = error.description
        default: self.init(error)
        }
    }

    init(_ error: ObjectError) {
        switch error {
        case .notFound:
            self = Problem(
                status: .notFound, code: "no_object", title: "The object is gone",
                detail: "what was stored is not in the object folders of this gateway")
        default: self = .unavailable("the object store failed", code: "objects_away")
        }
    }
}
