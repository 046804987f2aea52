import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Limits")
struct LimitTests {
    private func limited(
        kind: String? = nil, tenant: String? = nil, running: Int? = nil, perSecond: Double? = nil, burst: Int = 1
    ) -> Policies {
        var limit = Policies.Limit()
        limit.running = running
        limit.startsPerSecond = perSecond
        limit.burst = burst
        var policies = Policies()
        if let kind { policies.kinds[kind, default: .init()].limit = limit }
        if let tenant { policies.tenants[tenant, default: .init()].limit = limit }
        return policies
    }

    private func submit(
        _ count: Int, to scheduler: TestScheduler, kind: String = "text", tenant: String = "acme",
        sequence: UInt64, client: UInt32
    ) throws {
        try scheduler.submit(
            (0..<count).map { _ in [TestScheduler.Job(kind: kind, tenant: tenant)] }, sequence: sequence,
            client: client)
    }

    @Test("At most N of a kind or a tenant run; each end lets one more start", arguments: [true, false])
    func running(byKind: Bool) throws {
        let scheduler = TestScheduler()
        scheduler.core.follow(
            limited(kind: byKind ? "text" : nil, tenant: byKind ? nil : "acme", running: 3), at: scheduler.now)
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 100, slots: 10)
        try submit(20, to: scheduler, sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.leases.count == 3)
        for done in 0..<5 {
            scheduler.report(scheduler.leases[done], by: worker)
            scheduler.settle()
            #expect(scheduler.leases.count == 4 + done)
        }
    }

    @Test("What a limit holds back does not hold others back", arguments: [true, false])
    func others(byKind: Bool) throws {
        let scheduler = TestScheduler()
        scheduler.core.follow(
            limited(kind: byKind ? "text" : nil, tenant: byKind ? nil : "acme", running: 1), at: scheduler.now)
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 10, slots: 10, kinds: ["text", "file"])
        try submit(50, to: scheduler, sequence: 1, client: client)
        try submit(5, to: scheduler, kind: "file", tenant: "other", sequence: 51, client: client)
        scheduler.settle()
        #expect(scheduler.leases.count == 6)
    }

    @Test("At most R starts a second, after a burst of B once that has gathered", arguments: [true, false])
    func rate(byKind: Bool) throws {
        let scheduler = TestScheduler()
        scheduler.core.follow(
            limited(kind: byKind ? "text" : nil, tenant: byKind ? nil : "acme", perSecond: 10, burst: 3),
            at: scheduler.now)
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1_000, slots: 1_000)
        try submit(100, to: scheduler, sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.leases.isEmpty, "the bucket starts empty")
        for _ in 0..<20 {
            let nextDeadline = scheduler.core.nextDeadline
            let due = try #require(nextDeadline)
            scheduler.tick(after: max(0, due - scheduler.now.monotonic))
            scheduler.hear(worker)
            scheduler.settle()
        }
        let taken = Double(scheduler.now.monotonic - 1_000 * TestScheduler.second) / 1e9
        #expect(scheduler.leases.count <= Int(taken * 10) && scheduler.leases.count >= 19, "\(taken) s")
    }

    @Test("A start that did not happen is not counted")
    func undone() throws {
        let scheduler = TestScheduler()
        scheduler.core.follow(limited(kind: "text", perSecond: 1), at: scheduler.now)
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 10, slots: 10)
        try submit(2, to: scheduler, sequence: 1, client: client)
        scheduler.tick(after: TestScheduler.second)
        scheduler.hear(worker)
        scheduler.settle()
        #expect(scheduler.leases.count == 1)
        scheduler.report(scheduler.leases[0], .returned, ranMicroseconds: 0, by: worker)
        scheduler.settle()
        #expect(scheduler.leases.count == 2)
    }

    @Test("Starts that come back late give no second burst")
    func undoneLate() throws {
        let scheduler = TestScheduler()
        scheduler.core.follow(limited(kind: "text", perSecond: 1), at: scheduler.now)
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 10, slots: 10)
        try submit(10, to: scheduler, sequence: 1, client: client)
        for _ in 0..<3 {
            scheduler.tick(after: TestScheduler.second)
            scheduler.hear(worker)
            scheduler.settle()
        }
        #expect(scheduler.leases.count == 3)
        for lease in scheduler.leases { scheduler.report(lease, .returned, ranMicroseconds: 0, by: worker) }
        scheduler.settle()
        #expect(scheduler.leases.count == 4, "the latest start is taken back, those of before are long paid")
    }

    @Test("Of a start that did not happen, what time has given back is not given once more")
    func undoneOnce() {
        let second = TestScheduler.second
        var limit = StartLimit(running: nil, perSecond: 1, burst: 1, at: 0)
        limit.started(at: 10 * second)
        limit.started(at: 20 * second)
        limit.undone(startedAt: Ticks(10 * second))
        #expect(limit.verdict(running: 0, at: 20 * second) == .until(21 * second))
        limit.undone(startedAt: Ticks(20 * second))
        #expect(limit.verdict(running: 0, at: 20 * second) == .open)
    }

    @Test("A start that ran ahead of its time gives back what later ones still wait for")
    func undoneInABurst() {
        let second = TestScheduler.second
        var limit = StartLimit(running: nil, perSecond: 1, burst: 3, at: 0)
        limit.started(at: 10 * second)
        limit.started(at: 10 * second + second / 2)
        limit.undone(startedAt: Ticks(10 * second))
        // As if the second one had been the only one.
        limit.started(at: 10 * second + second / 2)
        limit.started(at: 10 * second + second / 2)
        #expect(limit.verdict(running: 0, at: 11 * second) == .until(11 * second + second / 2))
    }

    @Test("What waits in a worker counts as what runs", arguments: [true, false])
    func prefetch(byKind: Bool) throws {
        for (running, leased) in [(1, 1), (3, 3), (10, 10), (1_000, 20)] {
            let scheduler = TestScheduler()
            scheduler.core.follow(
                limited(kind: byKind ? "text" : nil, tenant: byKind ? nil : "acme", running: running),
                at: scheduler.now)
            let client = scheduler.client()
            let worker = scheduler.worker(1, credit: 50, slots: 2)
            try submit(20, to: scheduler, sequence: 1, client: client)
            scheduler.settle()
            #expect(scheduler.leases.count == leased, "at most \(running)")
            for lease in scheduler.leases { scheduler.report(lease, by: worker) }
            scheduler.settle()
            #expect(scheduler.leases.count > leased || leased == 20)
        }
    }

    @Test("What is limited gets its turns although others fill every worker to the brim", arguments: [true, false])
    func starvation(byKind: Bool) throws {
        let scheduler = TestScheduler()
        scheduler.core.follow(
            limited(kind: byKind ? "text" : nil, tenant: byKind ? nil : "acme", running: 2), at: scheduler.now)
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 50, slots: 2, kinds: ["text", "file"])
        try submit(1_000, to: scheduler, kind: "file", tenant: "other", sequence: 1, client: client)
        scheduler.settle()
        try submit(10, to: scheduler, sequence: 1_001, client: client)
        scheduler.settle()
        var reported = 0
        for _ in 0..<40 {
            // As a worker does: one ends, and the next that it holds begins.
            let live = scheduler.leases[reported..<min(reported + 10, scheduler.leases.count)]
            reported += live.count
            for lease in live { scheduler.report(lease, by: worker) }
            scheduler.settle()
        }
        #expect(scheduler.leases.count < 1_000, "others still wait")
        let limitedIDs = Set(scheduler.journal.flatMap(\.jobs).suffix(10).map(\.id))
        #expect(scheduler.leases.count { limitedIDs.contains($0.id) } == 10)
    }

    @Test("A limit may be set, changed and lifted while jobs wait")
    func changes() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 100, slots: 100)
        scheduler.core.follow(limited(tenant: "acme", running: 2), at: scheduler.now)
        try submit(20, to: scheduler, sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.leases.count == 2)
        scheduler.core.follow(limited(tenant: "acme", running: 5), at: scheduler.now)
        scheduler.settle()
        #expect(scheduler.leases.count == 5)
        scheduler.core.follow(Policies(), at: scheduler.now)
        scheduler.settle()
        #expect(scheduler.leases.count == 20)
    }
}
