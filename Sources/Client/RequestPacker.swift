import FoundationEssentials
import StatexProtocol

/// Checks requests against the limits and packs them into SUBMIT messages.
struct RequestPacker {
    struct Packed {
        let message: [UInt8]
        /// Which requests it holds.
        let requests: Range<Int>
    }

    /// A message is closed at so many jobs or bytes: past a few hundred a larger one gains nothing, and a
    /// lost one costs little. A request is never cut.
    static let jobsInMessage = 500
    static let bytesInMessage = 1 << 20

    /// Packs requests from `start` on, as many as one message takes.
    /// - Returns: nil if there are none left.
    static func pack(_ requests: [Request], from start: Int) -> Packed? {
        guard start < requests.count else { return nil }
        var writer = SubmitWriter(capacity: 16 << 10)
        var end = start
        while end < requests.count {
            let request = requests[end]
            let isFull =
                writer.jobs + request.jobs.count > jobsInMessage
                || writer.byteCount + byteCount(request) > bytesInMessage
                || writer.nameCount + request.jobs.count + 1 > Limits.namesInMessage
            guard writer.isEmpty || !isFull else { break }
            append(request, to: &writer)
            end += 1
        }
        return Packed(message: writer.finish(notify: false), requests: start..<end)
    }

    private static func append(_ request: Request, to writer: inout SubmitWriter) {
        let tenant = writer.number(of: request.tenant)
        for (index, job) in request.jobs.enumerated() {
            let fields = SubmitJob(
                kind: writer.number(of: job.kind), tenant: tenant, index: UInt16(index),
                count: UInt16(request.jobs.count), priority: UInt8(job.priority), attempts: UInt8(job.attempts ?? 0),
                encoding: job.payload.encoding.rawValue)
            let options = options(of: job, in: request, isFirst: index == 0)
            var buffer = ByteBuffer(capacity: 64)
            if !options.isEmpty { options.write(to: &buffer) }
            writer.append(fields, options: buffer.bytes, payload: job.payload.inline.span.bytes)
        }
    }

    private static func options(of job: JobSpec, in request: Request, isFirst: Bool) -> JobOptions {
        var options = JobOptions()
        if isFirst {
            options.userKey = request.key.map { Array($0.utf8) }
            options.unique = request.unique.flatMap(\.rule)
        }
        options.runAt = job.startAt.flatMap(microseconds)
        options.delay = job.delay.flatMap(microseconds)
        options.deadline = job.deadline.flatMap(microseconds)
        options.runLimitMilliseconds = job.runLimit.flatMap(milliseconds)
        options.traceparent = job.traceparent
        options.tags = job.tags
        options.labels = job.labels
        options.affinity = job.affinity
        options.after = dependencies(of: job, fail: request.failsDependants)
        return options
    }

    /// What a request takes in a message, at most.
    private static func byteCount(_ request: Request) -> Int {
        var bytes = 1 + request.tenant.utf8.count + 4 + (request.key?.utf8.count ?? 0)
        bytes += 8 + (request.unique?.key.utf8.count ?? 0)
        var kind = ""
        for job in request.jobs {
            bytes += SubmitJob.size + fixedOptionBytes + job.payload.inline.count
            for tag in job.tags { bytes += 4 + tag.utf8.count }
            if let affinity = job.affinity { bytes += 4 + affinity.utf8.count }
            for label in job.labels { bytes += 4 + label.utf8.count }
            bytes += 8 * (job.after.count + job.inputs.count)
            if job.kind != kind {
                kind = job.kind
                bytes += 1 + kind.utf8.count
            }
        }
        return bytes + Header.size + SubmitBatch.fields
    }

    /// Two times, a delay, a limit and a traceparent, each with its tag and length.
    private static let fixedOptionBytes = 12 + 12 + 12 + 8 + 4 + TraceContext.length

    // MARK: Limits

    /// What a payload may have inside the message for the whole request to fit one; larger ones go to the
    /// object folder.
    static func inlineLimit(of request: Request) -> Int {
        var total = 0
        for job in request.jobs { total += min(job.payload.inline.count, Limits.inlineBytes) }
        // References are at most 4 KiB, and most are 150 bytes: so a crowded request becomes a small one.
        return total <= Limits.messageBytes / 2 ? Limits.inlineBytes : Limits.referenceBytes
    }

    static func check(_ request: Request) throws(ClientError) {
        guard (1...Limits.jobsInRequest).contains(request.jobs.count) else {
            throw .invalid(
                "a request has \(request.jobs.count) jobs, it takes 1 to \(Limits.jobsInRequest); split it")
        }
        try check(name: request.tenant, "tenant")
        if let key = request.key {
            guard (1...Limits.userKeyBytes).contains(key.utf8.count) else {
                throw .invalid(
                    "key has \(key.utf8.count) bytes, it takes 1 to \(Limits.userKeyBytes); hash a longer one")
            }
        }
        try request.unique?.check()
        for job in request.jobs { try check(job) }
        try checkDependencies(of: request)
        let bytes = byteCount(request)
        guard bytes <= Limits.messageBytes else {
            throw .invalid(
                "a request takes \(bytes) bytes in a message, the limit is \(Limits.messageBytes); split it, or give an object folder"
            )
        }
    }

    static func check(attempts: Int?) throws(ClientError) {
        guard let attempts, !(1...Limits.attempts).contains(attempts) else { return }
        throw .invalid("attempts is \(attempts), it takes 1 to \(Limits.attempts)")
    }

    private static func check(_ job: JobSpec) throws(ClientError) {
        try check(kind: job.kind)
        guard (0..<Limits.priorities).contains(job.priority) else {
            throw .invalid("priority is \(job.priority), it takes 0 (first) to \(Limits.priorities - 1)")
        }
        try check(attempts: job.attempts)
        switch job.payload {
        case .bytes(let bytes) where bytes.count > Limits.inlineBytes:
            throw .object(
                "a payload has \(bytes.count) bytes, the limit inside a message is \(Limits.inlineBytes); give the client an object folder"
            )
        case .object(let reference) where reference.count > Limits.referenceBytes:
            throw .invalid("an object reference has \(reference.count) bytes, the limit is \(Limits.referenceBytes)")
        case .bytes, .object: break
        }
        for (time, field) in [(job.startAt, "startAt"), (job.deadline, "deadline")] {
            guard let time, microseconds(time) == nil else { continue }
            throw .invalid("\(field) is out of range; it takes a time from 1970 to 2199")
        }
        if let limit = job.runLimit, milliseconds(limit) == nil {
            throw .invalid("runLimit is \(limit), it takes 1 ms to \(UInt32.max) ms")
        }
        try check(words: job.tags, "tag", count: JobOptions.tags, bytes: JobOptions.tagBytes)
        try check(words: job.affinity.map { [$0] } ?? [], "affinity", count: 1, bytes: Limits.affinityBytes)
        try check(words: job.labels, "label", count: Limits.labels, bytes: Limits.labelBytes)
    }

    private static func check(words: [String], _ field: String, count: Int, bytes: Int) throws(ClientError) {
        guard words.count <= count else {
            throw .invalid("a job has \(words.count) \(field)s, the limit is \(count)")
        }
        for word in words {
            guard (1...bytes).contains(word.utf8.count), !word.utf8.contains(0) else {
                let article = field == "affinity" ? "an" : "a"
                throw .invalid(
                    "\(article) \(field) has \(word.utf8.count) bytes, it takes 1 to \(bytes), none of them NUL")
            }
        }
    }

    static func check(name: String, _ field: String) throws(ClientError) {
        guard (1...Limits.nameBytes).contains(name.utf8.count), !name.utf8.contains(0) else {
            throw .invalid("\(field) has \(name.utf8.count) bytes, it takes 1 to \(Limits.nameBytes), none of them NUL")
        }
    }

    static func check(kind: String) throws(ClientError) {
        guard KindName.isValid(kind) else {
            throw .invalid("kind is \(quoted(kind)), it takes \(KindName.rule)")
        }
    }

    /// As it may be shown on a terminal, cut to what a kind may have.
    private static func quoted(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(64).map { $0.escaped(asASCII: true) }.joined()
        return "\"\(shown)\(text.unicodeScalars.count > 64 ? "…" : "")\""
    }

    /// As the protocol has times; nil: it has none so early or late.
    static func microseconds(_ time: Date) -> Int64? {
        let value = time.timeIntervalSince1970 * 1_000_000
        // The year 2200, as the protocol has it.
        guard value >= 0, value < 7_258_118_400_000_000 else { return nil }
        return Int64(value)
    }

    private static func microseconds(_ delay: Duration) -> Int64? {
        let (seconds, attoseconds) = delay.components
        guard (0..<7_258_118_400).contains(seconds), attoseconds >= 0 else { return nil }
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }

    private static func milliseconds(_ time: Duration) -> UInt32? {
        let (seconds, attoseconds) = time.components
        guard seconds >= 0, seconds <= 4_294_967, attoseconds >= 0 else { return nil }
        let value = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
        return value > 0 ? UInt32(exactly: value) : nil
    }
}

extension Payload {
    var encoding: Encoding {
        switch self {
        case .bytes: .bytes
        case .object: .object
        }
    }

    /// What stands in the message.
    var inline: [UInt8] {
        switch self {
        case .bytes(let bytes): bytes
        case .object(let reference): reference
        }
    }
}
