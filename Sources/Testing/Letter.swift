import StatexWorkerCore

/// What the twin's thread is told from elsewhere.
enum Letter: Sendable {
    /// Something lies on the desk of reports.
    case reported
    case ended(slot: Int, EndedAttempt)
    /// Nanoseconds. Answered with false if the twin was stopped.
    case advance(by: Int64, waitsForHandlers: Bool, CheckedContinuation<Bool, Never>)
    /// Nothing runs or moves any more.
    case stop
    /// Nobody is left who could ask for anything.
    case end
}
