import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Progress")
struct ProgressTests {
    private let scheduler = TestScheduler()
    private let id = TestScheduler.firstID

    @Test("A worker is asked for jobs that somebody follows only, and each follower hears what it says")
    func followers() throws {
        let clients = (1...3).map { scheduler.client($0) }
        let worker = scheduler.worker(1)
        try scheduler.submit([[.init()], [.init()]], sequence: 1, client: clients[0])
        scheduler.settle()
        let leases = scheduler.leases
        #expect(scheduler.sentLeases().map(\.isFollowed) == [false, false])
        scheduler.tell(leases[0], 0.1, "early", by: worker)
        #expect(scheduler.told().isEmpty)

        for client in clients[0...1] { scheduler.await(id, follows: true, client: client) }
        scheduler.await(id, client: clients[2])
        #expect(scheduler.follows() == [leases[0].token, leases[0].token])
        scheduler.tell(leases[0], 0.5, "half", " of it", offset: 7, by: worker)
        let told = scheduler.told()
        #expect(told.map(\.client) == [clients[0], clients[1]])
        #expect(told.allSatisfy { $0.attempt == 1 && $0.words == "half of it" })
    }

    @Test("A job that is followed before it is leased is leased as such")
    func followedFirst() throws {
        let client = scheduler.client()
        try scheduler.submit([[.init(), .init()]], sequence: 1, client: client)
        scheduler.settle()
        scheduler.await(id, isRequest: true, follows: true, client: client)
        _ = scheduler.worker(1)
        scheduler.settle()
        #expect(scheduler.sentLeases().map(\.isFollowed) == [true, true])
        #expect(scheduler.follows().isEmpty)
    }

    @Test("Only the live lease speaks for a job, and a later attempt says which it is")
    func staleReports() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        let other = scheduler.worker(2, credit: 0)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.await(id, follows: true, client: client)
        scheduler.settle()
        let first = try #require(scheduler.leases.first)
        scheduler.report(first, .failed, by: worker)
        scheduler.settle()
        scheduler.tick(after: 2 * TestScheduler.second)
        scheduler.settle()
        let second = scheduler.leases[1]
        scheduler.tell(first, 0.9, "stale", by: worker)
        scheduler.tell(second, 0.9, "another worker", by: other)
        scheduler.tell(second, 0.9, "another journal", tokensOf: 5, by: worker)
        #expect(scheduler.told().isEmpty && scheduler.core.counts.staleReports == 3)
        scheduler.tell(second, 0.1, "again", by: worker)
        #expect(scheduler.told().map(\.attempt) == [2])
    }

    @Test("Who left, and who heard the end, hears nothing more")
    func theEnd() throws {
        let clients = (1...2).map { scheduler.client($0) }
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: clients[0])
        for client in clients { scheduler.await(id, follows: true, client: client) }
        scheduler.settle()
        scheduler.core.clientLeft(clients[0])
        let lease = try #require(scheduler.leases.first)
        scheduler.tell(lease, 0.5, "half", by: worker)
        #expect(scheduler.told().map(\.client) == [clients[1]])
        scheduler.report(lease, by: worker)
        scheduler.settle()
        #expect(scheduler.core.followers.clients(of: id).isEmpty)
        #expect(scheduler.finals().map(\.client).contains(clients[1]))
    }

    @Test("A worker that comes back is asked again for what it still holds")
    func comesBack() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.await(id, follows: true, client: client)
        scheduler.settle()
        scheduler.disconnect(worker)
        scheduler.await(id, follows: true, client: client)
        #expect(scheduler.follows().isEmpty)
        let back = scheduler.hello(1)
        scheduler.claim(scheduler.leases, by: back)
        #expect(scheduler.follows() == scheduler.leases.map(\.token))
    }

    @Test("A job that reported is running: it is not stolen")
    func isRunning() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.tell(try #require(scheduler.leases.first), 0, "", by: worker)
        scheduler.await(id, waits: false, client: client)
        #expect(scheduler.finals().map(\.state) == [.running])
    }
}
