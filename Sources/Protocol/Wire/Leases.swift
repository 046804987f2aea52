// CREDIT, LEASES, OUTCOMES, DURABLE, STALE, CLAIM, REVOKE: work out, outcomes back.

/// CREDIT: how many jobs the worker is ready to hold, those it holds included.
public enum Credit {
    static let fields = 8

    public static func write(_ credit: Int, stamp: SessionStamp, to buffer: inout ByteBuffer) {
        Header(.credit, fields: fields, stamp: stamp).write(to: &buffer)
        buffer.append(UInt32(credit))
        buffer.append(UInt32(0))
    }

    public static func read(_ bytes: borrowing RawSpan, header: Header) throws(WireError) -> Int {
        var cursor = try header.fieldCursor(atLeast: fields)
        let credit = Int(try cursor.read(UInt32.self, in: bytes, "credit"))
        guard credit <= Limits.credit else {
            throw WireError(.tooLarge, "credit is \(credit), the limit is \(Limits.credit)")
        }
        return credit
    }
}

/// One leased job: fixed fields, then its payload, then the results that it takes as input.
public struct LeaseRecord: Sendable, Equatable {
    public static let size = 32

    public var id: JobID
    public var token: UInt64
    /// 0: none.
    public var runLimitMilliseconds: UInt32
    public var payloadLength: UInt32
    public var attempt: UInt16
    /// Index into the kinds of the worker's HELLO.
    public var kind: UInt16
    public var encoding: UInt8
    /// Somebody follows the job: its worker is to report how far it is.
    public var isFollowed = false
    /// The attempt before handed a checkpoint over: its length (u32) and its bytes stand behind the inputs.
    public var hasCheckpoint = false
    /// The job names a key: its length (u8) and text stand last. A worker may run jobs of one key together.
    public var hasAffinity = false
    /// The job belongs to a trace: a `LeaseTrace` stands behind all of that.
    public var hasTrace = false
    /// How many results of other jobs follow the payload, see `LeaseInput`; and their bytes together.
    public var inputs: UInt8 = 0
    public var inputsLength: UInt32 = 0
    public var payloadStart = 0
    /// Of the checkpoint, in the message that was read.
    public var checkpointStart = 0
    public var checkpointLength: UInt32 = 0
    public var affinityStart = 0
    public var affinityLength: UInt8 = 0
    public var traceStart = 0

    /// The bytes of payload and inputs.
    public var contentLength: UInt32 { payloadLength + inputsLength }

    public init(
        id: JobID, token: UInt64, runLimitMilliseconds: UInt32, payloadLength: UInt32, attempt: UInt16, kind: UInt16,
        encoding: UInt8
    ) {
        self.id = id
        self.token = token
        self.runLimitMilliseconds = runLimitMilliseconds
        self.payloadLength = payloadLength
        self.attempt = attempt
        self.kind = kind
        self.encoding = encoding
    }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "lease")
        id = JobID(rawValue: bytes.integer(UInt64.self, at: start))
        token = bytes.integer(UInt64.self, at: start + 8)
        try checkToken(token)
        runLimitMilliseconds = bytes.integer(UInt32.self, at: start + 16)
        payloadLength = bytes.integer(UInt32.self, at: start + 20)
        attempt = bytes.integer(UInt16.self, at: start + 24)
        kind = bytes.integer(UInt16.self, at: start + 26)
        encoding = bytes.integer(UInt8.self, at: start + 28)
        inputs = bytes.integer(UInt8.self, at: start + 30)
        guard Int(payloadLength) <= Limits.inlineBytes else {
            throw WireError(.tooLarge, "a payload has \(payloadLength) bytes, the limit is \(Limits.inlineBytes)")
        }
        guard Encoding(rawValue: encoding) != nil else {
            throw WireError(.malformed, "encoding \(encoding) is unknown")
        }
        guard Int(inputs) <= Limits.inputs else {
            throw WireError(.tooLarge, "a lease has \(inputs) inputs, the limit is \(Limits.inputs)")
        }
        let flags = bytes.integer(UInt8.self, at: start + 29)
        isFollowed = flags & 1 != 0
        hasCheckpoint = flags & 2 != 0
        hasAffinity = flags & 4 != 0
        hasTrace = flags & 8 != 0
        payloadStart = try cursor.take(Int(payloadLength), in: bytes, "payload")
        let inputsStart = cursor.offset
        for _ in 0..<inputs { try LeaseInput.skip(&cursor, in: bytes) }
        inputsLength = UInt32(cursor.offset - inputsStart)
        if hasCheckpoint { try readCheckpoint(&cursor, in: bytes) }
        if hasAffinity {
            affinityLength = try cursor.read(UInt8.self, in: bytes, "affinity length")
            affinityStart = try cursor.take(Int(affinityLength), in: bytes, "affinity")
        }
        guard hasTrace else { return }
        traceStart = cursor.offset
        _ = try LeaseTrace(reading: &cursor, in: bytes)
    }

    private mutating func readCheckpoint(_ cursor: inout ByteCursor, in bytes: borrowing RawSpan) throws(WireError) {
        checkpointLength = try cursor.read(UInt32.self, in: bytes, "checkpoint length")
        guard Int(checkpointLength) <= Limits.checkpointBytes else {
            throw WireError(
                .tooLarge, "a checkpoint has \(checkpointLength) bytes, the limit is \(Limits.checkpointBytes)")
        }
        checkpointStart = try cursor.take(Int(checkpointLength), in: bytes, "checkpoint")
    }

    /// Writes the fixed fields; `payloadLength` bytes must follow, then the inputs, then checkpoint, affinity and
    /// trace if there are any.
    public func write(to buffer: inout ByteBuffer) {
        buffer.append(id.rawValue)
        buffer.append(token)
        buffer.append(runLimitMilliseconds)
        buffer.append(payloadLength)
        buffer.append(attempt)
        buffer.append(kind)
        buffer.append(encoding)
        buffer.append(
            UInt8(isFollowed ? 1 : 0) | UInt8(hasCheckpoint ? 2 : 0) | UInt8(hasAffinity ? 4 : 0)
                | UInt8(hasTrace ? 8 : 0))
        buffer.append(inputs)
        buffer.append(UInt8(0))
    }
}

/// How one attempt ended: fixed fields, then the result, or an error as `ErrorText` writes it.
/// The header's incarnation is that of the tokens.
public struct OutcomeRecord: Sendable, Equatable {
    public static let size = 40
    /// OUTCOMES carries the worker's credit, so that a busy worker sends one message, not two.
    public static let fields = 8

    public var id: JobID
    public var token: UInt64
    /// How long the attempt ran.
    public var ranMicroseconds: UInt64
    /// How long ago it ended, when the message was written.
    public var agoMicroseconds: UInt32
    public var retryAfterMilliseconds: UInt32
    public var bodyLength: UInt32
    /// succeeded, failed, cancelled or returned: the others are not a worker's to say.
    public var ending: Ending
    public var retryable: Bool
    public var encoding: UInt8
    public var bodyStart = 0

    public init(id: JobID, token: UInt64, ending: Ending) {
        self.id = id
        self.token = token
        self.ending = ending
        ranMicroseconds = 0
        agoMicroseconds = 0
        retryAfterMilliseconds = 0
        bodyLength = 0
        retryable = false
        encoding = 0
    }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "outcome")
        id = JobID(rawValue: bytes.integer(UInt64.self, at: start))
        token = bytes.integer(UInt64.self, at: start + 8)
        try checkToken(token)
        ranMicroseconds = bytes.integer(UInt64.self, at: start + 16)
        agoMicroseconds = bytes.integer(UInt32.self, at: start + 24)
        retryAfterMilliseconds = bytes.integer(UInt32.self, at: start + 28)
        bodyLength = bytes.integer(UInt32.self, at: start + 32)
        let endingNumber = bytes.integer(UInt8.self, at: start + 36)
        retryable = bytes.integer(UInt8.self, at: start + 37) & 1 != 0
        encoding = bytes.integer(UInt8.self, at: start + 38)
        guard let ending = Ending(rawValue: endingNumber), ending != .lost, ending != .expired else {
            throw WireError(.malformed, "ending \(endingNumber) is not one that a worker may report")
        }
        self.ending = ending
        guard id.rawValue > 0, id.rawValue < 1 << 63 else { throw WireError(.malformed, "\(id.rawValue) is not an id") }
        guard Int(bodyLength) <= Limits.inlineBytes else {
            throw WireError(
                .tooLarge, "a result has \(bodyLength) bytes, the limit is \(Limits.inlineBytes); make it an object")
        }
        guard Encoding(rawValue: encoding) != nil else {
            throw WireError(.malformed, "encoding \(encoding) is unknown")
        }
        guard ranMicroseconds < 1 << 53 else {
            throw WireError(.malformed, "a run of \(ranMicroseconds) µs is out of range")
        }
        bodyStart = try cursor.take(Int(bodyLength), in: bytes, "result")
        if ending == .failed {
            _ = try ErrorText(reading: bytes.extracting(bodyStart..<bodyStart + Int(bodyLength)))
        }
    }

    /// Writes the fixed fields; `bodyLength` bytes must follow.
    public func write(to buffer: inout ByteBuffer) {
        buffer.append(id.rawValue)
        buffer.append(token)
        buffer.append(ranMicroseconds)
        buffer.append(agoMicroseconds)
        buffer.append(retryAfterMilliseconds)
        buffer.append(bodyLength)
        buffer.append(ending.rawValue)
        buffer.append(UInt8(retryable ? 1 : 0))
        buffer.append(encoding)
        buffer.append(UInt8(0))
    }

    /// Writes header and fields of an OUTCOMES; the count is set when it is known.
    public static func begin(credit: Int, stamp: SessionStamp, to buffer: inout ByteBuffer) {
        Header(.outcomes, fields: fields, recordLength: size, stamp: stamp).write(to: &buffer)
        buffer.append(UInt32(credit))
        buffer.append(UInt32(0))
    }

    public static func readCredit(_ bytes: borrowing RawSpan, header: Header) throws(WireError) -> Int {
        try Credit.read(bytes, header: header)
    }
}

/// One lease by job and token: in DURABLE the outcome is recorded; in STALE it was refused, forget
/// it; in CLAIM the worker still holds it; in REVOKE the worker must stop it.
public struct TokenRecord: Sendable, Equatable {
    public static let size = 24

    public enum Reason: UInt8, Sendable, CaseIterable {
        case none = 0
        /// The lease is not the job's latest, or no lease of this token is known.
        case notHeld = 1
        /// A user cancelled the job: stop it and report `cancelled`.
        case cancelled = 2
        /// The job is final already.
        case final = 3
        /// A worker is idle: give the job back as `returned` if it has not started, else say KEPT.
        case stealing = 4
    }

    public var id: JobID
    public var token: UInt64
    public var reason: Reason
    /// In CLAIM: it runs already.
    public var running: Bool

    public init(_ id: JobID, token: UInt64, reason: Reason = .none, running: Bool = false) {
        self.id = id
        self.token = token
        self.reason = reason
        self.running = running
    }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "token record")
        id = JobID(rawValue: bytes.integer(UInt64.self, at: start))
        token = bytes.integer(UInt64.self, at: start + 8)
        try checkToken(token)
        let reasonNumber = bytes.integer(UInt8.self, at: start + 16)
        running = bytes.integer(UInt8.self, at: start + 17) & 1 != 0
        guard let reason = Reason(rawValue: reasonNumber) else {
            throw WireError(.malformed, "reason \(reasonNumber) is unknown")
        }
        self.reason = reason
        guard id.rawValue > 0, id.rawValue < 1 << 63 else { throw WireError(.malformed, "\(id.rawValue) is not an id") }
    }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(id.rawValue)
        buffer.append(token)
        buffer.append(reason.rawValue)
        buffer.append(UInt8(running ? 1 : 0))
        buffer.append(UInt16(0))
        buffer.append(UInt32(0))
    }
}

/// A counter of tokens stands in the journal as a number with a sign; one above it was never given.
func checkToken(_ token: UInt64) throws(WireError) {
    guard token < 1 << 63 else { throw WireError(.malformed, "\(token) is not a token") }
}
