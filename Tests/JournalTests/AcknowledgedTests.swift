import StatexHandOff
import StatexProtocol
import Testing

@testable import StatexJournal

@Suite("Acknowledged ids")
struct AcknowledgedTests {
    private func id(_ hour: UInt64, _ counter: UInt64) -> UInt64 { hour << 43 | counter }

    @Test("What is missing is one range an hour")
    func hours() {
        var ids = AcknowledgedIDs(from: id(10, 5))
        for next in [id(10, 7), id(10, 9), id(11, 4), id(11, 4), id(13, 2)] { ids.committed(nextID: next) }
        #expect(ids.missing(from: id(13, 2)) == [])
        #expect(ids.missing(from: id(13, 1)) == [id(13, 1)..<id(13, 2)])
        #expect(ids.missing(from: id(11, 4)) == [id(13, 0)..<id(13, 2)])
        #expect(ids.missing(from: id(10, 8)) == [id(10, 8)..<id(10, 9), id(11, 0)..<id(11, 4), id(13, 0)..<id(13, 2)])
    }

    @Test("What was given before the owner began is missing as one range")
    func before() {
        var ids = AcknowledgedIDs(from: id(10, 5))
        ids.committed(nextID: id(10, 9))
        #expect(ids.missing(from: id(10, 3)) == [id(10, 3)..<id(10, 9)])
        ids.committed(nextID: id(12, 1))
        #expect(ids.missing(from: id(8, 3)) == [id(8, 3)..<id(10, 9), id(12, 0)..<id(12, 1)])
    }

    @Test("Ids are forgotten by the hour, the oldest first")
    func bounded() {
        var ids = AcknowledgedIDs(from: 0)
        for hour in 1...5_000 as ClosedRange<UInt64> { ids.committed(nextID: id(hour, 1)) }
        let missing = ids.missing(from: 0)
        #expect(missing.count == 1_200)
        #expect(missing.last == id(5_000, 0)..<id(5_000, 1))
    }

    @Test("A report names a day of ranges and counts the others")
    func text() {
        #expect(
            LostCommits(acknowledged: 9, left: 7, jobs: [3..<4, 8..<11]).description
                == "commit 9 was acknowledged and the chain goes to 7; acknowledged jobs that vanished: 3, 8 to 10")
        let many = (0..<1_200).map { UInt64($0) * 10..<UInt64($0) * 10 + 5 }
        let text = LostCommits(acknowledged: 9, left: 0, jobs: many).description
        #expect(text.hasSuffix("230 to 234, and 1176 ranges more up to 11994"))
        #expect(LostCommits(acknowledged: 9, left: 8, jobs: []).description.contains("no job vanished"))
    }
}
