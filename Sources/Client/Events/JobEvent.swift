/// What happened to a request or a job, durably.
public struct JobEvent: Sendable, Equatable {
    /// Its name for ever: the same whether it was heard or read in the journal.
    public var sequence: EventSequence
    public var type: EventType
    /// Of the job, or of the request.
    public var id: JobID
    public var request: JobID
    /// Which job of its request, from 0; nil: a retry by hand, or an event of a request.
    public var index: Int?
    /// Of a request those of its first job.
    public var kind: String
    public var tenant: String
    /// The worker incarnation, as `name/hex`; nil: none had a part in it.
    public var worker: String?
    /// From 1; nil: it ended without one, or an event of a request.
    public var attempt: Int?
    /// How the attempt ended.
    public var ending: Ending?
    /// Of a request: how many jobs it has.
    public var jobs: Int?
    /// Microseconds since 1970.
    public var at: Int64

    public init(
        _ type: EventType, sequence: EventSequence, id: JobID, request: JobID, index: UInt16, kind: String,
        tenant: String, worker: String?, number: UInt16, ending: Ending?, at: Int64
    ) {
        self.type = type
        self.sequence = sequence
        self.id = id
        self.request = request
        self.index = type.isOfRequest || index == EventRecord.retriedByHand ? nil : Int(index)
        self.kind = kind
        self.tenant = tenant
        self.worker = worker
        attempt = type.isOfRequest || number == 0 ? nil : Int(number)
        jobs = type.isOfRequest ? Int(number) : nil
        self.ending = ending
        self.at = at
    }
}

/// What happened to a worker. The journal has none of these: who was not there does not learn it.
public struct WorkerEvent: Sendable, Equatable {
    public var type: EventType
    /// The worker incarnation, as `name/hex`.
    public var worker: String
    public var slots: Int
    /// Microseconds since 1970.
    public var at: Int64
    /// Counted from 1 since the scheduler of this epoch began, so that a gap is seen.
    public var number: UInt64

    public init(_ type: EventType, worker: String, slots: Int, at: Int64, number: UInt64) {
        self.type = type
        self.worker = worker
        self.slots = slots
        self.at = at
        self.number = number
    }
}
