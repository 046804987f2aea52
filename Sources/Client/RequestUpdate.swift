/// What a client that follows a request hears until all of its jobs are final.
public enum RequestUpdate: Sendable, Equatable {
    /// How far a job is: the latest that its handler said.
    case progress(JobProgress)
    /// What a job put out since the last time.
    case output(JobOutput)
    /// All jobs are final: the last one.
    case finished(RequestStatus)
}

/// How far a job is.
public struct JobProgress: Sendable, Equatable {
    public let job: JobID
    /// Which job of its request, from 0.
    public let index: Int
    /// From 1. What an earlier attempt said no longer counts.
    public let attempt: Int
    /// From 0 to 1.
    public let fraction: Double
    public let text: String

    public init(job: JobID, index: Int, attempt: Int, fraction: Double, text: String) {
        self.job = job
        self.index = index
        self.attempt = attempt
        self.fraction = fraction
        self.text = text
    }
}

/// Output of a job that is not done: tokens of a text, or lines of JSON, as its handler puts them out.
public struct JobOutput: Sendable, Equatable {
    public let job: JobID
    /// Which job of its request, from 0.
    public let index: Int
    /// From 1.
    public let attempt: Int
    /// The first of its run. What earlier runs of the job put out no longer counts: this one began anew.
    public let begins: Bool
    public let text: String
    /// Bytes that are missing before `text`: they came before this client followed, or faster than they could be
    /// sent.
    public let leftOut: Int

    public init(job: JobID, index: Int, attempt: Int, begins: Bool, text: String, leftOut: Int = 0) {
        self.job = job
        self.index = index
        self.attempt = attempt
        self.begins = begins
        self.text = text
        self.leftOut = leftOut
    }
}

/// The updates of one request, in order, ending with `finished`. A reader that is slow gets fewer, larger ones.
///
/// Each loop over it follows anew. One task reads it; cancelling that ends the following with
/// `ClientError.cancelled`.
public struct RequestUpdates: AsyncSequence, Sendable {
    public typealias Element = RequestUpdate
    public typealias Failure = ClientError
    /// Gives the next update each time, and nil after the last.
    public typealias Reader = @Sendable () async throws(ClientError) -> RequestUpdate?

    package let open: @Sendable () async throws(ClientError) -> Reader

    /// - Parameter open: begins to follow.
    public init(_ open: @escaping @Sendable () async throws(ClientError) -> Reader) { self.open = open }

    public func makeAsyncIterator() -> Iterator { Iterator(open: open) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let open: @Sendable () async throws(ClientError) -> Reader
        private var reader: Reader?

        fileprivate init(open: @escaping @Sendable () async throws(ClientError) -> Reader) { self.open = open }

        public mutating func next(isolation actor: isolated (any Actor)? = #isolation) async throws(ClientError)
            -> RequestUpdate?
        {
            if let reader { return try await reader() }
            let opened = try await open()
            reader = opened
            return try await opened()
        }
    }
}
