import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Pausing and resuming")
struct PauseTests {
    @Test(
        "A pause is answered when it is durable, and from then on nothing of it starts",
        arguments: ["kind", "tenant", "all"])
    func pauses(what: String) throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 8)
        let (kind, tenant) = (what == "kind" ? "text" : nil, what == "tenant" ? "acme" : nil)
        scheduler.order(.pause(1, kind: kind, tenant: tenant), client: client)
        #expect(scheduler.replies().isEmpty)
        let commit = try #require(scheduler.commit())
        #expect(commit.actions.map(\.action) == ["pause"])
        #expect(commit.actions.map(\.who) == ["mira"])
        #expect(scheduler.replies().map(\.code) == [0])

        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.leases.isEmpty)
        scheduler.order(.resume(2, kind: kind, tenant: tenant), client: client)
        scheduler.settle()
        #expect(scheduler.replies().map(\.reached) == [1])
        #expect(scheduler.leases.count == 1)
    }

    @Test("Other kinds and tenants go on")
    func others() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 8, slots: 8, kinds: ["text", "audio"])
        scheduler.order(.pause(1, kind: "audio"), client: client)
        scheduler.settle()
        scheduler.order(.pause(2, tenant: "acme"), client: client)
        scheduler.settle()
        try scheduler.submit([[.init(kind: "audio", tenant: "b")]], sequence: 1, client: client)
        try scheduler.submit([[.init(kind: "text", tenant: "acme")]], sequence: 2, client: client)
        try scheduler.submit([[.init(kind: "text", tenant: "b")]], sequence: 3, client: client)
        scheduler.settle()
        #expect(scheduler.leases.map(\.id) == [TestScheduler.firstID + 2])
    }

    @Test("To resume everything leaves a kind that was paused by itself, and says so")
    func separate() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1)
        for order in [Order.pause(1, kind: "text"), .pause(2), .resume(3)] {
            scheduler.order(order, client: client)
            scheduler.settle()
        }
        #expect(scheduler.replies().last?.message == "everything goes on; still paused: kind text by mira")
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.leases.isEmpty)
    }

    @Test("What a worker holds and has not started is asked back, and waits in its queue again")
    func recalls() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 3, slots: 1)
        for sequence in 1...3 { try scheduler.submit(sequence: UInt64(sequence), client: client) }
        scheduler.settle()
        let leases = scheduler.leases
        #expect(leases.count == 3)
        scheduler.order(.pause(1, kind: "text"), client: client)
        #expect(scheduler.revoked().map(\.reason) == [.stealing, .stealing, .stealing])
        scheduler.keep([TokenRecord(JobID(rawValue: leases[0].id), token: leases[0].token)], by: worker)
        for lease in leases.dropFirst() { scheduler.report(lease, .returned, ranMicroseconds: 0, by: worker) }
        scheduler.settle()
        #expect(scheduler.core.queueStatus(at: scheduler.now).map(\.queued) == [2])
        #expect(scheduler.core.counts.stolen == 0)
        // What had started may end.
        scheduler.report(leases[0], by: worker)
        scheduler.settle()
        #expect(scheduler.leases.count == 3)
    }

    @Test("A lease that has not left when its kind is paused never does")
    func unsent() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.take()
        scheduler.order(.pause(1, kind: "text"), client: client)
        scheduler.committed()
        scheduler.settle()
        #expect(scheduler.sentLeases().isEmpty)
        #expect(scheduler.outcomes.map(\.ending) == [.returned])
        #expect(scheduler.core.queueStatus(at: scheduler.now).map(\.queued) == [1])
    }

    @Test("A pause outlives the scheduler")
    func restart() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        var pauses = Pauses()
        pauses[.kind("text")] = "mira"
        let next = scheduler.restarted(with: pauses)
        _ = next.worker(1)
        next.settle()
        #expect(next.leases.isEmpty)
        #expect(next.core.queueStatus(at: scheduler.now).map(\.pausedBy) == ["mira"])
    }

    @Test("A dry run says how many jobs would wait, and holds none back")
    func dryRun() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        var order = Order.pause(1, kind: "text")
        order.isDryRun = true
        scheduler.order(order, client: client)
        #expect(scheduler.replies().map(\.reached) == [1])
        #expect(scheduler.take() == nil)
        _ = scheduler.worker(1)
        scheduler.settle()
        #expect(scheduler.leases.count == 1)
    }
}
