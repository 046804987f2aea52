/// How a client behaves. The defaults suit a service beside its scheduler.
public struct ClientSettings: Sendable {
    /// For people, in the scheduler's status: 1 to 128 bytes.
    public var name: String
    /// Who counts the submits. A fresh random one suits everybody who does not store it; two living
    /// processes must never share one.
    public var producer: Producer
    /// It only looks at jobs and at the scheduler, and never submits, cancels or orders: it is welcome also while the
    /// journal is away.
    public var looksOnly = false
    /// How long the first connection may take.
    public var connectTimeout: Duration = .seconds(10)
    /// How long a submit, a cancel or a look may wait for a scheduler that is busy or away; nil: for ever.
    /// Waiting for results has no limit: cancel the task instead.
    public var patience: Duration?
    /// Unanswered submits, in bytes and in requests: a caller past it waits. Twice what hides one commit
    /// at 300,000 jobs of 256 bytes a second.
    public var windowBytes = 16 << 20
    public var windowRequests = 32_768
    /// Folders, or buckets as `s3://BUCKET/PREFIX`, for payloads and results above `Limits.inlineBytes`: put into the
    /// first, read from all. Opened when first needed. nil: those that the scheduler names, which suits a client on its
    /// machine, and buckets anywhere; empty: such payloads are refused.
    public var objects: [String]?
    /// How buckets are reached.
    public var s3 = S3Access()
    /// This client's key, as `statex keys new` writes it, and the scheduler's public one: for `tcp://` endpoints. Read
    /// again for each connection.
    public var keyFile: String?
    public var schedulerKeyFile: String?
    /// The largest object that is stored, and that `bytes(of:)` reads into memory.
    public var largestObject = 256 << 20

    public init(name: String = "client", objects: [String]? = nil, patience: Duration? = nil) {
        self.name = name
        self.objects = objects
        self.patience = patience
        producer = Producer(high: .random(in: 1 ... .max), low: .random(in: 1 ... .max))
    }
}

/// How buckets of S3, or of a service that speaks like it, are reached.
public struct S3Access: Sendable {
    /// Scheme, host and port, such as `http://127.0.0.1:9000`; nil: AWS.
    public var endpoint: String?
    public var region = "us-east-1"
    /// Whether the bucket stands in front of the host: `https://bucket.host/key`, not `https://host/bucket/key`.
    public var namesBucketInHost = false
    /// A file as AWS' own tools write it, read again for each request; nil: `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` of the environment.
    public var credentialsFile: String?
    /// The authorities that sign the service's certificate, in PEM, instead of the system's.
    public var authoritiesFile: String?

    public init() {}
}
