import StatexProtocol

/// What a running attempt said of itself and the scheduler has not heard yet. Only attempts that said something
/// have one.
struct LeaseReports {
    /// In ten-thousandths, and the words beside it; nil: it said nothing of how far it is.
    private(set) var progress: (fraction: UInt16, text: [UInt8])?
    /// To be told, though maybe told before to somebody else.
    var isProgressNew = false

    /// Output that was not sent: UTF-8. What does not fit is left out.
    private(set) var output: [UInt8] = []
    /// Bytes of output before `output`.
    private(set) var offset: UInt64 = 0
    /// Bytes that were left out behind `output`.
    private(set) var leftOut: UInt64 = 0
    /// The last record told of what was left out.
    private var toldOffset: UInt64 = 0

    /// When REPORT last had something of it.
    var sentAt = Int64.min
    /// It stands among those that wait for their next REPORT.
    var isListed = false

    /// The latest checkpoint that was not sent.
    var checkpoint: [UInt8]?
    /// The one that was sent and is not durable yet: in a new session it is sent again.
    var sentCheckpoint: [UInt8]?
    var checkpointSentAt = Int64.min

    /// Output that waits, at most.
    static let outputBytes = Limits.inlineBytes

    var hasNews: Bool { isProgressNew || !output.isEmpty || offset > toldOffset }

    mutating func progressed(_ fraction: UInt16, _ text: [UInt8]) {
        progress = (fraction, text)
        isProgressNew = true
    }

    /// - Parameter leftOut: bytes that were left out behind the piece.
    mutating func put(_ piece: [UInt8], leftOut missing: UInt64) {
        if leftOut == 0, output.count + piece.count <= Self.outputBytes {
            output.append(contentsOf: piece)
        } else {
            // A piece behind a gap is left out too: what is sent has no hole.
            leftOut += UInt64(piece.count)
        }
        leftOut += missing
        skipGap()
    }

    /// Takes the next piece, at most `limit` bytes, cut between characters.
    mutating func take(atMost limit: Int) -> (offset: UInt64, piece: [UInt8]) {
        var end = min(output.count, limit)
        while end < output.count, end > 0, output[end] & 0xC0 == 0x80 { end -= 1 }
        let piece = (offset, Array(output[..<end]))
        output.removeFirst(end)
        offset += UInt64(end)
        toldOffset = offset
        skipGap()
        return piece
    }

    private mutating func skipGap() {
        guard output.isEmpty else { return }
        offset += leftOut
        leftOut = 0
    }
}

/// What a handler said since it was last asked: the latest progress, its output in order, the latest checkpoint.
package struct AttemptReport: Sendable {
    package var handle: LeaseHandle
    /// In ten-thousandths.
    package var fraction: UInt16?
    package var text: [UInt8] = []
    package var output: [UInt8] = []
    /// Bytes that had no room behind `output`.
    package var leftOut: UInt64 = 0
    package var checkpoint: [UInt8]?

    package init(_ handle: LeaseHandle) { self.handle = handle }

    /// Output that is held for one attempt until it is taken.
    private static let outputBytes = Limits.inlineBytes

    package mutating func progressed(_ fraction: UInt16, _ text: [UInt8]) {
        self.fraction = fraction
        self.text = text
    }

    package mutating func put(_ piece: [UInt8]) {
        if leftOut == 0, output.count + piece.count <= Self.outputBytes {
            output.append(contentsOf: piece)
        } else {
            leftOut += UInt64(piece.count)
        }
    }
}
