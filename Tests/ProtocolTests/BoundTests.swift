import StatexProtocol
import Testing

/// What would be too much for a field or for the journal.
@Suite("Bounds of texts and tokens") struct BoundTests {
    private static let stamp = SessionStamp(session: 1, incarnation: 2, epoch: 3)

    @Test("A text for people that is longer than a message may be is cut between two characters")
    func longTexts() throws {
        var reply = OrderReply(number: 7)
        reply.message = "still paused: " + String(repeating: "kind für-alles, ", count: 5_000)
        var buffer = ByteBuffer(capacity: 1_024)
        reply.write(to: &buffer, stamp: Self.stamp)
        let header = try Header(reading: buffer.bytes)
        let read = try OrderReply(reading: buffer.bytes, header: header)
        #expect(read.message.utf8.count <= Limits.textBytes && read.message.utf8.count > Limits.textBytes - 8)
        #expect(read.message.hasSuffix("…") && reply.message.hasPrefix(read.message.dropLast()))

        let error = WireError(.unknown, String(repeating: "e\u{301}", count: 100_000))
        #expect(error.message.utf8.count <= 4_000)
    }

    @Test("A token that no journal gave is refused, whoever speaks of it", arguments: [UInt64(1) << 63, .max])
    func tokens(token: UInt64) throws {
        var claim = ByteBuffer(capacity: 256)
        Header(.claim, recordLength: TokenRecord.size, stamp: Self.stamp, count: 1).write(to: &claim)
        TokenRecord(JobID(rawValue: 5), token: token).write(to: &claim)
        let header = try Header(reading: claim.bytes)
        var cursor = try header.recordCursor(atLeast: TokenRecord.size)
        #expect(throws: WireError.self) { try TokenRecord(reading: &cursor, header: header, in: claim.bytes) }

        var outcome = ByteBuffer(capacity: 256)
        OutcomeRecord.begin(credit: 0, stamp: Self.stamp, to: &outcome)
        OutcomeRecord(id: JobID(rawValue: 5), token: token, ending: .succeeded).write(to: &outcome)
        Header.setCount(1, in: &outcome)
        let outcomes = try Header(reading: outcome.bytes)
        var place = try outcomes.recordCursor(atLeast: OutcomeRecord.size)
        let error = #expect(throws: WireError.self) {
            try OutcomeRecord(reading: &place, header: outcomes, in: outcome.bytes)
        }
        #expect(error?.message.hasSuffix("is not a token") == true)
    }
}
