// Every message is one frame: this header, the fields of its type, then `count` packed records.
// `docs/protocol.md` is the specification; the offsets below are its twin.

public enum MessageType: UInt8, Sendable, CaseIterable {
    // Both roles.
    case hello = 1
    case welcome = 2
    case fault = 3
    case heartbeat = 4
    case goodbye = 5
    // Client and scheduler.
    case submit = 16
    case accepted = 17
    case refused = 18
    case await = 19
    case results = 20
    case cancel = 21
    case cancelled = 22
    case status = 23
    case statusReply = 24
    case order = 25
    case orderReply = 26
    case explain = 27
    case explanations = 28
    case progress = 30
    // Worker and scheduler.
    case credit = 32
    case leases = 33
    case outcomes = 34
    case durable = 35
    case stale = 36
    case claim = 37
    case revoke = 38
    case offerAgain = 39
    case kept = 40
    case drain = 41
    case follow = 44
    case report = 45
    case checkpoint = 46
    case checkpointed = 47
    // To who subscribes.
    case events = 48
    case workerEvents = 49
}

/// The first 32 bytes of every message.
public struct Header: Sendable, Equatable {
    public static let size = 32
    public static let magic: UInt16 = 0x5853  // "SX"
    public static let version: UInt8 = 1
    /// What every message of a type begins with: who wants those alone subscribes to it.
    public static let topicBytes = 4
    public static func topic(_ type: MessageType) -> [UInt8] { [0x53, 0x58, version, type.rawValue] }

    public var type: MessageType
    /// Where the records (or the body) begin: this header and the type's own fields.
    public var headerLength: UInt16
    /// The fixed part of each record. A longer one than is known here has fields that are skipped.
    public var recordLength: UInt16
    /// Given by the scheduler in WELCOME; 0 before.
    public var session: UInt64
    /// The journal incarnation; 0 before WELCOME.
    public var incarnation: UInt64
    public var epoch: UInt32
    public var count: UInt32

    public init(
        _ type: MessageType, fields: Int = 0, recordLength: Int = 0, session: UInt64 = 0, incarnation: UInt64 = 0,
        epoch: UInt32 = 0, count: Int = 0
    ) {
        self.type = type
        headerLength = UInt16(Self.size + fields)
        self.recordLength = UInt16(recordLength)
        self.session = session
        self.incarnation = incarnation
        self.epoch = epoch
        self.count = UInt32(count)
    }

    /// Reads and checks the header of any message.
    public init(reading bytes: borrowing RawSpan) throws(WireError) {
        guard bytes.byteCount >= Self.size else {
            throw WireError(.malformed, "the message has \(bytes.byteCount) bytes, a header has \(Self.size)")
        }
        guard bytes.byteCount <= Limits.messageBytes else {
            throw WireError(.tooLarge, "the message has \(bytes.byteCount) bytes, the limit is \(Limits.messageBytes)")
        }
        guard bytes.integer(UInt16.self, at: 0) == Self.magic else {
            throw WireError(.malformed, "the message does not begin with the bytes S X")
        }
        let version = bytes.integer(UInt8.self, at: 2)
        guard version == Self.version else {
            throw WireError(.version, "version \(version) is not spoken here; spoken: \(Self.version)")
        }
        let number = bytes.integer(UInt8.self, at: 3)
        guard let type = MessageType(rawValue: number) else {
            throw WireError(.type, "message type \(number) is unknown")
        }
        self.type = type
        headerLength = bytes.integer(UInt16.self, at: 4)
        recordLength = bytes.integer(UInt16.self, at: 6)
        session = bytes.integer(UInt64.self, at: 8)
        incarnation = bytes.integer(UInt64.self, at: 16)
        epoch = bytes.integer(UInt32.self, at: 24)
        count = bytes.integer(UInt32.self, at: 28)
        guard Int(headerLength) >= Self.size, Int(headerLength) <= bytes.byteCount else {
            throw WireError(
                .malformed, "header length \(headerLength) does not fit a message of \(bytes.byteCount) bytes")
        }
        guard Int(count) <= Limits.recordsInMessage else {
            throw WireError(.tooLarge, "\(count) records in one message, the limit is \(Limits.recordsInMessage)")
        }
        // So a count never reserves more than the bytes left could hold.
        guard Int(count) * Int(recordLength) <= bytes.byteCount - Int(headerLength) else {
            throw WireError(.malformed, "\(count) records of \(recordLength) bytes do not fit the message")
        }
    }

    /// A cursor at the type's own fields, which must be at least `fields` bytes.
    public func fieldCursor(atLeast fields: Int) throws(WireError) -> ByteCursor {
        guard Int(headerLength) >= Self.size + fields else {
            throw WireError(.malformed, "header length \(headerLength) is under \(Self.size + fields)")
        }
        return ByteCursor(at: Self.size)
    }

    /// A cursor at the records, whose fixed part must be at least `size` bytes.
    public func recordCursor(atLeast size: Int) throws(WireError) -> ByteCursor {
        guard count == 0 || Int(recordLength) >= size else {
            throw WireError(.malformed, "record length \(recordLength) is under \(size)")
        }
        return ByteCursor(at: Int(headerLength))
    }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(Self.magic)
        buffer.append(Self.version)
        buffer.append(type.rawValue)
        buffer.append(headerLength)
        buffer.append(recordLength)
        buffer.append(session)
        buffer.append(incarnation)
        buffer.append(epoch)
        buffer.append(count)
    }

    /// Sets the number of records of the message at the start of `buffer`, once it is known.
    public static func setCount(_ count: Int, in buffer: inout ByteBuffer) {
        buffer.replace(at: 28, with: UInt32(count))
    }
}

/// What every message of a session carries.
public struct SessionStamp: Sendable, Equatable {
    public var session: UInt64
    public var incarnation: UInt64
    public var epoch: UInt32

    public init(session: UInt64 = 0, incarnation: UInt64 = 0, epoch: UInt32 = 0) {
        self.session = session
        self.incarnation = incarnation
        self.epoch = epoch
    }
}

extension Header {
    public init(_ type: MessageType, fields: Int = 0, recordLength: Int = 0, stamp: SessionStamp, count: Int = 0) {
        self.init(
            type, fields: fields, recordLength: recordLength, session: stamp.session, incarnation: stamp.incarnation,
            epoch: stamp.epoch, count: count)
    }

    public var stamp: SessionStamp { SessionStamp(session: session, incarnation: incarnation, epoch: epoch) }
}
