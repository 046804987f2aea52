import StatexProtocol
import Testing

@testable import StatexBroker

@Suite("What waits for the journal in the broker")
struct BoundTests {
    @Test("Submits with keys are taken up to a number of bytes, and again when the journal has answered")
    func keys() throws {
        var submits = KeyedSubmits()
        let submit = KeyedSubmit(session: 1, bytes: [UInt8](repeating: 0, count: Limits.messageBytes))
        var taken: UInt64 = 0
        while submits.hasRoom, taken < 1_000 {
            submits.park(submit, tag: taken)
            taken += 1
        }
        #expect(Int(taken) * Limits.messageBytes == KeyedSubmits.bytes)
        #expect(submits.take(taken) == nil)
        #expect(!submits.hasRoom)
        #expect(submits.take(3)?.bytes.count == Limits.messageBytes)
        #expect(submits.hasRoom)
    }

    private func record(_ id: UInt64) -> Lookups.Asked {
        .init(client: 1, record: AwaitRecord(JobID(rawValue: id), isRequest: true, waits: false))
    }

    @Test("Look-ups go to the journal some at a time, in the order in which they came, and no more wait than may")
    func lookups() throws {
        var lookups = Lookups()
        var asked: UInt64 = 0
        var begun: [UInt64] = []
        for _ in 0..<20 {
            while !lookups.isFull {
                asked += 1
                lookups.ask(record(asked))
            }
            #expect(asked - UInt64(begun.count) == Lookups.waiting)
            var now = 0
            while let next = lookups.next(now) {
                begun.append(next.record.id.rawValue)
                now += 1
            }
            #expect(now == Lookups.underWay)
            lookups.began(now)
            #expect(lookups.next(0) == nil)
            lookups.ended(now)
        }
        #expect(begun == Array(1...UInt64(begun.count)))
    }

    @Test("The other jobs of a request stand in one place until their turn comes")
    func others() {
        var asked = record(40)
        #expect(asked.records.map(\.isRequest) == [true])
        asked.count = 4_096
        #expect(asked.records.count == 4_095)
        #expect(asked.records.first?.id.rawValue == 41 && asked.records.last?.id.rawValue == 4_135)
        #expect(asked.records.allSatisfy { !$0.isRequest })
    }
}
