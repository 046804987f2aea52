// The states of jobs, requests and attempts. The raw values are on the wire and in SQL
// (`config/sql`): they never change their meaning.

/// Where a job stands. `docs/states.md` draws it.
public enum JobState: UInt8, Sendable, CaseIterable {
    // Open states: the job lives in the scheduler's memory.
    /// Waits for other jobs of its request.
    case blocked = 1
    /// Waits for a time: its own `run_at`, or the backoff after a failure.
    case delayed = 2
    /// Waits for a free slot.
    case queued = 3
    /// A worker has the right to run it.
    case leased = 4
    /// A worker has begun to run it.
    case running = 5

    // Final states: the job's one final outcome is in the journal.
    case succeeded = 10
    /// Failed in a way that must not be retried.
    case failed = 11
    /// Its attempts are used up, or it took several workers with it.
    case dead = 12
    case cancelled = 13
    case expired = 14

    @inlinable public var isFinal: Bool { rawValue >= 10 }
    public var name: String { "\(self)" }
}

/// What a request's jobs make of it.
public enum RequestState: UInt8, Sendable, CaseIterable {
    /// At least one job is not final.
    case open = 1
    /// All jobs succeeded.
    case succeeded = 2
    /// All are final, and at least one is failed, dead or expired.
    case failed = 3
    /// All are final, none failed, and at least one was cancelled.
    case cancelled = 4

    public var name: String { "\(self)" }

    /// What jobs in these states make of their request.
    package init(of jobs: [JobState]) {
        if jobs.contains(where: { !$0.isFinal }) {
            self = .open
        } else if jobs.contains(where: { [.failed, .dead, .expired].contains($0) }) {
            self = .failed
        } else {
            self = jobs.contains(.cancelled) ? .cancelled : .succeeded
        }
    }
}

/// How one attempt ended. Only the scheduler says `lost` and `expired`.
public enum Ending: UInt8, Sendable, CaseIterable {
    case succeeded = 1
    case failed = 2
    case cancelled = 3
    case expired = 4
    /// The worker went.
    case lost = 5
    /// Handed back unstarted, or stopped on purpose: costs no attempt.
    case returned = 6

    public var name: String { "\(self)" }
}

/// How a payload or a result is stored.
public enum Encoding: UInt8, Sendable, CaseIterable {
    /// The bytes themselves.
    case bytes = 0
    /// The JSON text of a reference to an object.
    case object = 1
}

/// Names one lease. Counters are given once in the life of a journal incarnation, so the counter
/// alone tells two leases of one incarnation apart; the epoch tells who gave it.
public struct FencingToken: Hashable, Sendable {
    public let incarnation: UInt64
    public let epoch: UInt32
    public let counter: UInt64

    @inlinable public init(incarnation: UInt64, epoch: UInt32, counter: UInt64) {
        self.incarnation = incarnation
        self.epoch = epoch
        self.counter = counter
    }
}
