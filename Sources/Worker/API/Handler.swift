// The public handler API: what the author of a handler sees of Statex, and nothing more.

import StatexProtocol

/// Runs jobs of one kind.
///
/// One value serves all slots of a worker, so a handler is `Sendable`; `run` is called concurrently,
/// once for each busy slot, each time on that slot's own thread. It may block that thread: leases are
/// renewed elsewhere.
public protocol Handler: Sendable {
    /// The kind of jobs that it runs, for instance `"audio"`.
    var kind: String { get }

    /// Runs one attempt at a job.
    /// - Returns: the result, at most 64 KiB inline; the runtime stores a larger one as an object.
    /// - Throws: `HandlerError`; any other error counts as a retryable failure of class `error`.
    func run(_ job: Job) async throws -> Payload

    /// Why this handler cannot run here, or nil. A handler with a reason is not advertised to the
    /// scheduler; the reason is logged and shown in `statex status`.
    func unavailable() async -> String?

    /// Ends what the handler keeps alive between jobs (child processes, connections).
    func close() async
}

extension Handler {
    public func unavailable() async -> String? { nil }
    public func close() async {}
}

/// One attempt at a job, as its handler sees it.
public struct Job: Sendable {
    public let id: JobID
    public let kind: String
    /// Counted from 1.
    public let attempt: Int
    public let payload: Payload
    /// The results that it was to take from other jobs of its request, by rising index of those.
    public let inputs: [JobInput]
    /// How long the attempt may run, in milliseconds; 0: no limit. The runtime cancels it then.
    public let runLimitMilliseconds: Int
    /// Tells when the attempt must stop: cancelled by a user, past its limit, or the lease is gone.
    public let cancellation: Cancellation
    /// The latest checkpoint of the attempts before this one, if there is one: go on from there.
    public let checkpoint: [UInt8]?
    /// The trace that the job belongs to, and the span that the attempt is: pass it on to what the handler asks of
    /// others (as the header `traceparent`), and theirs become spans below it. nil: it belongs to none.
    public let trace: TraceContext?
    /// Takes what the handler says before it is done. A reference and a number, not a closure: making a job then
    /// allocates nothing for the many that say nothing.
    private let listener: (any JobListener)?
    private let number: UInt64

    /// - Parameters:
    ///   - listener: takes what the handler says before it is done; nil: nobody does.
    ///   - number: names the attempt to the listener.
    public init(
        id: JobID, kind: String, attempt: Int, payload: Payload, inputs: [JobInput] = [],
        runLimitMilliseconds: Int = 0, cancellation: Cancellation = Cancellation(), checkpoint: [UInt8]? = nil,
        trace: TraceContext? = nil, listener: (any JobListener)? = nil, number: UInt64 = 0
    ) {
        self.id = id
        self.kind = kind
        self.attempt = attempt
        self.payload = payload
        self.inputs = inputs
        self.runLimitMilliseconds = runLimitMilliseconds
        self.cancellation = cancellation
        self.checkpoint = checkpoint
        self.trace = trace
        self.listener = listener
        self.number = number
    }

    /// Says how far the attempt is. May be called often, from any thread: who follows the job gets the latest.
    public func report(_ progress: Progress) { listener?.progressed(progress, attempt: number) }

    /// Puts a piece of output out, for who follows the job: tokens of a text, or a line of JSON. Pieces arrive in
    /// order and joined, without those that had no room. The result is not affected.
    public func put(_ piece: String) { listener?.put(piece, attempt: number) }

    /// Hands over what the next attempt needs to go on from here, if this one should not come to its end: at most
    /// `Limits.checkpointBytes`. May be called often: the latest is recorded, every few seconds.
    public func save(checkpoint: [UInt8]) throws(HandlerError) {
        guard checkpoint.count <= Limits.checkpointBytes else {
            throw HandlerError(
                "checkpoint_too_large",
                "the checkpoint has \(checkpoint.count) bytes, the limit is \(Limits.checkpointBytes)", retryable: false
            )
        }
        listener?.saved(checkpoint: checkpoint, attempt: number)
    }
}

/// Takes what handlers say before they are done, from any thread.
public protocol JobListener: AnyObject, Sendable {
    func progressed(_ progress: Progress, attempt: UInt64)
    func put(_ piece: String, attempt: UInt64)
    func saved(checkpoint: [UInt8], attempt: UInt64)
}

/// The result of a job that this one waited for.
public struct JobInput: Sendable, Equatable {
    /// Which job of the request it is, from 0.
    public let job: Int
    /// What its handler returned.
    public let payload: Payload

    public init(job: Int, payload: Payload) {
        self.job = job
        self.payload = payload
    }
}

/// How far an attempt is. For people to look at; it is not recorded.
public struct Progress: Sendable, Equatable {
    /// From 0 to 1.
    public let fraction: Double
    /// At most 4 KiB; may be empty.
    public let text: String

    public init(fraction: Double, text: String = "") {
        self.fraction = fraction
        self.text = text
    }
}

/// What goes into a job and what comes out: bytes, or a reference to an object that holds them.
public enum Payload: Sendable, Equatable {
    case bytes([UInt8])
    /// The JSON text of an `ObjectReference` (module `StatexObjects`), at most 4 KiB.
    case object(reference: [UInt8])
}

/// How an attempt failed, in words that its submitter reads.
public struct HandlerError: Error, Sendable, Equatable {
    /// A short machine-readable class such as `broken_file`; letters, digits, `_`, `.` and `-`, at most 64 bytes.
    public let errorClass: String
    /// For people; valid UTF-8 without NUL; cut to 4 KiB.
    public let message: String
    public let retryable: Bool
    /// The earliest time for the next attempt, in milliseconds from now; nil: the job's backoff decides.
    public let retryAfterMilliseconds: Int?

    public init(_ errorClass: String, _ message: String, retryable: Bool = true, retryAfterMilliseconds: Int? = nil) {
        self.errorClass = errorClass
        self.message = message
        self.retryable = retryable
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }
}
