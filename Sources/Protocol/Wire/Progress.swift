// REPORT, PROGRESS, CHECKPOINT: what an attempt says before it ends.

/// How far an attempt is, and a piece of what it puts out: from its worker in REPORT, to who follows it in
/// PROGRESS. Fixed fields, then text, then piece.
///
/// `offset` counts the bytes of output before the piece, whether they were sent or not. So each reader sees for
/// itself when something was left out before a piece: for want of room, or because it came late.
public struct ProgressRecord: Sendable, Equatable {
    public static let size = 40
    /// In place of a fraction: as before.
    private static let sameFraction: UInt16 = 0xFFFF
    /// A whole, in the units of the wire.
    private static let whole: UInt16 = 10_000

    public var id: JobID
    /// Of the lease that speaks: another one begins anew, with an offset of 0.
    public var token: UInt64
    public var offset: UInt64
    /// From 1. In REPORT 0: the token says it.
    public var attempt: UInt16
    /// In PROGRESS which job of its request, from 0.
    public var index: UInt16
    /// In ten-thousandths, 0 to 10,000; nil: fraction and text are as before.
    public var fraction: UInt16?
    public var textLength: UInt16
    public var pieceLength: UInt32
    /// Where text and piece stand in the message that was read.
    public var textStart = 0
    public var pieceStart: Int { textStart + Int(textLength) }

    public init(_ id: JobID, token: UInt64 = 0, offset: UInt64 = 0) {
        self.id = id
        self.token = token
        self.offset = offset
        attempt = 0
        index = 0
        textLength = 0
        pieceLength = 0
    }

    /// A fraction as the wire has it; what is none becomes 0.
    public static func fraction(of value: Double) -> UInt16 {
        value.isFinite ? UInt16((min(max(value, 0), 1) * Double(whole)).rounded()) : 0
    }

    public static func value(ofFraction fraction: UInt16) -> Double { Double(fraction) / Double(whole) }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "progress")
        id = JobID(rawValue: bytes.integer(UInt64.self, at: start))
        token = bytes.integer(UInt64.self, at: start + 8)
        try checkToken(token)
        offset = bytes.integer(UInt64.self, at: start + 16)
        attempt = bytes.integer(UInt16.self, at: start + 24)
        index = bytes.integer(UInt16.self, at: start + 26)
        let fractionNumber = bytes.integer(UInt16.self, at: start + 28)
        textLength = bytes.integer(UInt16.self, at: start + 30)
        pieceLength = bytes.integer(UInt32.self, at: start + 32)
        fraction = fractionNumber == Self.sameFraction ? nil : fractionNumber
        guard id.rawValue > 0, id.rawValue < 1 << 63 else { throw WireError(.malformed, "\(id.rawValue) is not an id") }
        guard UInt64(index) < id.rawValue else {
            throw WireError(.malformed, "job \(index) of its request has id \(id)")
        }
        guard offset < 1 << 53 else { throw WireError(.malformed, "an offset of \(offset) bytes is out of range") }
        if let fraction, fraction > Self.whole {
            throw WireError(.malformed, "a fraction of \(fraction) ten-thousandths is more than the whole")
        }
        guard Int(textLength) <= Limits.progressTextBytes else {
            throw WireError(
                .tooLarge, "a progress text has \(textLength) bytes, the limit is \(Limits.progressTextBytes)")
        }
        guard Int(pieceLength) <= Limits.inlineBytes else {
            throw WireError(.tooLarge, "a piece has \(pieceLength) bytes, the limit is \(Limits.inlineBytes)")
        }
        textStart = try cursor.take(Int(textLength), in: bytes, "progress text")
        let pieceStart = try cursor.take(Int(pieceLength), in: bytes, "piece")
        _ = try bytes.text(textStart..<pieceStart, "progress text")
        _ = try bytes.text(pieceStart..<pieceStart + Int(pieceLength), "piece")
    }

    /// Writes the fixed fields; text and piece must follow.
    public func write(to buffer: inout ByteBuffer) {
        buffer.append(id.rawValue)
        buffer.append(token)
        buffer.append(offset)
        buffer.append(attempt)
        buffer.append(index)
        buffer.append(fraction ?? Self.sameFraction)
        buffer.append(textLength)
        buffer.append(pieceLength)
        buffer.append(UInt32(0))
    }
}

/// What an attempt would need to go on where it is; only its handler understands it. Fixed fields, then the data.
public struct CheckpointRecord: Sendable, Equatable {
    public static let size = 24

    public var id: JobID
    public var token: UInt64
    public var length: UInt32
    /// Where the data stands in the message that was read.
    public var start = 0

    public init(_ id: JobID, token: UInt64, length: Int) {
        self.id = id
        self.token = token
        self.length = UInt32(length)
    }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "checkpoint")
        id = JobID(rawValue: bytes.integer(UInt64.self, at: start))
        token = bytes.integer(UInt64.self, at: start + 8)
        try checkToken(token)
        length = bytes.integer(UInt32.self, at: start + 16)
        guard id.rawValue > 0, id.rawValue < 1 << 63 else { throw WireError(.malformed, "\(id.rawValue) is not an id") }
        guard Int(length) <= Limits.checkpointBytes else {
            throw WireError(.tooLarge, "a checkpoint has \(length) bytes, the limit is \(Limits.checkpointBytes)")
        }
        self.start = try cursor.take(Int(length), in: bytes, "checkpoint data")
    }

    /// Writes the fixed fields; the data must follow.
    public func write(to buffer: inout ByteBuffer) {
        buffer.append(id.rawValue)
        buffer.append(token)
        buffer.append(length)
        buffer.append(UInt32(0))
    }
}
