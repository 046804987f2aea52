import StatexProtocol
import Testing

@testable import StatexWorkerCore

@Suite("Leases, revocations and limits")
struct LeaseTests {
    let worker = TestWorker()

    init() { worker.connect() }

    @Test("A lease that came twice is held once")
    func repeated() {
        #expect(worker.lease(1))
        #expect(!worker.lease(1))
        #expect(worker.heartbeat.held == 1)
        #expect(worker.counters.repeatedLeases == 1)
    }

    @Test("A kind that HELLO did not name fails as retryable, and needs no slot")
    func unknownKind() throws {
        #expect(!worker.lease(1, kind: 2))
        let message = try #require(try worker.sendOutcomes().first)
        #expect(message.1[0].ending == .failed)
        #expect(message.1[0].retryable)
        #expect(try TestWorker.error(message.bodies[0]).errorClass == "unknown_kind")
    }

    @Test("More payload than a worker may hold is handed back at once")
    func tooManyBytes() throws {
        let worker = TestWorker { $0.waitingBytes = 1_000 }
        worker.connect()
        worker.lease(1, payload: 2_001)
        #expect(!worker.lease(2, payload: 1))
        #expect(try worker.outcomes() == [.init(token: 2, ending: .returned)])
    }

    @Test(
        "Revoked before it started, a job is forgotten without an outcome",
        arguments: [TokenRecord.Reason.notHeld, .final])
    func revokedWaiting(_ reason: TokenRecord.Reason) throws {
        worker.lease(1)
        worker.revoke(1, reason)
        #expect(worker.stops() == [1: .revoked])
        worker.withdraw(1)
        #expect(worker.heartbeat.held == 0)
        #expect(try worker.outcomes().isEmpty)
    }

    @Test("Revoked while it runs, a job keeps its slot until the handler is back, and then has no outcome")
    func revokedRunning() throws {
        let worker = TestWorker(slots: 2)
        worker.connect()
        worker.lease(1)
        worker.start(1)
        #expect(worker.credit == 2)
        worker.revoke(1, .notHeld)
        #expect(worker.stops() == [1: .revoked])
        #expect(worker.credit == 1)
        worker.disconnect()
        worker.connect(session: 2)
        #expect(try worker.claims().isEmpty)
        worker.end(1)
        #expect(worker.credit == 2)
        #expect(try worker.outcomes().isEmpty)
    }

    @Test("A job that a slot took in the same instant as it was revoked has no outcome either")
    func revokedWhileTaken() throws {
        worker.lease(1)
        worker.revoke(1, .final)
        worker.start(1)
        worker.end(1)
        #expect(try worker.outcomes().isEmpty)
        #expect(worker.heartbeat.held == 0)
    }

    @Test("Cancelled before it started, a job ends as cancelled")
    func cancelledWaiting() throws {
        worker.lease(1)
        worker.revoke(1, .cancelled)
        worker.withdraw(1)
        #expect(try worker.outcomes() == [.init(token: 1, ending: .cancelled)])
    }

    @Test(
        "Cancelled while it runs, a job ends as cancelled however its handler ends",
        arguments: [Ending.succeeded, .failed])
    func cancelledRunning(_ ending: Ending) throws {
        worker.lease(1)
        worker.start(1)
        worker.revoke(1, .cancelled)
        #expect(worker.stops() == [1: .cancelled])
        #expect(try worker.outcomes().isEmpty)
        worker.end(1, ending, body: ending == .failed ? [1, 65] : [])
        #expect(try worker.outcomes() == [.init(token: 1, ending: .cancelled)])
    }

    @Test("A revocation that crosses the outcome does not forget it: the answer to the outcome does")
    func revokedEnded() {
        worker.lease(1)
        worker.end(1)
        worker.revoke(1, .notHeld)
        #expect(worker.kept == 1)
        worker.stale(1)
        #expect(worker.kept == 0)
    }

    @Test("Past its run limit a job is told to stop, and fails as a retryable timeout when it does")
    func timeout() throws {
        worker.lease(1, limit: 500)
        worker.start(1)
        #expect(worker.nextDeadline == worker.now + 500 * millisecond)
        worker.tick(after: 499 * millisecond)
        #expect(worker.stops().isEmpty)
        worker.tick(after: millisecond)
        #expect(worker.stops() == [1: .timeout])
        // It still runs, so nothing is reported.
        #expect(try worker.outcomes().isEmpty)
        worker.end(1, .failed, body: [1, 65])
        let message = try #require(try worker.sendOutcomes().first)
        #expect(try TestWorker.error(message.bodies[0]).errorClass == "timeout")
        #expect(message.1[0].retryable)
    }

    @Test("A result that comes in spite of the limit is not thrown away")
    func lateResult() throws {
        worker.lease(1, limit: 500)
        worker.start(1)
        worker.tick(after: second)
        worker.end(1, body: [5])
        #expect(try worker.sendOutcomes().first?.bodies == [[5]])
    }

    @Test("The limits of many jobs pass in their order")
    func manyLimits() {
        let worker = TestWorker(slots: 8)
        worker.connect()
        for token in 1...8 {
            worker.lease(UInt64(token), limit: UInt32(1_000 - 100 * token))
            worker.start(UInt64(token))
        }
        worker.end(8)
        worker.tick(after: 250 * millisecond)
        #expect(worker.stops().isEmpty)
        worker.tick(after: 100 * millisecond)
        #expect(worker.stops() == [7: .timeout])
        worker.tick(after: 600 * millisecond)
        #expect(Set(worker.stops().keys) == [1, 2, 3, 4, 5, 6])
    }

    @Test("Rows are used again, and an event about the former lease changes nothing")
    func reusedRows() throws {
        worker.lease(1)
        worker.end(1)
        worker.durable(1)
        worker.lease(2)
        worker.end(1)
        #expect(worker.heartbeat.held == 1)
        #expect(try worker.outcomes().isEmpty)
    }
}
