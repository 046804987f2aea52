import FoundationEssentials

/// How a job stands, and what came of it.
public struct JobStatus: Sendable, Equatable {
    public let id: JobID
    /// The request that it belongs to, and which of its jobs it is, from 0.
    public let request: JobID
    public let index: Int
    public let kind: String
    public let state: JobState
    /// Attempts begun so far; `losses` of them went with their worker.
    public let attempts: Int
    public let losses: Int
    /// When it became final.
    public let ended: Date?
    /// The result, once it succeeded.
    public let result: Payload?
    /// Why it ended otherwise.
    public let error: ErrorText?

    public init(
        id: JobID, request: JobID, index: Int = 0, kind: String, state: JobState, attempts: Int = 0, losses: Int = 0,
        ended: Date? = nil, result: Payload? = nil, error: ErrorText? = nil
    ) {
        self.id = id
        self.request = request
        self.index = index
        self.kind = kind
        self.state = state
        self.attempts = attempts
        self.losses = losses
        self.ended = ended
        self.result = result
        self.error = error
    }

    /// The result as text, if it is inline and UTF-8.
    public var text: String? {
        guard case .bytes(let bytes) = result else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
}

/// How a request stands: all of its jobs, in their order.
public struct RequestStatus: Sendable, Equatable {
    public let id: JobID
    public let jobs: [JobStatus]

    public init(id: JobID, jobs: [JobStatus]) {
        self.id = id
        self.jobs = jobs
    }

    public var state: RequestState { RequestState(of: jobs.map(\.state)) }
}
