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
        #expect(scheduler.out.finals.map(\.record.attempts) == [0, 1, 1], "its lease is over, and was an attempt")
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
        scheduler.out.removeAll()
        scheduler.await(TestScheduler.firstID + 1, client: two)
        #expect(scheduler.finals().isEmpty, "it waits for this one, however often it asks")
    }

    @Test("One message that asks for a million jobs is answered in slices, to each client in turn")
    func slices() throws {
        let scheduler = TestScheduler()
        let (greedy, modest) = (scheduler.client(1), scheduler.client(2))
        try scheduler.submit(
            [(0..<Limits.jobsInRequest).map { _ in .init() }], sequence: 1, client: greedy)
        scheduler.settle()
        scheduler.await(TestScheduler.firstID, isRequest: true, waits: false, times: 250, client: greedy)
        scheduler.await(TestScheduler.firstID, waits: false, client: modest)
        var (told, wasTold) = ([UInt32: Int](), false)
        repeat {
            let slice = scheduler.finals()
            #expect(slice.count <= 2 * Limits.recordsInMessage, "a slice for each time that it answered, at most")
            for final in slice { told[final.client, default: 0] += 1 }
            if told[greedy, default: 0] < 10 * Limits.jobsInRequest { wasTold = wasTold || told[modest] != nil }
            scheduler.core.answerQuestions(into: &scheduler.out)
        } while !scheduler.out.finals.isEmpty
        #expect(told == [greedy: 250 * Limits.jobsInRequest, modest: 1])
        #expect(wasTold, "not behind all that the other asked")
        #expect(!scheduler.hasQuestions)
    }

    @Test(
        "A client that comes back may ask for all that it waits for at once; all clients together for eight times that")
    func asMuchAsAClientMayAsk() throws {
        let scheduler = TestScheduler()
        var clients: [UInt32] = []
        for number: UInt64 in 1...8 {
            let client = scheduler.client(number)
            clients.append(client)
            let isTaken = scheduler.await(7, times: Limits.awaits, answers: false, client: client)
            #expect(isTaken)
            let hasMoreRoom = scheduler.await(7, answers: false, client: client)
            #expect(!hasMoreRoom)
        }
        let last = scheduler.client(9)
        let hasRoom = scheduler.await(7, answers: false, client: last)
        #expect(!hasRoom)
        scheduler.core.clientLeft(clients[0])
        let hasRoomNow = scheduler.await(7, times: Limits.awaits, answers: false, client: last)
        #expect(hasRoomNow)
    }

    @Test(
        "A client that does not take its answers gets no more of them; one that asks on is told to wait; one that leaves is forgotten"
    )
    func doesNotTake() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit([(0..<100).map { _ in .init() }], sequence: 1, client: client)
        scheduler.settle()
        scheduler.await(TestScheduler.firstID, isRequest: true, waits: false, times: 4_096, client: client)
        #expect(scheduler.finals().count < 2 * Limits.recordsInMessage)
        scheduler.core.answerQuestions(unless: { $0 == client }, into: &scheduler.out)
        #expect(scheduler.finals().isEmpty)
        let hasRoom = scheduler.await(
            TestScheduler.firstID, waits: false, times: Limits.awaits - 4_096, answers: false, client: client)
        #expect(hasRoom)
        let hasMoreRoom = scheduler.await(
            TestScheduler.firstID, waits: false, times: 4_096, answers: false, client: client)
        #expect(!hasMoreRoom)
        scheduler.core.clientLeft(client)
        scheduler.core.answerQuestions(into: &scheduler.out)
        scheduler.core.answerQuestions(into: &scheduler.out)
        #expect(!scheduler.hasQuestions)
    }

    @Test("The journal is asked for a hundred jobs at once, and for the rest when it has answered")
    func lookupsInSlices() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let first = TestScheduler.firstID
        scheduler.await(first, isRequest: true, times: 3, client: client)
        var (asked, most) = (0, 0)
        while let lookup = scheduler.out.resultLookups.popLast() {
            asked += 1
            most = max(most, scheduler.out.resultLookups.count + 1)
            let place = lookup.record.id.rawValue - first
            scheduler.core.lookedUp(
                lookup, ResultRecord(id: lookup.record.id, index: UInt16(place), count: 4_096, state: .succeeded))
            scheduler.core.answerQuestions(into: &scheduler.out)
        }
        #expect(asked == 3 * 4_096)
        #expect(most == 128, "what others ask comes between")
        #expect(!scheduler.hasQuestions)
    }
}
