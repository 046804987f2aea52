import StatexProtocol
import Testing

@testable import StatexWorkerCore

@Suite("Credit: slots and adaptive prefetch")
struct CreditTests {
    /// A worker that has run `count` jobs of `run` each, while outcomes took `loop` to become durable.
    func measured(
        slots: Int = 4, run: Int64, loop: Int64, payload: UInt32 = 0, count: UInt64 = 200,
        _ change: (inout WorkerSettings) -> Void = { _ in }
    ) throws -> TestWorker {
        let worker = TestWorker(slots: slots, change)
        worker.connect()
        for token in 1...count {
            worker.lease(token, payload: payload)
            worker.start(token)
            worker.end(token, ran: run)
            _ = try worker.outcomes()
            worker.now += loop
            #expect(worker.accepts(worker.header(.durable)))
            worker.durable(token)
        }
        return worker
    }

    @Test("With nothing measured, credit is the slots")
    func slotsOnly() {
        let worker = TestWorker(slots: 3)
        #expect(worker.credit == 0)
        worker.connect()
        #expect(worker.credit == 3)
    }

    @Test("Jobs of a thousandth of a second get what hides the loop")
    func shortJobs() throws {
        let worker = try measured(run: millisecond, loop: 10 * millisecond)
        #expect(worker.credit == 4 + 40)
    }

    @Test("Jobs of a minute get no prefetch")
    func longJobs() throws {
        #expect(try measured(run: 60 * second, loop: 10 * millisecond, count: 5).credit == 4)
    }

    @Test("The shortest jobs get at most the limit of prefetch")
    func bounded() throws {
        #expect(try measured(run: 300, loop: 10 * millisecond).credit == 4 + 8_192)
    }

    @Test("Large payloads bound the prefetch by their bytes")
    func bytesBound() throws {
        let worker = try measured(run: microsecond, loop: 10 * millisecond, payload: 50_000) {
            $0.waitingBytes = 1_000_000
        }
        #expect(worker.credit > 4 + 15 && worker.credit < 4 + 25)
    }

    @Test("A kind that was never run takes the prefetch away until it was")
    func unknownKind() throws {
        let worker = try measured(run: millisecond, loop: 10 * millisecond)
        worker.lease(1_000, kind: 1)
        #expect(worker.credit == 4)
        worker.start(1_000)
        worker.end(1_000, ran: millisecond)
        #expect(worker.credit > 4)
    }

    @Test("A mix of short and long jobs is measured by what is held")
    func mix() throws {
        let worker = try measured(run: millisecond, loop: 100 * millisecond)
        #expect(worker.credit == 4 + 400)
        worker.lease(1_000, kind: 1)
        worker.end(1_000, ran: 20 * second)
        worker.lease(1_001, kind: 1)
        #expect(worker.credit == 4)
    }

    @Test("Long jobs keep their slots, and the other slots have what short ones need")
    func longBesideShort() throws {
        let worker = try measured(run: millisecond, loop: 10 * millisecond)
        worker.lease(1_000, kind: 1)
        worker.end(1_000, ran: second)
        worker.lease(1_001)
        worker.lease(1_002, kind: 1)
        #expect(worker.credit == 4 + 3 * 10)
        for token in 1_003...1_004 as ClosedRange<UInt64> { worker.lease(token, kind: 1) }
        #expect(worker.credit == 4 + 1 * 10)
        worker.lease(1_005, kind: 1)
        #expect(worker.credit == 4)
    }

    @Test("Long jobs that run together take one slot from the short ones")
    func longBatch() throws {
        let worker = try measured(run: millisecond, loop: 10 * millisecond) { $0.batchSizes = [1, 4] }
        worker.lease(1_000, kind: 1)
        worker.end(1_000, ran: second)
        worker.lease(1_001)
        for token in 1_002...1_005 as ClosedRange<UInt64> {
            worker.lease(token, kind: 1)
            #expect(worker.credit == 4 + 3 * 10)
        }
        worker.lease(1_006, kind: 1)
        #expect(worker.credit == 4 + 2 * 10)
    }

    @Test("While outcomes cannot become durable, no more work is asked for than can be kept")
    func backPressure() throws {
        let worker = TestWorker(slots: 4) { $0.keptBytes = 10_000 }
        worker.connect()
        for token in 1...10 as ClosedRange<UInt64> {
            worker.lease(token)
            worker.end(token, body: [UInt8](repeating: 1, count: 1_000))
        }
        #expect(worker.credit == 0)
        #expect(worker.out.credit || !worker.out.offers.isEmpty)
        worker.durable(1)
        #expect(worker.credit >= 4)
    }

    @Test("A change under a quarter is not told, a larger one is")
    func reports() throws {
        let worker = try measured(run: millisecond, loop: 100 * millisecond)
        var buffer = ByteBuffer()
        worker.out.credit = false
        worker.packCredit(to: &buffer)
        #expect(try Credit.read(buffer.bytes, header: Header(reading: buffer.bytes)) == 404)
        worker.lease(1_000)
        worker.end(1_000, ran: millisecond * 11 / 10)
        #expect(!worker.out.credit)
        worker.lease(1_001, kind: 1)
        #expect(worker.out.credit)
    }
}
