import StatexProtocol

/// Runs several jobs of its kind in one call, as a model computes several inputs in hardly more time than one.
///
/// The jobs of a call name the same key (`JobSpec.affinity`), or none. They began together and have one slot; each
/// has its own outcome, its own limits and its own cancellation, which the handler looks at or leaves. A job that
/// was begun before comes alone: it may be what ended the call that it was in.
public protocol BatchHandler: Handler {
    /// Jobs in one call, at most: 1 to `Limits.jobsInBatch`.
    var batchSize: Int { get }
    /// How long the first job of a batch waits for others at most, in milliseconds: 0 to
    /// `Limits.batchWaitMilliseconds`.
    var batchWaitMilliseconds: Int { get }

    /// Runs one attempt at each of these jobs.
    /// - Returns: how each ended, in their order.
    /// - Throws: what all of them fail with.
    func run(_ jobs: [Job]) async throws -> [Result<Payload, HandlerError>]
}

extension BatchHandler {
    public func run(_ job: Job) async throws -> Payload {
        guard let result = try await run([job]).first else { throw HandlerError.noOutcome(of: 1, got: 0) }
        return try result.get()
    }
}

extension HandlerError {
    package static func noOutcome(of jobs: Int, got outcomes: Int) -> HandlerError {
        HandlerError("bad_batch", "the handler gave \(outcomes) outcomes for \(jobs) jobs", retryable: false)
    }
}
