/// What a service does with Statex. `Client` does it over ZeroMQ; a service that takes
/// `some JobQueue` can be tested without a scheduler.
///
/// An id outlives every process: whoever knows it may await, read or cancel.
public protocol JobQueue: Sendable {
    /// Submits requests, and returns when each is durable or refused: one answer a request, in order.
    func submitEach(_ requests: [Request]) async -> [Result<RequestHandle, ClientError>]

    /// Returns once all jobs of the request are final.
    func result(ofRequest id: JobID) async throws(ClientError) -> RequestStatus
    /// How far the jobs of the request are and what they put out, until all are final.
    func updates(ofRequest id: JobID) -> RequestUpdates
    /// Returns once the job is final.
    func result(ofJob id: JobID) async throws(ClientError) -> JobStatus
    /// How the request stands now.
    func status(ofRequest id: JobID) async throws(ClientError) -> RequestStatus
    /// How the job stands now.
    func status(ofJob id: JobID) async throws(ClientError) -> JobStatus

    /// Orders that the open jobs of the request end as cancelled. Returns when the order is durable.
    /// - Returns: how many open jobs it reached.
    func cancel(request id: JobID) async throws(ClientError) -> Int
    /// - Returns: whether the job was open.
    func cancel(job id: JobID) async throws(ClientError) -> Bool

    /// The bytes of a payload; a reference is followed into the object folder.
    func bytes(of payload: Payload) async throws(ClientError) -> [UInt8]

    /// Why the job waits, if it does: one reason from a closed list.
    func explain(job id: JobID) async throws(ClientError) -> Explanation

    /// The scheduler's own status, as JSON.
    func schedulerStatus() async throws(ClientError) -> String

    /// Ends what is kept open. What waits fails with `ClientError.closed`.
    func close() async
}

extension JobQueue {
    /// Submits one request, and returns when it is durable.
    public func submit(_ request: Request) async throws(ClientError) -> RequestHandle {
        let answers = await submitEach([request])
        guard let answer = answers.first else { throw .closed }
        return try answer.get()
    }

    /// Submits any number of requests, and returns when all are durable.
    /// - Throws: the first refusal. Requests beside it may have been accepted: `submitEach` tells which.
    public func submit(contentsOf requests: [Request]) async throws(ClientError) -> [RequestHandle] {
        var handles: [RequestHandle] = []
        handles.reserveCapacity(requests.count)
        for answer in await submitEach(requests) { handles.append(try answer.get()) }
        return handles
    }
}

/// A request that was acknowledged: durable from now on.
public struct RequestHandle: Sendable {
    public let id: JobID
    public let jobCount: Int
    /// It was submitted before, under the same key or sequence: this is the first one's id.
    public let isRepeated: Bool
    /// It was not taken: another one of its unique key stands in its place, and this is that one's id.
    public let isDuplicate: Bool
    private let queue: any JobQueue

    public init(id: JobID, jobCount: Int, isRepeated: Bool, isDuplicate: Bool = false, queue: any JobQueue) {
        self.id = id
        self.jobCount = jobCount
        self.isRepeated = isRepeated
        self.isDuplicate = isDuplicate
        self.queue = queue
    }

    /// The ids of its jobs, in their order.
    public var jobIDs: [JobID] { (0..<jobCount).map { JobID(rawValue: id.rawValue + UInt64($0)) } }

    /// Returns once all of its jobs are final.
    public func result() async throws(ClientError) -> RequestStatus { try await queue.result(ofRequest: id) }

    /// How far its jobs are and what they put out, until all are final; the last update has their results.
    public var updates: RequestUpdates { queue.updates(ofRequest: id) }

    /// How it stands now.
    public func status() async throws(ClientError) -> RequestStatus { try await queue.status(ofRequest: id) }

    /// Orders that its open jobs end as cancelled, and returns how many they were.
    public func cancel() async throws(ClientError) -> Int { try await queue.cancel(request: id) }
}
