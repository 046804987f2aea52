// SUBMIT: requests and their jobs, flattened. And its answers, ACCEPTED and REFUSED.

/// Tags of a job's options: type-length-value records. An unknown tag below `skippable` is refused,
/// one from there on is skipped: so a new option that must not be ignored is not.
public enum OptionTag: UInt16, Sendable, CaseIterable {
    /// Idempotency key of the request; on its first job only.
    case userKey = 1
    /// Not before this time: microseconds since 1970.
    case runAt = 2
    /// Expires if it is not final by this time: microseconds since 1970.
    case deadline = 3
    /// An attempt is stopped after this many milliseconds.
    case runLimit = 4
    /// W3C traceparent, 55 bytes of text.
    case traceparent = 5
    /// A label to find the job by; up to 8 of 64 bytes.
    case tag = 6
    /// A label that the job's worker must have; up to 8 of 64 bytes.
    case label = 7
    /// Jobs of its request that it waits for, a run of them; may stand several times.
    case after = 8
    /// The request is not recorded beside another one of the same key; on its first job only.
    case unique = 9
    /// The delay that `runAt` was made of, in microseconds: a repeat has another `runAt`, and the same delay.
    case delay = 10
    /// A model, or any key, that the job is best run with: text of 1 to 64 bytes.
    case affinity = 16

    public static let skippable: UInt16 = 0x8000
}

/// One job of a SUBMIT as it stands in the message: fixed fields, and where its bytes are.
public struct SubmitJob: Sendable, Equatable {
    public static let size = 20

    /// Indices into the message's names.
    public var kind: UInt16
    public var tenant: UInt16
    /// Which job of its request, and of how many.
    public var index: UInt16
    public var count: UInt16
    public var priority: UInt8
    /// 0: as the scheduler's configuration says for the kind.
    public var attempts: UInt8
    public var encoding: UInt8
    public var optionsStart: UInt32 = 0
    public var optionsLength: UInt16
    public var payloadStart: UInt32 = 0
    public var payloadLength: UInt32

    public init(
        kind: UInt16, tenant: UInt16, index: UInt16 = 0, count: UInt16 = 1,
        priority: UInt8 = UInt8(Limits.defaultPriority), attempts: UInt8 = 0,
        encoding: UInt8 = Encoding.bytes.rawValue, optionsLength: UInt16 = 0, payloadLength: UInt32 = 0
    ) {
        self.kind = kind
        self.tenant = tenant
        self.index = index
        self.count = count
        self.priority = priority
        self.attempts = attempts
        self.encoding = encoding
        self.optionsLength = optionsLength
        self.payloadLength = payloadLength
    }

    /// Writes the fixed fields; options and payload must follow.
    @inline(__always)
    public func write(to buffer: inout ByteBuffer) {
        buffer.append(kind)
        buffer.append(tenant)
        buffer.append(index)
        buffer.append(count)
        buffer.append(priority)
        buffer.append(attempts)
        buffer.append(encoding)
        buffer.append(UInt8(0))
        buffer.append(optionsLength)
        buffer.append(UInt16(0))
        buffer.append(payloadLength)
    }
}

/// A SUBMIT that was read and checked as a whole. The arrays are reused from message to message.
public struct SubmitBatch: Sendable {
    public static let fields = 16

    public var header = Header(.submit)
    public var firstSequence: UInt64 = 0
    /// The session wants each job's result as it becomes final.
    public var notify = false
    public var names: [String] = []
    public var jobs: [SubmitJob] = []
    public var requests = 0
    public var payloadBytes = 0

    public init() {}

    /// Reads and checks a whole message; nothing is left half-read.
    public mutating func read(_ bytes: borrowing RawSpan, header: Header) throws(WireError) {
        self.header = header
        names.removeAll(keepingCapacity: true)
        jobs.removeAll(keepingCapacity: true)
        requests = 0
        payloadBytes = 0
        var cursor = try header.fieldCursor(atLeast: Self.fields)
        firstSequence = try cursor.read(UInt64.self, in: bytes, "first sequence")
        let flags = try cursor.read(UInt32.self, in: bytes, "flags")
        notify = flags & 1 != 0
        let nameCount = Int(try cursor.read(UInt16.self, in: bytes, "number of names"))
        guard nameCount <= Limits.namesInMessage else {
            throw WireError(.tooLarge, "\(nameCount) names, the limit is \(Limits.namesInMessage)")
        }
        guard header.count > 0 else { throw WireError(.malformed, "a submit without a job") }
        guard firstSequence > 0, firstSequence < 1 << 62 else {
            throw WireError(.malformed, "first sequence is \(firstSequence), it takes 1 to 2^62-1")
        }
        cursor = try header.recordCursor(atLeast: SubmitJob.size)
        for _ in 0..<nameCount {
            let length = Int(try cursor.read(UInt8.self, in: bytes, "name length"))
            guard length >= 1, length <= Limits.nameBytes else {
                throw WireError(.tooLarge, "a name has \(length) bytes, it takes 1 to \(Limits.nameBytes)")
            }
            names.append(try cursor.text(length, in: bytes, "name"))
        }
        var expected = 0
        var expectedCount = 0
        for _ in 0..<header.count {
            let job = try readJob(bytes, &cursor, recordLength: Int(header.recordLength))
            if expected == expectedCount {
                expected = 0
                expectedCount = Int(job.count)
                requests += 1
            }
            guard Int(job.index) == expected, Int(job.count) == expectedCount else {
                throw WireError(
                    .malformed, "job \(job.index) of \(job.count) stands where \(expected) of \(expectedCount) must")
            }
            expected += 1
            payloadBytes += Int(job.payloadLength)
            jobs.append(job)
        }
        guard expected == expectedCount else {
            throw WireError(.malformed, "the last request has \(expected) of its \(expectedCount) jobs")
        }
    }

    private func readJob(_ bytes: borrowing RawSpan, _ cursor: inout ByteCursor, recordLength: Int) throws(WireError)
        -> SubmitJob
    {
        let start = try cursor.take(recordLength, in: bytes, "job")
        var job = SubmitJob(
            kind: bytes.integer(UInt16.self, at: start), tenant: bytes.integer(UInt16.self, at: start + 2),
            index: bytes.integer(UInt16.self, at: start + 4), count: bytes.integer(UInt16.self, at: start + 6),
            priority: bytes.integer(UInt8.self, at: start + 8), attempts: bytes.integer(UInt8.self, at: start + 9),
            encoding: bytes.integer(UInt8.self, at: start + 10),
            optionsLength: bytes.integer(UInt16.self, at: start + 12),
            payloadLength: bytes.integer(UInt32.self, at: start + 16))
        guard Int(job.kind) < names.count, Int(job.tenant) < names.count else {
            throw WireError(.malformed, "kind \(job.kind) or tenant \(job.tenant) is not one of \(names.count) names")
        }
        guard job.count >= 1, Int(job.count) <= Limits.jobsInRequest else {
            throw WireError(.tooLarge, "a request of \(job.count) jobs, it takes 1 to \(Limits.jobsInRequest)")
        }
        guard Int(job.priority) < Limits.priorities else {
            throw WireError(.malformed, "priority is \(job.priority), it takes 0 to \(Limits.priorities - 1)")
        }
        guard Int(job.attempts) <= Limits.attempts else {
            throw WireError(
                .malformed, "attempts is \(job.attempts), it takes 1 to \(Limits.attempts), or 0: as the kind says")
        }
        guard let encoding = Encoding(rawValue: job.encoding) else {
            throw WireError(.malformed, "encoding \(job.encoding) is unknown")
        }
        let limit = encoding == .object ? Limits.referenceBytes : Limits.inlineBytes
        guard Int(job.payloadLength) <= limit else {
            throw WireError(
                .tooLarge, "a payload has \(job.payloadLength) bytes, the limit is \(limit); make it an object")
        }
        guard Int(job.optionsLength) <= Limits.optionsBytes else {
            throw WireError(.tooLarge, "options have \(job.optionsLength) bytes, the limit is \(Limits.optionsBytes)")
        }
        job.optionsStart = UInt32(try cursor.take(Int(job.optionsLength), in: bytes, "options"))
        job.payloadStart = UInt32(try cursor.take(Int(job.payloadLength), in: bytes, "payload"))
        return job
    }
}

/// What a job may ask for beyond the fixed fields.
public struct JobOptions: Sendable, Equatable {
    public static let tags = 8
    public static let tagBytes = 64

    public var userKey: [UInt8]?
    public var runAt: Int64?
    /// What `runAt` was made of, in microseconds; nil: it is a time that was named.
    public var delay: Int64?
    public var deadline: Int64?
    public var runLimitMilliseconds: UInt32?
    public var traceparent: TraceContext?
    public var tags: [String] = []
    /// Labels that the job requires of its worker.
    public var labels: [String] = []
    /// The jobs of its request that must succeed before it, by rising index; all of them stand before it.
    public var after: [JobDependency] = []
    /// A key, such as a model's name: a worker that ran it lately is preferred.
    public var affinity: String?
    /// Not beside another request of the same key.
    public var unique: UniqueRule?

    public init() {}

    /// - Parameter index: of the job in its request.
    public init(reading bytes: borrowing RawSpan, from start: Int, length: Int, index: UInt16) throws(WireError) {
        let options = bytes.extracting(start..<start + length)
        var cursor = ByteCursor()
        while cursor.remaining(in: options) > 0 {
            let number = try cursor.read(UInt16.self, in: options, "option tag")
            let length = Int(try cursor.read(UInt16.self, in: options, "option length"))
            guard let tag = OptionTag(rawValue: number) else {
                guard number >= OptionTag.skippable else {
                    throw WireError(.unsupported, "option \(number) is not known here and may not be ignored")
                }
                _ = try cursor.take(length, in: options, "option")
                continue
            }
            try read(tag, length: length, options, &cursor, job: index)
        }
        guard userKey == nil || index == 0 else {
            throw WireError(.malformed, "a user key stands on a job that is not the first of its request")
        }
        guard unique == nil || index == 0 else {
            throw WireError(.malformed, "a unique key stands on a job that is not the first of its request")
        }
    }

    private mutating func read(
        _ tag: OptionTag, length: Int, _ options: borrowing RawSpan, _ cursor: inout ByteCursor, job: UInt16
    ) throws(WireError) {
        switch tag {
        case .userKey:
            guard length >= 1, length <= Limits.userKeyBytes else {
                throw WireError(.tooLarge, "user key has \(length) bytes, it takes 1 to \(Limits.userKeyBytes)")
            }
            let start = try cursor.take(length, in: options, "user key")
            userKey = options.array(start..<start + length)
        case .runAt: runAt = try Self.time(length, options, &cursor, "run at")
        case .delay: delay = try Self.time(length, options, &cursor, "delay")
        case .deadline: deadline = try Self.time(length, options, &cursor, "deadline")
        case .runLimit:
            guard length == 4 else { throw WireError(.malformed, "run limit has \(length) bytes, it takes 4") }
            runLimitMilliseconds = try cursor.read(UInt32.self, in: options, "run limit")
        case .traceparent:
            traceparent = try TraceContext(reading: &cursor, length: length, in: options)
        case .tag:
            guard length >= 1, length <= Self.tagBytes, tags.count < Self.tags else {
                throw WireError(.tooLarge, "a job has at most \(Self.tags) tags of 1 to \(Self.tagBytes) bytes")
            }
            tags.append(try cursor.text(length, in: options, "tag"))
        case .label:
            guard length >= 1, length <= Limits.labelBytes, labels.count < Limits.labels else {
                throw WireError(
                    .tooLarge, "a job requires at most \(Limits.labels) labels of 1 to \(Limits.labelBytes) bytes")
            }
            labels.append(try cursor.text(length, in: options, "label"))
        case .affinity:
            guard length >= 1, length <= Limits.affinityBytes else {
                throw WireError(.tooLarge, "affinity has \(length) bytes, it takes 1 to \(Limits.affinityBytes)")
            }
            affinity = try cursor.text(length, in: options, "affinity")
        case .after: try DependencyRun.read(length, options, &cursor, job: job, into: &after)
        case .unique: unique = try UniqueRule(reading: options, length, &cursor)
        }
    }

    /// Microseconds, since 1970 or of a delay, up to the year 2200: so sums of times never overflow.
    private static func time(
        _ length: Int, _ options: borrowing RawSpan, _ cursor: inout ByteCursor, _ field: StaticString
    ) throws(WireError) -> Int64 {
        guard length == 8 else { throw WireError(.malformed, "\(field) has \(length) bytes, it takes 8") }
        let time = try cursor.read(Int64.self, in: options, field)
        guard time >= 0, time < 7_258_118_400_000_000 else {
            throw WireError(.malformed, "\(field) is \(time), it takes microseconds since 1970, before the year 2200")
        }
        return time
    }

    public var isEmpty: Bool { self == JobOptions() }

    public func write(to buffer: inout ByteBuffer) {
        if let userKey {
            Self.begin(.userKey, userKey.count, &buffer)
            buffer.append(userKey)
        }
        if let runAt {
            Self.begin(.runAt, 8, &buffer)
            buffer.append(runAt)
        }
        if let delay {
            Self.begin(.delay, 8, &buffer)
            buffer.append(delay)
        }
        if let deadline {
            Self.begin(.deadline, 8, &buffer)
            buffer.append(deadline)
        }
        if let runLimitMilliseconds {
            Self.begin(.runLimit, 4, &buffer)
            buffer.append(runLimitMilliseconds)
        }
        if let traceparent {
            Self.begin(.traceparent, TraceContext.length, &buffer)
            buffer.append(traceparent.description)
        }
        for tag in tags {
            Self.begin(.tag, tag.utf8.count, &buffer)
            buffer.append(tag)
        }
        for label in labels {
            Self.begin(.label, label.utf8.count, &buffer)
            buffer.append(label)
        }
        if let affinity {
            Self.begin(.affinity, affinity.utf8.count, &buffer)
            buffer.append(affinity)
        }
        for run in DependencyRun.runs(of: after) {
            Self.begin(.after, DependencyRun.size, &buffer)
            buffer.append(run.first.packed)
            buffer.append(run.count)
        }
        if let unique {
            Self.begin(.unique, unique.length, &buffer)
            unique.write(to: &buffer)
        }
    }

    private static func begin(_ tag: OptionTag, _ length: Int, _ buffer: inout ByteBuffer) {
        buffer.append(tag.rawValue)
        buffer.append(UInt16(length))
    }
}

/// Requests in a row that were made durable: their sequences and ids both rise by a fixed step.
public struct AcceptedRun: Sendable, Equatable {
    public static let size = 24

    public var sequence: UInt64
    public var firstID: JobID
    public var requests: UInt32
    public var jobsEach: UInt16
    /// Accepted before: these are the ids of the first time.
    public var repeated: Bool
    /// Not recorded because of its unique key: these are the ids of the request that stands in its way.
    public var duplicate = false

    public var sequences: Range<UInt64> { sequence..<sequence + UInt64(requests) }

    public init(sequence: UInt64, firstID: JobID, requests: UInt32, jobsEach: UInt16, repeated: Bool) {
        self.sequence = sequence
        self.firstID = firstID
        self.requests = requests
        self.jobsEach = jobsEach
        self.repeated = repeated
    }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "accepted run")
        sequence = bytes.integer(UInt64.self, at: start)
        firstID = JobID(rawValue: bytes.integer(UInt64.self, at: start + 8))
        requests = bytes.integer(UInt32.self, at: start + 16)
        jobsEach = bytes.integer(UInt16.self, at: start + 20)
        let flags = bytes.integer(UInt16.self, at: start + 22)
        repeated = flags & 1 != 0
        duplicate = flags & 2 != 0
        guard requests >= 1, jobsEach >= 1, Int(requests) <= Limits.producerWindow,
            Int(jobsEach) <= Limits.jobsInRequest, sequence < 1 << 62, firstID.rawValue > 0, firstID.rawValue < 1 << 63
        else { throw WireError(.malformed, "an accepted run is out of range") }
    }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(sequence)
        buffer.append(firstID.rawValue)
        buffer.append(requests)
        buffer.append(jobsEach)
        buffer.append(UInt16(repeated ? 1 : 0) | UInt16(duplicate ? 2 : 0))
    }
}

/// Requests in a row that were not taken, and why. Nothing of them is recorded.
public struct RefusedRun: Sendable, Equatable {
    public static let size = 24

    public var sequence: UInt64
    public var requests: UInt32
    public var code: UInt16
    /// 0: the same content will be refused again.
    public var retryAfterMilliseconds: UInt32
    public var message: String

    public var sequences: Range<UInt64> { sequence..<sequence + UInt64(requests) }

    public init(sequence: UInt64, requests: UInt32, error: WireError, retryAfterMilliseconds: UInt32) {
        self.sequence = sequence
        self.requests = requests
        code = error.code.rawValue
        self.retryAfterMilliseconds = retryAfterMilliseconds
        message = error.message
    }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "refused run")
        sequence = bytes.integer(UInt64.self, at: start)
        requests = bytes.integer(UInt32.self, at: start + 8)
        code = bytes.integer(UInt16.self, at: start + 12)
        let length = Int(bytes.integer(UInt16.self, at: start + 14))
        retryAfterMilliseconds = bytes.integer(UInt32.self, at: start + 16)
        message = try cursor.text(length, in: bytes, "message")
        guard requests >= 1, Int(requests) <= Limits.producerWindow, sequence < 1 << 62 else {
            throw WireError(.malformed, "a refused run is out of range")
        }
    }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(sequence)
        buffer.append(requests)
        buffer.append(code)
        buffer.append(UInt16(message.utf8.count))
        buffer.append(retryAfterMilliseconds)
        buffer.append(UInt32(0))
        buffer.append(message)
    }
}
