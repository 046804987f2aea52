import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Awaiting")
struct AwaitTests {
    @Test("Every client that waits hears the end once; one that left does not")
    func severalClients() throws {
        let scheduler = TestScheduler()
        let clients = (1...4).map { scheduler.client($0) }
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: clients[0], notify: true)
        for client in clients + clients { scheduler.await(TestScheduler.firstID, client: client) }
        scheduler.core.clientLeft(clients[2])
        scheduler.settle()
        scheduler.report(try #require(scheduler.leases.first), by: worker)
        scheduler.settle()
        let told = scheduler.finals().map(\.client)
        #expect(told.filter { $0 != clients[2] }.sorted() == [clients[0], clients[1], clients[3]])
    }

    @Test("Who asks in place of a client that left gets the answer")
    func takesOver() throws {
        let scheduler = TestScheduler()
        let first = scheduler.client(1)
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: first, notify: true)
        scheduler.settle()
        scheduler.core.clientLeft(first)
        let second = scheduler.client(1)
        scheduler.await(TestScheduler.firstID, isRequest: true, client: second)
        scheduler.report(try #require(scheduler.leases.first), by: worker)
        scheduler.settle()
        #expect(scheduler.finals().map(\.client) == [second])
    }

    @Test("Asked how it stands, a job answers at once; final but not durable is still open")
    func standing() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.await(TestScheduler.firstID, waits: false, client: client)
        scheduler.settle()
        scheduler.await(TestScheduler.firstID, waits: false, client: client)
        scheduler.report(try #require(scheduler.leases.first), by: worker)
        scheduler.await(TestScheduler.firstID, waits: false, client: client)
        #expect(scheduler.finals().map(\.state) == [.queued, .leased, .running])
    }

    @Test("A job that is not open is looked up in the journal; of a request only what is open is not")
    func lookups() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit([[.init(), .init(), .init()]], sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], by: worker)
        scheduler.settle()
        scheduler.report(scheduler.leases[1], by: worker)
        scheduler.settle()
        let first = TestScheduler.firstID
        // Its first job is final: how many there are, the journal says.
        scheduler.await(first, isRequest: true, client: client)
        #expect(scheduler.out.resultLookups.map(\.record.isRequest) == [true])
        scheduler.out.removeAll()
        for id in [first, first + 1, first + 2, 5] { scheduler.await(id, client: client) }
        #expect(scheduler.out.resultLookups.map(\.record.id.rawValue) == [first, first + 1, 5])
        scheduler.report(scheduler.leases[2], by: worker)
        scheduler.settle()
        #expect(scheduler.finals().map(\.id) == [first + 2])
    }

    @Test("A client that waits for too many hears how the next ones stand instead of nothing")
    func tooManyWaits() throws {
        let scheduler = TestScheduler { $0.maxWaits = 2 }
        let one = scheduler.client(1)
        let two = scheduler.client(2)
        try scheduler.submit((0..<4).map { _ in [.init()] }, sequence: 1, client: one, notify: true)
        for offset: UInt64 in 0..<4 { scheduler.await(TestScheduler.firstID + offset, client: two) }
        #expect(scheduler.finals().map(\.id) == [TestScheduler.firstID + 2, TestScheduler.firstID + 3])
    }
}
