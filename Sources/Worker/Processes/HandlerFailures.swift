// The classes of errors that this room gives, and their words. docs/handlers.md lists them.

import StatexHandlerAPI

enum FailureClass: String {
    case start = "handler_start"
    case unavailable = "handler_unavailable"
    case crashed = "handler_crashed"
    case timeout = "handler_timeout"
    case output = "handler_output"
    case payload
    case cancelled
    case revoked
}

extension HandlerError {
    init(_ failure: FailureClass, _ message: String, retryable: Bool = true, retryAfterMilliseconds: Int? = nil) {
        self.init(
            failure.rawValue, cut(message), retryable: retryable, retryAfterMilliseconds: retryAfterMilliseconds)
    }

    /// The attempt was told to stop.
    init(_ reason: Cancellation.Reason, detail: String = "") {
        switch reason {
        case .cancelled: self.init(.cancelled, "cancelled\(detail)", retryable: false)
        case .timeout: self.init(.timeout, "not finished within its time limit\(detail)")
        case .revoked: self.init(.revoked, "the lease is no longer this worker's\(detail)")
        }
    }
}

extension Ending {
    /// What is known of the end, as the beginning of a sentence.
    var sentence: String {
        switch self {
        case .exited(let status): "the handler ended with exit code \(status)"
        case .signalled(let signal):
            "the handler was ended by signal \(signal)\(signalNames[signal].map { " (\($0))" } ?? "")"
        case .stopped: "the handler was stopped"
        case .exceeded(let limit, let detail): "the handler was ended by its limit of \(limit) (\(detail))"
        case .launcherLost: "the handler's launcher ended"
        }
    }
}

private let signalNames = [
    4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM", 24: "SIGXCPU",
    25: "SIGXFSZ", 31: "SIGSYS",
]
