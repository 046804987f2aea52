import FoundationEssentials

/// What a user submits: jobs that complete together.
public struct Request: Sendable {
    /// 1 to `Limits.jobsInRequest`.
    public var jobs: [JobSpec]
    /// Who the jobs are for.
    public var tenant: String
    /// The same key of the same tenant with the same jobs is the same request, for 7 days; with other
    /// jobs it is refused. 1 to `Limits.userKeyBytes` bytes.
    public var key: String?
    /// What becomes of jobs that wait for one that does not succeed: false: they are cancelled, as skipped;
    /// true: they fail.
    public var failsDependants = false
    /// Not beside another one; nil: beside any number.
    public var unique: Uniqueness?

    public init(_ jobs: [JobSpec], tenant: String = "default", key: String? = nil) {
        self.jobs = jobs
        self.tenant = tenant
        self.key = key
    }

    /// A request of one job.
    public init(kind: String, payload: Payload, tenant: String = "default", key: String? = nil) {
        self.init([JobSpec(kind: kind, payload: payload)], tenant: tenant, key: key)
    }
}

/// When a request is not taken because of an earlier one, of the same tenant and the same kind (that of the
/// first job), under the same rule. The submitter then gets the earlier one: `RequestHandle.isDuplicate`.
public struct Uniqueness: Sendable {
    let key: String
    /// nil: as long as it is unfinished.
    let time: Duration?

    /// Not while another one of this key is unfinished. The key: 1 to `Limits.userKeyBytes` bytes.
    public static func whileUnfinished(_ key: String) -> Uniqueness { Uniqueness(key: key, time: nil) }

    /// Once in this time, counted from when the last one was accepted; whole seconds, 1 to
    /// `Limits.uniqueSeconds`, and no longer than history is kept.
    public static func once(in time: Duration, _ key: String) -> Uniqueness { Uniqueness(key: key, time: time) }
}

/// One job of a request.
public struct JobSpec: Sendable {
    /// What handler runs it: `text`, `audio`, `file`, or a name that the operator added.
    public var kind: String
    public var payload: Payload
    /// 0 (first) to 9 (last).
    public var priority = Limits.defaultPriority
    /// How many times it may fail before it is dead, 1 to `Limits.attempts`; nil: as the operator set for
    /// its kind.
    public var attempts: Int?
    /// Not before this time.
    public var startAt: Date? {
        didSet { delay = nil }
    }
    /// What `startAt` follows from; nil: it was named.
    private(set) var delay: Duration?
    /// Expired if it is not final by this time.
    public var deadline: Date?
    /// An attempt that runs longer is stopped and has failed.
    public var runLimit: Duration?
    /// Words to find it by: up to 8 of 1 to 64 bytes.
    public var tags: [String] = []
    /// It runs only in a worker that has all of these labels (`gpu`, a region): up to 8 of 1 to 64 bytes.
    public var labels: [String] = []
    /// What it is best run with, such as the name of a model: a worker that ran it lately is preferred. 1 to 64
    /// bytes.
    public var affinity: String?
    /// Jobs of the request that must succeed before it starts, by their indices; all before its own.
    public var after: [Int] = []
    /// Jobs of the request whose results its handler is given; it waits for them too. Up to `Limits.inputs`.
    public var inputs: [Int] = []
    /// The trace that it belongs to, and the span that submits it: its attempts become spans below that. A wrong
    /// header makes none.
    public var traceparent: TraceContext?

    public init(kind: String, payload: Payload = .bytes([])) {
        self.kind = kind
        self.payload = payload
    }
}

extension JobSpec {
    /// Has it start no earlier than after so long. A repeat under the request's `key` is told by the delay: its time is
    /// another one.
    /// - Parameter now: from when on; the time of the scheduler.
    public mutating func start(after delay: Duration, from now: Date = Date()) {
        startAt = now.addingTimeInterval(delay / .seconds(1))
        self.delay = delay
    }

    /// Whether the protocol has this time.
    package static func mayName(_ time: Date) -> Bool { RequestPacker.microseconds(time) != nil }
}

extension Payload {
    /// The UTF-8 bytes of a text.
    public static func text(_ text: String) -> Payload { .bytes(Array(text.utf8)) }
}
