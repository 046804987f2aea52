import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Order of dispatch")
struct OrderTests {
    /// Runs everything that waits on one slot, one job after the other, and tells the order of the ids.
    private func drain(
        _ scheduler: TestScheduler, _ worker: TestScheduler.Worker, runMicroseconds: UInt64 = 1_000,
        count: Int = .max, between: () -> Void = {}
    ) -> [UInt64] {
        var order: [UInt64] = []
        while order.count < count {
            let before = scheduler.leases.count
            scheduler.settle()
            guard scheduler.leases.count > before, let lease = scheduler.leases.last else { return order }
            order.append(lease.id)
            scheduler.report(lease, ranMicroseconds: runMicroseconds, by: worker)
            between()
        }
        return order
    }

    private func jobs(_ count: Int, _ tenant: String, priority: UInt8 = 5) -> [[TestScheduler.Job]] {
        (0..<count).map { _ in [TestScheduler.Job(tenant: tenant, priority: priority)] }
    }

    @Test("The higher priority goes first, and inside one the first in is the first out")
    func priority() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(
            [7, 2, 7, 2, 5].map { [TestScheduler.Job(priority: $0)] }, sequence: 1, client: client)
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        #expect(drain(scheduler, worker).map { $0 - TestScheduler.firstID } == [1, 3, 4, 0, 2])
    }

    @Test("Under steady work of a high priority a low one gets its share once it has waited long enough")
    func ageing() throws {
        let scheduler = TestScheduler { $0.ageing.afterNanoseconds = TestScheduler.second }
        let client = scheduler.client()
        try scheduler.submit(jobs(4, "acme", priority: 9), sequence: 1, client: client)
        try scheduler.submit(jobs(100, "acme", priority: 0), sequence: 5, client: client)
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        let young = drain(scheduler, worker, count: 20)
        #expect(young.allSatisfy { $0 >= TestScheduler.firstID + 4 }, "nothing aged yet")
        scheduler.now.monotonic += 2 * TestScheduler.second
        scheduler.hear(worker)
        let aged = drain(scheduler, worker, count: 32)
        #expect(aged.filter { $0 < TestScheduler.firstID + 4 }.count == 4, "one pick in eight")
    }

    @Test("A low priority of one kind gets its share beside a high one of another")
    func ageingBetweenKinds() throws {
        let scheduler = TestScheduler { $0.ageing.afterNanoseconds = TestScheduler.second }
        let client = scheduler.client()
        try scheduler.submit(
            (0..<4).map { _ in [TestScheduler.Job(kind: "file", priority: 9)] }, sequence: 1, client: client)
        try scheduler.submit(jobs(100, "acme", priority: 0), sequence: 5, client: client)
        let worker = scheduler.worker(1, credit: 1, slots: 1, kinds: ["text", "file"])
        let young = drain(scheduler, worker, count: 20)
        #expect(young.allSatisfy { $0 >= TestScheduler.firstID + 4 }, "nothing aged yet")
        scheduler.now.monotonic += 2 * TestScheduler.second
        scheduler.hear(worker)
        let aged = drain(scheduler, worker, count: 32)
        #expect(aged.filter { $0 < TestScheduler.firstID + 4 }.count == 4, "one turn in eight")
    }

    @Test("A tenant that comes late is not behind another's backlog")
    func lateTenant() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit(jobs(1_000, "a"), sequence: 1, client: client)
        _ = drain(scheduler, worker, count: 50)
        try scheduler.submit(jobs(10, "b"), sequence: 1_001, client: client)
        let next = drain(scheduler, worker, count: 24)
        #expect(next.filter { $0 >= TestScheduler.firstID + 1_000 }.count == 10)
    }

    @Test("Shares follow the weights, in run time", arguments: [1_000, 20_000] as [UInt64])
    func weights(run: UInt64) throws {
        let scheduler = TestScheduler()
        var policies = Policies()
        policies.tenants["b"] = Policies.Tenant()
        policies.tenants["b"]?.weight = 3
        scheduler.core.follow(policies, at: scheduler.now)
        let client = scheduler.client()
        try scheduler.submit(jobs(800, "a"), sequence: 1, client: client)
        try scheduler.submit(jobs(800, "b"), sequence: 801, client: client)
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        let order = drain(scheduler, worker, runMicroseconds: run, count: 800)
        let ofB = order.filter { $0 >= TestScheduler.firstID + 800 }.count
        #expect((590...610).contains(ofB), "\(ofB) of 800")
    }

    @Test("A tenant of long jobs gets no more run time than one of short jobs")
    func runTime() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(
            (0..<300).map { _ in [TestScheduler.Job(kind: "long", tenant: "a")] }, sequence: 1, client: client)
        try scheduler.submit(
            (0..<3_000).map { _ in [TestScheduler.Job(kind: "short", tenant: "b")] }, sequence: 301, client: client)
        let worker = scheduler.worker(1, credit: 1, slots: 1, kinds: ["long", "short"])
        var spent = [0, 0]
        for _ in 0..<1_000 {
            scheduler.settle()
            let lease = try #require(scheduler.leases.last)
            let isLong = lease.id < TestScheduler.firstID + 300
            spent[isLong ? 0 : 1] += isLong ? 10_000 : 1_000
            scheduler.report(lease, ranMicroseconds: isLong ? 10_000 : 1_000, by: worker)
        }
        let share = Double(spent[0]) / Double(spent[0] + spent[1])
        #expect((0.45...0.55).contains(share), "\(share)")
    }

    @Test("A returned job goes before those that came after it")
    func returned() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit(jobs(5, "acme"), sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], .returned, by: worker)
        #expect(drain(scheduler, worker).map { $0 - TestScheduler.firstID } == [0, 1, 2, 3, 4])
    }

    @Test("However many come back together, from a worker that is lost or asked, the first in is the first out")
    func manyReturned() throws {
        for isLost in [true, false] {
            let scheduler = TestScheduler()
            let client = scheduler.client()
            let worker = scheduler.worker(1, credit: 300, slots: isLost ? 300 : 1)
            try scheduler.submit(jobs(350, "acme"), sequence: 1, client: client)
            scheduler.settle()
            #expect(scheduler.held(by: worker).count == 300)
            if isLost {
                scheduler.disconnect(worker)
                scheduler.tick(after: 60 * TestScheduler.second)
            } else {
                scheduler.order(.pause(1), client: client)
                scheduler.settle()
                let asked = Set(scheduler.revoked().map(\.token))
                for lease in scheduler.held(by: worker) where asked.contains(lease.token) {
                    scheduler.report(lease, .returned, ranMicroseconds: 0, by: worker)
                }
                scheduler.offer(0, worker)
                scheduler.order(.resume(2), client: client)
            }
            scheduler.settle()
            let other = scheduler.worker(2, credit: 1, slots: 1)
            let order = drain(scheduler, other)
            // What never was in a worker stands apart from what was in a lost one.
            let back = order.filter { $0 < TestScheduler.firstID + 300 }
            #expect(back.count >= 299 && back == back.sorted(), "lost: \(isLost)")
        }
    }

    @Test("A small share of jobs that take days neither overflows nor ends fairness")
    func smallestShare() throws {
        let scheduler = TestScheduler()
        var policies = Policies()
        for tenant in ["a", "b"] {
            policies.tenants[tenant] = Policies.Tenant()
            policies.tenants[tenant]?.weight = 0.001
        }
        scheduler.core.follow(policies, at: scheduler.now)
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        let day: UInt64 = 86_400_000_000
        try scheduler.submit(jobs(300, "a"), sequence: 1, client: client)
        #expect(drain(scheduler, worker, runMicroseconds: day).count == 300)
        try scheduler.submit(jobs(200, "a"), sequence: 301, client: client)
        try scheduler.submit(jobs(200, "b"), sequence: 501, client: client)
        let order = drain(scheduler, worker, runMicroseconds: day, count: 200)
        let later = order.filter { $0 >= TestScheduler.firstID + 500 }.count
        #expect((98...102).contains(later), "of b: \(later) of 200")
    }

    @Test("Kinds take turns: one kind's backlog does not hold up another's")
    func kindsTakeTurns() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(
            (0..<200).map { _ in [TestScheduler.Job(kind: "x", tenant: "a")] }, sequence: 1, client: client)
        try scheduler.submit(
            (0..<5).map { _ in [TestScheduler.Job(kind: "y", tenant: "b")] }, sequence: 201, client: client)
        let worker = scheduler.worker(1, credit: 1, slots: 1, kinds: ["x", "y"])
        let order = drain(scheduler, worker, count: 12)
        #expect(order.filter { $0 >= TestScheduler.firstID + 200 }.count == 5)
    }

    @Test("A job goes only to a worker that has the labels it requires")
    func labels() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var options = JobOptions()
        options.labels = ["gpu", "eu"]
        try scheduler.submit(TestScheduler.Job(options: options), sequence: 1, client: client)
        try scheduler.submit(TestScheduler.Job(), sequence: 2, client: client)
        let plain = scheduler.worker(1, labels: ["gpu"])
        scheduler.settle()
        #expect(scheduler.leases.map(\.id) == [TestScheduler.firstID + 1])
        #expect(scheduler.leases[0].workerIndex == plain.index)
        let labelled = scheduler.worker(2, labels: ["eu", "gpu", "ssd"])
        scheduler.settle()
        #expect(scheduler.leases.map(\.workerIndex) == [plain.index, labelled.index])
    }
}
