/// Why the client could not do what it was asked. Never holds a payload.
public enum ClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A field is out of its limit: nothing was sent. Says the field, the limit and what to do.
    case invalid(String)
    /// The user key was used before with another content; nothing was recorded.
    case keyConflict(String)
    /// The scheduler refused it and will refuse it again; nothing was recorded.
    case refused(code: UInt16, String)
    /// The scheduler was busy for as long as the client's patience lasts; nothing was recorded.
    case busy(String)
    /// No scheduler answered for as long as the client's patience lasts. Of a submit: it was sent, and may still
    /// have been recorded, so repeat it with a user key.
    case unreachable(String)
    /// No scheduler was there for as long as the client's patience lasts, so a submit never left; nothing was recorded.
    case unsent(String)
    /// No request or job of this id is known: never submitted, or gone with its retention.
    case unknown(JobID)
    /// The object folder failed, or one is needed and none was given.
    case object(String)
    /// The task that waited was cancelled. What was submitted stays submitted.
    case cancelled
    /// The client was closed.
    case closed

    public var description: String {
        switch self {
        case .invalid(let text), .keyConflict(let text), .busy(let text), .unreachable(let text), .unsent(let text),
            .object(let text):
            text
        case .refused(let code, let text): "\(text) (code \(code))"
        case .unknown(let id): "no request or job \(id) is known: it was never submitted, or its retention is over"
        case .cancelled: "the waiting task was cancelled"
        case .closed: "the client is closed"
        }
    }
}
