import StatexProtocol
import Testing

@testable import StatexWorkerCore

@Suite("Draining")
struct DrainTests {
    let worker = TestWorker { $0.drainLimit = 10 * second }

    init() { worker.connect() }

    @Test("An idle worker says goodbye at once")
    func idle() {
        worker.drain()
        #expect(worker.out.goodbye)
    }

    @Test("What has not started is handed back, what runs is finished, and goodbye waits for durability")
    func drains() throws {
        for token in 1...3 { worker.lease(UInt64(token)) }
        worker.start(1)
        worker.drain()
        #expect(worker.credit == 0)
        #expect(worker.out.credit)
        #expect(worker.withdrawals() == [2, 3])
        worker.withdraw(2)
        worker.withdraw(3)
        #expect(try worker.outcomes() == [.init(token: 2, ending: .returned), .init(token: 3, ending: .returned)])
        worker.durable(2)
        worker.durable(3)
        #expect(!worker.out.goodbye)
        worker.end(1)
        #expect(try worker.outcomes() == [.init(token: 1, ending: .succeeded)])
        #expect(!worker.out.goodbye)
        worker.durable(1)
        #expect(worker.out.goodbye)
    }

    @Test("A job that a slot took before it could be handed back is finished")
    func takenMeanwhile() throws {
        worker.lease(1)
        worker.drain()
        worker.start(1)
        worker.end(1)
        #expect(try worker.outcomes() == [.init(token: 1, ending: .succeeded)])
    }

    @Test("What is left of a journal that was restored does not hold up the drain once it was refused")
    func formerJournal() throws {
        for token in 1...2 { worker.lease(UInt64(token)) }
        worker.start(1)
        worker.end(1)
        worker.disconnect()
        worker.connect(session: 2, incarnation: 78)
        #expect(try worker.claims().map(\.incarnation) == [77])
        #expect(try worker.outcomes() == [.init(token: 1, ending: .succeeded)])
        #expect(worker.accepts(worker.header(.revoke, session: 2)))
        worker.revoke(2, .notHeld)
        worker.withdraw(2)
        worker.drain()
        #expect(!worker.out.goodbye)
        // The same number in the journal of now is no answer.
        worker.stale(1, incarnation: 78)
        #expect(!worker.out.goodbye)
        #expect(worker.accepts(worker.header(.stale, session: 2)))
        worker.stale(1)
        #expect(worker.out.goodbye)
        #expect(worker.kept == 0)
    }

    @Test("A lease that arrives while draining is handed back")
    func leaseMeanwhile() throws {
        worker.lease(1)
        worker.start(1)
        worker.drain()
        #expect(!worker.lease(2))
        #expect(try worker.outcomes() == [.init(token: 2, ending: .returned)])
    }

    @Test("Past the limit, running jobs are told to stop, and are handed back when they do")
    func limit() throws {
        worker.lease(1)
        worker.lease(2)
        worker.start(1)
        worker.start(2)
        worker.drain()
        for _ in 0..<10 {
            worker.tick(after: second)
            _ = worker.accepts(worker.header(.heartbeat))
        }
        #expect(worker.stops() == [1: .drained, 2: .drained])
        worker.end(1, .failed, body: [1, 65])
        worker.end(2)
        #expect(
            try worker.outcomes() == [.init(token: 1, ending: .returned), .init(token: 2, ending: .succeeded)])
    }

    @Test("A handler that ignores the order to stop is given up, its job handed back, its late end ignored")
    func ignoresStop() throws {
        worker.lease(1)
        worker.start(1)
        worker.drain()
        worker.drain()
        worker.tick()
        #expect(worker.stops() == [1: .drained])
        worker.tick(after: 2 * second)
        #expect(try worker.outcomes() == [.init(token: 1, ending: .returned)])
        worker.end(1)
        #expect(try worker.outcomes().isEmpty)
        worker.durable(1)
        #expect(worker.out.goodbye)
    }

    @Test("An operator's drain hands back what has not started, and lets what runs take its time")
    func noHurry() throws {
        worker.lease(1)
        worker.lease(2)
        worker.start(1)
        worker.drainWanted()
        worker.drainWanted()
        #expect(worker.withdrawals() == [2])
        worker.withdraw(2)
        for _ in 0..<100 {
            worker.tick(after: second)
            _ = worker.accepts(worker.header(.heartbeat))
        }
        #expect(worker.stops().isEmpty && worker.credit == 0)
        worker.end(1)
        worker.durable(2)
        #expect(!worker.out.goodbye)
        worker.durable(1)
        #expect(worker.out.goodbye)
    }

    @Test("A signal during an operator's drain sets the usual limit, a second one ends the patience")
    func hurryLater() {
        worker.lease(1)
        worker.start(1)
        worker.drainWanted()
        worker.drain()
        worker.tick(after: 9 * second)
        #expect(worker.stops().isEmpty)
        worker.drain()
        #expect(worker.stops() == [1: .drained])
    }

    @Test("After an operator's drain the wait for durability is bounded all the same")
    func noSchedulerNoHurry() {
        worker.lease(1)
        worker.end(1)
        worker.drainWanted()
        worker.disconnect()
        worker.tick(after: 5 * second)
        #expect(worker.out.goodbye)
    }

    @Test("Without a scheduler the wait for durability ends at the limit")
    func noScheduler() {
        worker.lease(1)
        worker.end(1)
        worker.disconnect()
        worker.drain()
        #expect(!worker.out.goodbye)
        worker.tick(after: 10 * second)
        #expect(worker.out.goodbye)
        #expect(worker.kept == 1)
    }

    @Test("Outcomes are offered to a scheduler that comes back while draining")
    func reconnectWhileDraining() throws {
        worker.lease(1)
        worker.end(1)
        worker.disconnect()
        worker.drain()
        worker.connect(session: 2, epoch: 2)
        #expect(try worker.outcomes() == [.init(token: 1, ending: .succeeded)])
        worker.durable(1)
        #expect(worker.out.goodbye)
    }
}
