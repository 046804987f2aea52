/// What an event tells. The names are those of the issue trackers, portals and webhooks that read them.
public enum EventType: UInt8, Sendable, CaseIterable {
    // Of a request.
    case requestCreated = 1
    /// All of its jobs succeeded.
    case requestCompleted = 2
    /// All are final, and at least one is failed, dead or expired.
    case requestFailed = 3
    /// All are final, none of these, and at least one was cancelled.
    case requestCancelled = 4
    // Of a job.
    /// A worker has the right to run it.
    case jobLeased = 10
    /// An attempt failed or was lost, and the job will be tried again.
    case jobRetried = 11
    // Its final states.
    case jobSucceeded = 20
    case jobFailed = 21
    case jobDead = 22
    case jobCancelled = 23
    case jobExpired = 24
    // Of a worker incarnation; the journal has none of these.
    case workerJoined = 30
    /// It said goodbye.
    case workerLeft = 31
    /// It was not heard for its lease time, or its connection closed and it did not return.
    case workerLost = 32

    public var name: String {
        switch self {
        case .requestCreated: "request.created"
        case .requestCompleted: "request.completed"
        case .requestFailed: "request.failed"
        case .requestCancelled: "request.cancelled"
        case .jobLeased: "job.leased"
        case .jobRetried: "job.retried"
        case .jobSucceeded: "job.succeeded"
        case .jobFailed: "job.failed"
        case .jobDead: "job.dead"
        case .jobCancelled: "job.cancelled"
        case .jobExpired: "job.expired"
        case .workerJoined: "worker.joined"
        case .workerLeft: "worker.left"
        case .workerLost: "worker.lost"
        }
    }

    public var isOfRequest: Bool { rawValue < 10 }
    public var isOfWorker: Bool { rawValue >= 30 }

    /// What a job's final state is told as; nil: it is open.
    public init?(final state: JobState) {
        switch state {
        case .succeeded: self = .jobSucceeded
        case .failed: self = .jobFailed
        case .dead: self = .jobDead
        case .cancelled: self = .jobCancelled
        case .expired: self = .jobExpired
        case .blocked, .delayed, .queued, .leased, .running: return nil
        }
    }
}

/// Names an event for ever, whether it was published or made from the journal: its commit, and which of that
/// commit's events it is.
public struct EventSequence: Hashable, Sendable, CustomStringConvertible {
    public var incarnation: UInt64
    public var batch: UInt64
    public var index: UInt32

    public init(incarnation: UInt64, batch: UInt64, index: UInt32) {
        self.incarnation = incarnation
        self.batch = batch
        self.index = index
    }

    /// Reads what `description` writes; nil also of what no journal reaches, so that there is always a place behind it.
    public init?(_ text: some StringProtocol) { self.init(utf8: Array(text.utf8)[...]) }

    /// The same of its bytes: who hears many has no text of each.
    package init?(utf8: ArraySlice<UInt8>) {
        let parts = utf8.split(separator: UInt8(ascii: "-"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let incarnation = Self.number(parts[0], radix: 16), incarnation != 0,
            let batch = Self.number(parts[1], radix: 10), batch < 1 << 62,
            let index = Self.number(parts[2], radix: 10).flatMap(UInt32.init(exactly:)), index < .max
        else { return nil }
        self.init(incarnation: incarnation, batch: batch, index: index)
    }

    private static func number(_ digits: ArraySlice<UInt8>, radix: UInt64) -> UInt64? {
        var number: UInt64 = 0
        for byte in digits {
            let digit =
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
                case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
                default: UInt64.max
                }
            guard digit < radix else { return nil }
            let (shifted, isTooLarge) = number.multipliedReportingOverflow(by: radix)
            let (sum, isOver) = shifted.addingReportingOverflow(digit)
            guard !isTooLarge, !isOver else { return nil }
            number = sum
        }
        return digits.isEmpty ? nil : number
    }

    public var description: String { "\(String(incarnation, radix: 16))-\(batch)-\(index)" }
}
