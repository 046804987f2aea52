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
        #expect(scheduler.queues.map(\.queued) == [2])
        #expect(scheduler.core.counts.stolen == 0)
        // What had started may end.
        scheduler.report(leases[0], by: worker)
        scheduler.settle()
        #expect(scheduler.leases.count == 3)
    }

    @Test(
        "What a worker holds while it is away is asked back when it claims it, and again when it returns once more",
        arguments: ["kind", "tenant", "all"])
    func away(what: String) throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 2, slots: 1)
        for sequence in 1...2 { try scheduler.submit(sequence: UInt64(sequence), client: client) }
        scheduler.settle()
        let leases = scheduler.leases
        scheduler.disconnect(worker)
        let (kind, tenant) = (what == "kind" ? "text" : nil, what == "tenant" ? "acme" : nil)
        scheduler.order(.pause(1, kind: kind, tenant: tenant), client: client)
        scheduler.settle()
        #expect(scheduler.revoked().isEmpty)
        for _ in 0..<2 {
            let back = scheduler.hello(1, slots: 1)
            #expect(scheduler.revoked().isEmpty)
            scheduler.claim(leases, by: back)
            #expect(scheduler.revoked().map(\.token) == leases.map(\.token))
            scheduler.disconnect(back)
        }
        let back = scheduler.hello(1, slots: 1)
        scheduler.claim(leases, by: back)
        #expect(scheduler.revoked().map(\.reason) == [.stealing, .stealing])
        scheduler.keep([TokenRecord(JobID(rawValue: leases[0].id), token: leases[0].token)], by: back)
        scheduler.report(leases[1], .returned, ranMicroseconds: 0, by: back)
        scheduler.offer(2, back)
        scheduler.settle()
        #expect(scheduler.queues.map(\.queued) == [1])
        #expect(scheduler.leases.count == 2)
    }

    @Test("A pause that comes between a worker's claims and its first credit asks back what it claimed, and no more")
    func resuming() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 2, slots: 1)
        for sequence in 1...2 { try scheduler.submit(sequence: UInt64(sequence), client: client) }
        scheduler.settle()
        let leases = scheduler.leases
        scheduler.disconnect(worker)
        let back = scheduler.hello(1, slots: 1)
        scheduler.claim([leases[0]], by: back)
        scheduler.order(.pause(1, kind: "text"), client: client)
        #expect(scheduler.revoked().map(\.token) == [leases[0].token])
        scheduler.offer(2, back)
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.token) == [leases[1].token])
        #expect(scheduler.queues.map(\.queued) == [1])
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
        #expect(scheduler.queues.map(\.queued) == [1])
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
        #expect(next.queues.map(\.pausedBy) == ["mira"])
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
