import StatexProtocol
import Testing

@testable import StatexWorkerCore

@Suite("Outcomes that are kept until they are durable")
struct OutcomeTests {
    let worker = TestWorker()

    init() { worker.connect() }

    @Test("An outcome is sent once, kept, and forgotten when it is durable")
    func keptUntilDurable() throws {
        worker.lease(1)
        worker.start(1)
        worker.end(1, body: [1, 2, 3])
        let messages = try worker.sendOutcomes()
        #expect(messages.count == 1)
        #expect(messages[0].1[0].ending == .succeeded)
        #expect(messages[0].bodies == [[1, 2, 3]])
        #expect(try worker.outcomes().isEmpty)
        #expect(worker.kept == 1)
        worker.durable(1)
        #expect(worker.kept == 0)
        #expect(worker.counters.durableOutcomes == 1)
    }

    @Test("A stale outcome is forgotten and counted")
    func stale() throws {
        worker.lease(1)
        worker.end(1)
        worker.stale(1)
        #expect(worker.kept == 0)
        #expect(worker.counters.staleOutcomes == 1)
        #expect(try worker.outcomes().isEmpty)
    }

    @Test("An answer about an unknown lease, or about another job's token, changes nothing")
    func unknownTokens() {
        worker.lease(1)
        worker.end(1)
        worker.durable(2)
        worker.durable(1, incarnation: 5)
        #expect(worker.kept == 1)
        #expect(worker.counters.unknownTokens == 2)
    }

    @Test("A lease that still runs is not made durable by a message that names it")
    func durableTooEarly() throws {
        worker.lease(1)
        worker.start(1)
        worker.durable(1)
        worker.end(1)
        #expect(try worker.outcomes() == [.init(token: 1, ending: .succeeded)])
    }

    @Test("After a reconnect every lease is claimed, then every kept outcome is offered again")
    func reconnect() throws {
        for token in 1...4 { worker.lease(UInt64(token)) }
        worker.start(1)
        worker.start(2)
        worker.end(1)
        #expect(try worker.outcomes().count == 1)
        worker.disconnect()
        worker.end(2)
        #expect(try worker.outcomes().isEmpty)
        worker.connect(session: 2, epoch: 2)
        let claims = try worker.claims()
        #expect(claims.map(\.record.token) == [3, 4])
        #expect(claims.map(\.record.running) == [false, false])
        #expect(try worker.outcomes().map(\.token) == [1, 2])
    }

    @Test("After a reconnect the credit is told by a message of its own, after claims and outcomes")
    func creditEndsResuming() throws {
        worker.lease(1)
        worker.end(1)
        _ = try worker.outcomes()
        worker.disconnect()
        worker.connect(session: 2)
        #expect(try worker.outcomes().count == 1)
        #expect(worker.out.credit)
        var buffer = ByteBuffer()
        worker.packCredit(to: &buffer)
        #expect(try Credit.read(buffer.bytes, header: Header(reading: buffer.bytes)) == 4)
        worker.tick()
        #expect(!worker.out.credit)
    }

    @Test("A claim says whether the job runs already")
    func claimRunning() throws {
        worker.lease(1)
        worker.lease(2)
        worker.start(1)
        worker.disconnect()
        worker.connect(session: 2)
        let claims = try worker.claims()
        #expect(claims.map(\.record.running) == [true, false])
    }

    @Test("Leases of before a restore are claimed and offered under their own incarnation")
    func formerIncarnation() throws {
        worker.lease(1)
        worker.lease(2)
        worker.start(1)
        worker.start(2)
        worker.end(2)
        worker.disconnect()
        worker.connect(session: 9, incarnation: 78, epoch: 1)
        // The same number in the new journal is another lease.
        worker.lease(2, kind: 1)
        worker.start(2)
        worker.end(2, .failed, body: [1, 65])
        #expect(try worker.claims().map(\.incarnation) == [77])
        let outcomes = try worker.outcomes()
        #expect(
            outcomes == [
                .init(token: 2, ending: .succeeded, incarnation: 77), .init(token: 2, ending: .failed, incarnation: 78),
            ])
        worker.stale(2, incarnation: 77)
        #expect(worker.kept == 1)
        worker.durable(2, incarnation: 78)
        #expect(worker.kept == 0)
    }

    @Test("When asked to, the worker offers again what it keeps")
    func offerAgain() throws {
        for token in 1...3 {
            worker.lease(UInt64(token))
            worker.end(UInt64(token))
        }
        _ = try worker.outcomes()
        worker.durable(2)
        worker.offersWanted()
        #expect(try worker.outcomes().map(\.token) == [1, 3])
    }

    @Test("An outcome that became durable before it was sent again is not sent")
    func durableBeforeResend() throws {
        worker.lease(1)
        worker.end(1)
        _ = try worker.outcomes()
        worker.offersWanted()
        worker.durable(1)
        #expect(try worker.outcomes().isEmpty)
    }

    @Test("Many outcomes go out in messages of at most 1,024, large bodies in messages of about a megabyte")
    func messageSizes() throws {
        worker.validates = false
        for token in 1...2_500 {
            worker.lease(UInt64(token))
            worker.end(UInt64(token))
        }
        #expect(try worker.sendOutcomes().map { $0.1.count } == [1_024, 1_024, 452])
        let body = [UInt8](repeating: 7, count: Limits.inlineBytes)
        for token in 3_000...3_039 {
            worker.lease(UInt64(token))
            worker.end(UInt64(token), body: body)
        }
        let counts = try worker.sendOutcomes().map { $0.1.count }
        #expect(counts.reduce(0, +) == 40)
        #expect(counts.allSatisfy { $0 <= 16 })
    }

    @Test("An outcome says how long the attempt ran, how long ago it ended, and when to try again")
    func times() throws {
        worker.lease(1)
        worker.start(1)
        worker.end(1, .failed, ran: 5 * millisecond, retryAfterMilliseconds: 250, body: [1, 65])
        worker.now += 2 * second
        let record = try #require(try worker.sendOutcomes().first?.1.first)
        #expect(record.ranMicroseconds == 5_000)
        #expect(record.agoMicroseconds == 2_000_000)
        #expect(record.retryAfterMilliseconds == 250)
        #expect(record.retryable)
    }
}
