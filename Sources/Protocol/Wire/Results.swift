// AWAIT, RESULTS, CANCEL, CANCELLED, STATUS: what a client asks of jobs that it knows by id.

/// One id that a client asks about.
public struct AwaitRecord: Sendable, Equatable {
    public static let size = 16

    public var id: JobID
    /// The id names a request: answer for each of its jobs.
    public var isRequest: Bool
    /// Answer when the job is final; else answer now.
    public var waits: Bool
    /// Of one that waits: tell how far it is until then.
    public var follows: Bool

    public init(_ id: JobID, isRequest: Bool, waits: Bool, follows: Bool = false) {
        self.id = id
        self.isRequest = isRequest
        self.waits = waits
        self.follows = follows
    }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "await record")
        id = JobID(rawValue: bytes.integer(UInt64.self, at: start))
        let flags = bytes.integer(UInt32.self, at: start + 8)
        isRequest = flags & 1 != 0
        waits = flags & 2 != 0
        follows = flags & 4 != 0
        guard id.rawValue > 0, id.rawValue < 1 << 63 else { throw WireError(.malformed, "\(id.rawValue) is not an id") }
    }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(id.rawValue)
        buffer.append(UInt32(isRequest ? 1 : 0) | UInt32(waits ? 2 : 0) | UInt32(follows ? 4 : 0))
        buffer.append(UInt32(0))
    }
}

/// How one job stands: the fixed fields of a RESULTS record.
public struct ResultRecord: Sendable, Equatable {
    public static let size = 40

    public var id: JobID
    /// Which job of its request, and of how many; the request's id is `id - index`.
    public var index: UInt16
    public var count: UInt16
    /// nil: no job of this id is known.
    public var state: JobState?
    public var encoding: Encoding
    public var attempts: UInt16
    public var losses: UInt16
    /// Microseconds since 1970; 0 while open.
    public var ended: Int64
    public var kindLength: UInt8
    /// Succeeded: the result. Else, when final: an error as `ErrorText` writes it, or empty.
    public var bodyLength: UInt32
    /// Where kind and body stand in the message that was read.
    public var kindStart = 0
    public var bodyStart = 0

    public init(id: JobID, index: UInt16 = 0, count: UInt16 = 1, state: JobState?) {
        self.id = id
        self.index = index
        self.count = count
        self.state = state
        encoding = .bytes
        attempts = 0
        losses = 0
        ended = 0
        kindLength = 0
        bodyLength = 0
    }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "result")
        id = JobID(rawValue: bytes.integer(UInt64.self, at: start))
        index = bytes.integer(UInt16.self, at: start + 8)
        count = bytes.integer(UInt16.self, at: start + 10)
        let stateNumber = bytes.integer(UInt8.self, at: start + 12)
        let encodingNumber = bytes.integer(UInt8.self, at: start + 13)
        attempts = bytes.integer(UInt16.self, at: start + 14)
        losses = bytes.integer(UInt16.self, at: start + 16)
        kindLength = bytes.integer(UInt8.self, at: start + 18)
        ended = bytes.integer(Int64.self, at: start + 24)
        bodyLength = bytes.integer(UInt32.self, at: start + 32)
        state = JobState(rawValue: stateNumber)
        guard stateNumber == 0 || state != nil else {
            throw WireError(.malformed, "job state \(stateNumber) is unknown")
        }
        guard let encoding = Encoding(rawValue: encodingNumber) else {
            throw WireError(.malformed, "encoding \(encodingNumber) is unknown")
        }
        self.encoding = encoding
        guard Int(bodyLength) <= Limits.inlineBytes else {
            throw WireError(.tooLarge, "a result has \(bodyLength) bytes, the limit is \(Limits.inlineBytes)")
        }
        guard index < count || count == 0, UInt64(index) < id.rawValue else {
            throw WireError(.malformed, "job \(index) of \(count) is out of range")
        }
        kindStart = try cursor.take(Int(kindLength), in: bytes, "kind")
        bodyStart = try cursor.take(Int(bodyLength), in: bytes, "result")
    }

    /// Writes the fixed fields; `kindLength` and `bodyLength` bytes must follow.
    public func write(to buffer: inout ByteBuffer) {
        buffer.append(id.rawValue)
        buffer.append(index)
        buffer.append(count)
        buffer.append(state?.rawValue ?? 0)
        buffer.append(encoding.rawValue)
        buffer.append(attempts)
        buffer.append(losses)
        buffer.append(kindLength)
        buffer.append(UInt8(0))
        buffer.append(UInt32(0))
        buffer.append(ended)
        buffer.append(bodyLength)
        buffer.append(UInt32(0))
    }
}

/// An error as it is stored and sent: class length (1 byte), class, message.
public struct ErrorText: Sendable, Equatable {
    public var errorClass: String
    public var message: String

    public init(_ errorClass: String, _ message: String) {
        self.errorClass = errorClass
        self.message = message
    }

    public init(reading bytes: borrowing RawSpan) throws(WireError) {
        var cursor = ByteCursor()
        let length = Int(try cursor.read(UInt8.self, in: bytes, "class length"))
        guard length <= Limits.errorClassBytes else {
            throw WireError(.tooLarge, "an error class has \(length) bytes, the limit is \(Limits.errorClassBytes)")
        }
        errorClass = try cursor.text(length, in: bytes, "error class")
        message = try cursor.text(cursor.remaining(in: bytes), in: bytes, "error message")
    }

    public var length: Int { 1 + errorClass.utf8.count + message.utf8.count }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(UInt8(truncatingIfNeeded: errorClass.utf8.count))
        buffer.append(errorClass)
        buffer.append(message)
    }
}

/// One id to cancel, in CANCEL; and in CANCELLED how many jobs that ended or will end.
public struct CancelRecord: Sendable, Equatable {
    public static let size = 16

    public var id: JobID
    public var isRequest: Bool
    /// In the answer: open jobs that the order reached. 0: all were final already, or unknown.
    public var jobs: UInt32

    public init(_ id: JobID, isRequest: Bool, jobs: UInt32 = 0) {
        self.id = id
        self.isRequest = isRequest
        self.jobs = jobs
    }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "cancel record")
        id = JobID(rawValue: bytes.integer(UInt64.self, at: start))
        isRequest = bytes.integer(UInt32.self, at: start + 8) & 1 != 0
        jobs = bytes.integer(UInt32.self, at: start + 12)
        guard id.rawValue > 0, id.rawValue < 1 << 63 else { throw WireError(.malformed, "\(id.rawValue) is not an id") }
    }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(id.rawValue)
        buffer.append(UInt32(isRequest ? 1 : 0))
        buffer.append(jobs)
    }
}

/// STATUS_REPLY: the scheduler's status as JSON text.
public enum StatusReply {
    public static func write(_ json: borrowing RawSpan, stamp: SessionStamp, to buffer: inout ByteBuffer) {
        Header(.statusReply, stamp: stamp).write(to: &buffer)
        buffer.append(json)
    }

    public static func read(_ bytes: borrowing RawSpan, header: Header) throws(WireError) -> String {
        try bytes.text(Int(header.headerLength)..<bytes.byteCount, "status")
    }
}
