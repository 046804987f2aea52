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
}
