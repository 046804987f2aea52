import FoundationEssentials
import StatexClient
import StatexProtocol
import StatexWebhooks

/// The body of a submit: jobs that complete together.
struct SubmitBody: Decodable {
    var jobs: [JobBody]
    var tenant: String?
    var failsDependants: Bool
    var unique: UniqueBody?
    /// The URL that is told when it ends.
    var webhook: String?

    enum Fields: String, CodingKey, CaseIterable {
        case jobs, tenant, unique, webhook
        case onDependencyFailure = "on_dependency_failure"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.fields(Fields.self)
        jobs = try fields.decode([JobBody].self, forKey: .jobs)
        try fields.check(
            .jobs, (1...Limits.jobsInRequest).contains(jobs.count), "must have 1 to \(Limits.jobsInRequest) jobs")
        tenant = try fields.word(.tenant, Limits.nameBytes)
        let failure = try fields.decodeIfPresent(String.self, forKey: .onDependencyFailure) ?? "cancel"
        try fields.check(.onDependencyFailure, ["cancel", "fail"].contains(failure), "must be cancel or fail")
        failsDependants = failure == "fail"
        unique = try fields.decodeIfPresent(UniqueBody.self, forKey: .unique)
        webhook = try fields.word(.webhook, WebhookURL.bytes)
    }

    /// Of nothing but jobs.
    init(jobs: [JobBody]) {
        self.jobs = jobs
        failsDependants = false
    }
}

/// When it is not taken because of an earlier one.
struct UniqueBody: Decodable {
    var uniqueness: Uniqueness

    enum Fields: String, CodingKey, CaseIterable { case key, seconds }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.fields(Fields.self)
        let key = try fields.decode(String.self, forKey: .key)
        try fields.check(
            .key, (1...Limits.userKeyBytes).contains(key.utf8.count), "must have 1 to \(Limits.userKeyBytes) bytes")
        guard let seconds = try fields.whole(Int.self, .seconds) else {
            uniqueness = .whileUnfinished(key)
            return
        }
        try fields.check(
            .seconds, (1...Int(Limits.uniqueSeconds)).contains(seconds), "must be 1 to \(Limits.uniqueSeconds)")
        uniqueness = .once(in: .seconds(seconds), key)
    }
}

/// One job of a submit.
struct JobBody: Decodable {
    var job: JobSpec
    /// The field of a form that has its payload.
    var file: String?

    /// Seconds: a century is for ever.
    static let longestDelay = 3_155_760_000
    /// Seconds, as the wire has them in milliseconds.
    static let runLimits = 0.001...4_294_967

    enum Fields: String, CodingKey, CaseIterable {
        case kind, payload, file, priority, deadline, attempts, labels, affinity, tags, after, inputs, traceparent
        case payloadBase64 = "payload_base64"
        case runAt = "run_at"
        case delaySeconds = "delay_seconds"
        case runLimitSeconds = "run_limit_seconds"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.fields(Fields.self)
        let kind = try fields.decode(String.self, forKey: .kind)
        try fields.check(.kind, KindName.isValid(kind), "must be \(KindName.rule)")
        let isReserved = kind.hasPrefix(WebhookDelivery.reservedPrefix)
        try fields.check(
            .kind, !isReserved, "must not begin with \(WebhookDelivery.reservedPrefix): such kinds are Statex' own")
        job = JobSpec(kind: kind, payload: try Self.payload(fields))
        file = try fields.word(.file, PartHead.nameBytes)
        if let priority = try fields.integer(.priority, 0...Limits.priorities - 1) { job.priority = priority }
        job.attempts = try fields.integer(.attempts, 1...Limits.attempts)
        job.startAt = try fields.time(.runAt)
        if let delay = try fields.seconds(.delaySeconds, 0...Double(Self.longestDelay)) {
            try fields.check(.delaySeconds, job.startAt == nil, "stands beside run_at; give one of them")
            job.start(after: .seconds(delay))
        }
        job.deadline = try fields.time(.deadline)
        job.runLimit = try fields.seconds(.runLimitSeconds, Self.runLimits).map { .milliseconds(Int64($0 * 1_000)) }
        job.tags = try fields.words(.tags, count: JobOptions.tags, bytes: JobOptions.tagBytes)
        job.labels = try fields.words(.labels, count: Limits.labels, bytes: Limits.labelBytes)
        job.affinity = try fields.word(.affinity, Limits.affinityBytes)
        job.after = try fields.indices(.after)
        job.inputs = try fields.indices(.inputs)
        if let trace = try fields.decodeIfPresent(String.self, forKey: .traceparent) {
            job.traceparent = TraceContext(trace)
            try fields.check(.traceparent, job.traceparent != nil, "must be \(TraceContext.rule)")
        }
    }

    init(_ job: JobSpec) { self.job = job }

    private static func payload(_ fields: KeyedDecodingContainer<Fields>) throws -> Payload {
        let text = try fields.decodeIfPresent(String.self, forKey: .payload)
        if try fields.decodeIfPresent(String.self, forKey: .file) != nil {
            let other = text == nil ? Fields.payloadBase64 : .payload
            try fields.check(.file, !fields.contains(other), "stands beside \(other.rawValue); give one of them")
        }
        guard let encoded = try fields.decodeIfPresent(String.self, forKey: .payloadBase64) else {
            return .text(text ?? "")
        }
        try fields.check(.payloadBase64, text == nil, "stands beside payload; give one of them")
        guard let bytes = Data(base64Encoded: encoded) else {
            throw fields.fault(.payloadBase64, "must be base64 (RFC 4648, with padding)")
        }
        return .bytes(Array(bytes))
    }
}

extension KeyedDecodingContainer {
    func fault(_ key: Key, _ message: String) -> FieldFault { FieldFault(path: codingPath + [key], message: message) }

    func check(_ key: Key, _ isRight: Bool, _ message: String) throws {
        guard isRight else { throw fault(key, message) }
    }

    /// Of a number that is not whole the decoder throws an error of its own, which does not say where it stands.
    fileprivate func whole<Value: Decodable>(_ type: Value.Type, _ key: Key) throws -> Value? {
        do { return try decodeIfPresent(type, forKey: key) } catch let error where !(error is DecodingError) {
            throw fault(key, "must be whole numbers only")
        }
    }

    fileprivate func integer(_ key: Key, _ range: ClosedRange<Int>) throws -> Int? {
        guard let value = try whole(Int.self, key) else { return nil }
        try check(key, range.contains(value), "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        return value
    }

    fileprivate func seconds(_ key: Key, _ range: ClosedRange<Double>) throws -> Double? {
        guard let value = try decodeIfPresent(Double.self, forKey: key) else { return nil }
        try check(key, range.contains(value), "must be seconds from \(range.lowerBound) to \(range.upperBound)")
        return value
    }

    func time(_ key: Key) throws -> Date? {
        guard let text = try decodeIfPresent(String.self, forKey: key) else { return nil }
        guard let time = Timestamp(text) else { throw fault(key, Timestamp.rule) }
        return time.date
    }

    func word(_ key: Key, _ bytes: Int) throws -> String? {
        guard let text = try decodeIfPresent(String.self, forKey: key) else { return nil }
        try check(key, (1...bytes).contains(text.utf8.count), "must have 1 to \(bytes) bytes")
        return text
    }

    func words(_ key: Key, count: Int, bytes: Int) throws -> [String] {
        let words = try decodeIfPresent([String].self, forKey: key) ?? []
        try check(
            key, words.count <= count && words.allSatisfy { (1...bytes).contains($0.utf8.count) },
            "must be at most \(count) texts of 1 to \(bytes) bytes")
        return words
    }

    /// Of jobs that stand before this one in the request.
    fileprivate func indices(_ key: Key) throws -> [Int] {
        let indices = try whole([Int].self, key) ?? []
        let own = codingPath.last?.intValue ?? 0
        try check(
            key, indices.allSatisfy { (0..<own).contains($0) } && Set(indices).count == indices.count,
            "must be indices of jobs before this one (\(own)), each once")
        return indices
    }
}
