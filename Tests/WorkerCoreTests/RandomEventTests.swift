import StatexProtocol
import Testing

@testable import StatexWorkerCore

@Suite("Random events")
struct RandomEventTests {
    @Test(
        "Whatever comes in whatever order, the counts agree and nothing is lost",
        arguments: 1...12 as ClosedRange<UInt64>)
    func randomEvents(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        let worker = TestWorker(slots: 3)
        worker.connect()
        var session: UInt64 = 1
        var next: UInt64 = 1
        func token() -> UInt64 { 1 + random.next() % max(next, 1) }
        for _ in 0..<1_000 {
            switch random.next() % 12 {
            case 0, 1, 2:
                worker.lease(next, kind: UInt16(random.next() % 3), limit: UInt32(random.next() % 3))
                next += 1
            case 3, 4: worker.start(token())
            case 5, 6: worker.end(token(), random.next() % 2 == 0 ? .succeeded : .failed, body: [1, 65])
            case 7: worker.durable(token())
            case 8:
                switch random.next() % 4 {
                case 0: worker.revoke(token(), .cancelled)
                case 1: worker.revoke(token(), .notHeld)
                case 2: worker.stale(token())
                default: worker.withdraw(token())
                }
            case 9: _ = try worker.outcomes()
            case 10: worker.tick(after: Int64(random.next() % 5) * millisecond)
            default:
                guard random.next() % 8 == 0 else { continue }
                worker.disconnect()
                session += 1
                worker.connect(session: session, incarnation: 77 + session / 8, epoch: UInt32(session))
            }
            _ = worker.stops()
        }
        // Every lease that is left ends, and every outcome becomes durable: nothing may stay behind.
        for token in 1...next { worker.end(token) }
        for message in try worker.sendOutcomes() {
            for record in message.1 { worker.durable(record.token, incarnation: message.0.incarnation) }
        }
        worker.offersWanted()
        for message in try worker.sendOutcomes() {
            for record in message.1 { worker.durable(record.token, incarnation: message.0.incarnation) }
        }
        #expect(worker.kept == 0)
        #expect(worker.heartbeat.held == 0)
        worker.drain()
        #expect(worker.out.goodbye)
    }

    @Test("The token index finds what is in it and nothing else", arguments: 1...10 as ClosedRange<UInt64>)
    func tokenIndex(seed: UInt64) {
        var random = SplitMix64(state: seed)
        var index = TokenIndex()
        var truth: [UInt64: Int] = [:]
        for _ in 0..<20_000 {
            // Few distinct keys, and multiples of a power of two, so that probes collide.
            let counter = random.next() % 500 * (random.next() % 2 == 0 ? 1 : 64)
            if random.next() % 2 == 0 {
                let row = Int(random.next() % 1_000)
                let isNew = truth[counter] == nil
                if index.insert(counter, 3, row: row) != isNew { Issue.record("\(counter) was inserted wrongly") }
                if isNew { truth[counter] = row }
            } else {
                index.remove(counter, 3)
                truth[counter] = nil
            }
        }
        #expect(index.count == truth.count)
        let wrong = (0..<32_000 as Range<UInt64>).filter { index.find($0, 3) != truth[$0] }
        #expect(wrong.isEmpty)
        #expect(index.find(1, 4) == nil)
    }
}
