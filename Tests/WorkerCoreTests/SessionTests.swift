import StatexProtocol
import Testing

@testable import StatexWorkerCore

@Suite("Sessions, epochs and silence")
struct SessionTests {
    let worker = TestWorker()

    @Test("The worker opens a socket and says HELLO at once")
    func hello() {
        worker.tick()
        #expect(worker.out.hello)
        #expect(worker.openSocket())
        #expect(!worker.isConnected)
        worker.welcome()
        #expect(worker.isConnected)
        #expect(worker.out.credit)
    }

    @Test("Messages of another session, a lower epoch or a former incarnation are dropped and counted")
    func staleMessages() {
        worker.connect(session: 1, incarnation: 70, epoch: 1)
        worker.disconnect()
        worker.connect(session: 5, incarnation: 77, epoch: 3)
        #expect(worker.accepts(worker.header(.leases, session: 5, epoch: 3)))
        #expect(!worker.accepts(worker.header(.leases, session: 4, epoch: 3)))
        #expect(!worker.accepts(worker.header(.leases, session: 5, epoch: 2)))
        #expect(!worker.accepts(worker.header(.leases, session: 5, incarnation: 70, epoch: 3)))
        #expect(!worker.accepts(worker.header(.leases, session: 5, incarnation: 99, epoch: 3)))
        #expect(worker.counters.staleMessages == 4)
    }

    @Test("An answer about leases of before a restore belongs to the session that gives it")
    func answersAboutFormerLeases() {
        worker.connect(session: 1, incarnation: 70)
        worker.disconnect()
        worker.connect(session: 2, incarnation: 77)
        #expect(worker.accepts(worker.header(.stale, session: 2, incarnation: 70)))
        #expect(!worker.accepts(worker.header(.stale, session: 1, incarnation: 70)))
        #expect(!worker.accepts(worker.header(.stale, session: 2, incarnation: 71)))
    }

    @Test("A scheduler of a lower epoch is not believed, nor one of a journal that was left")
    func deposedScheduler() {
        worker.connect(session: 1, epoch: 4)
        worker.disconnect()
        worker.connect(session: 2, epoch: 3)
        #expect(!worker.isConnected)
        worker.connect(session: 3, incarnation: 78, epoch: 1)
        #expect(worker.isConnected)
        worker.disconnect()
        worker.connect(session: 4, epoch: 9)
        #expect(!worker.isConnected)
        worker.connect(session: 5, incarnation: 78, epoch: 1)
        #expect(worker.isConnected)
    }

    @Test("A worker whose key is refused comes ever more seldom, and at once again after it was let in")
    func refusals() {
        var waits: [Int64] = []
        for _ in 0..<14 {
            worker.openSocketInTime()
            worker.refuse()
            #expect(worker.out.closeReason != nil)
            waits.append(worker.nextDeadline - worker.now)
        }
        #expect(waits[0] <= Link.firstBackoff)
        #expect(waits.suffix(4).allSatisfy { (Link.longestRefusal / 2...Link.longestRefusal).contains($0) })
        worker.openSocketInTime()
        worker.welcome()
        worker.disconnect()
        #expect(worker.nextDeadline - worker.now <= Link.firstBackoff)
    }

    @Test("A refusal that is heard late does not end a session")
    func lateRefusal() {
        worker.connect()
        worker.refuse()
        #expect(worker.isConnected)
    }

    @Test("A heartbeat is due at each interval and says what is held")
    func heartbeats() {
        worker.connect()
        worker.lease(1)
        worker.lease(2)
        worker.start(1)
        for _ in 0..<10 {
            worker.out.heartbeat = false
            worker.tick(after: 999 * millisecond)
            #expect(!worker.out.heartbeat)
            worker.tick(after: millisecond)
            #expect(worker.out.heartbeat)
            #expect(worker.accepts(worker.header(.heartbeat)))
        }
        #expect(worker.heartbeat == Heartbeat(held: 2, running: 1))
    }

    @Test("A scheduler that is silent for three heartbeats gets a new socket, and leases go on")
    func silence() throws {
        worker.connect()
        worker.lease(1)
        worker.start(1)
        worker.tick(after: 2_999 * millisecond)
        #expect(worker.isConnected)
        worker.tick(after: millisecond)
        #expect(!worker.isConnected)
        #expect(worker.out.closeReason != nil)
        #expect(worker.heartbeat.running == 1)
        worker.connect(session: 2)
        #expect(try worker.claims().map(\.record.token) == [1])
    }

    @Test("Failed connections are tried again after a growing, jittered wait of at most two seconds")
    func backoff() {
        var waits: [Int64] = []
        worker.openSocketInTime()
        for _ in 0..<10 {
            worker.tick(after: Link.silence)
            #expect(worker.out.closeReason != nil)
            waits.append(worker.nextDeadline - worker.now)
            worker.openSocketInTime()
        }
        #expect(waits[0] >= 50 * millisecond && waits[0] <= 100 * millisecond)
        #expect(waits.suffix(4).allSatisfy { $0 >= second && $0 <= 2 * second })
        #expect(Set(waits).count == waits.count)
        worker.welcome()
        worker.disconnect()
        #expect(worker.nextDeadline - worker.now <= 100 * millisecond)
    }

    @Test("A session that the scheduler does not know begins anew on the same socket, once")
    func unknownSession() throws {
        worker.connect()
        worker.lease(1)
        worker.fault(.session)
        #expect(worker.out.hello)
        #expect(!worker.out.opensSocket)
        worker.out.hello = false
        worker.fault(.session)
        #expect(!worker.out.hello)
        worker.welcome(session: 2)
        #expect(try worker.claims().count == 1)
    }

    @Test("A busy scheduler is left alone for as long as it asked")
    func busy() {
        worker.openSocketInTime()
        worker.fault(.busy, retryAfterMilliseconds: 30_000)
        #expect(worker.nextDeadline == worker.now + 30 * second)
    }

    @Test("Another version ends the worker")
    func otherVersion() {
        worker.connect()
        worker.fault(.version)
        #expect(worker.out.failure?.code == .version)
    }

    @Test("A worker whose session was taken over, by a HELLO of its own that came late, takes it back")
    func superseded() throws {
        worker.connect()
        worker.lease(1)
        worker.fault(.superseded)
        #expect(worker.out.failure == nil)
        #expect(!worker.isConnected)
        worker.connect(session: 2)
        #expect(worker.isConnected)
        #expect(try worker.claims().map(\.record.token) == [1])
    }

    @Test("A message that could not be understood begins a new session, in which both sides agree again")
    func misunderstood() {
        worker.connect()
        worker.fault(.malformed)
        #expect(!worker.isConnected)
        #expect(worker.out.closeReason != nil)
    }
}
