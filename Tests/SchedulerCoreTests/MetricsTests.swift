import StatexMetrics
import StatexProtocol
import Testing

@testable import StatexSchedulerCore

/// What the core counts for Prometheus. (That its open jobs add up, `validate` holds after each event of every test.)
@Suite("Metrics") struct MetricsTests {
    private let ms: Int64 = 1_000_000

    private func snapshot(_ scheduler: TestScheduler) -> SchedulerSnapshot { scheduler.core.metrics(at: scheduler.now) }

    private func kind(_ scheduler: TestScheduler, _ name: String = "text") throws -> SchedulerSnapshot.Kind {
        try #require(snapshot(scheduler).kinds.first { $0.name == name })
    }

    /// The bucket that the one duration counted in.
    private func bound(_ histogram: Histogram) throws -> Int64 {
        #expect(histogram.count == 1)
        return Histogram.bounds[try #require(histogram.cumulative.firstIndex(of: 1))]
    }

    @Test("A job's wait, run and whole time are those of the clock, to less than a tick of it")
    func times() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        // 0.3 ms: a fraction of what the job's record keeps as its age in the queue.
        scheduler.tick(after: 300_000)
        let worker = scheduler.worker(1)
        scheduler.settle()
        scheduler.tick(after: 40 * ms)
        scheduler.report(scheduler.leases[0], ranMicroseconds: 39_000, by: worker)
        scheduler.take()
        scheduler.tick(after: 20 * ms)
        scheduler.committed()
        let counts = try kind(scheduler).counts
        #expect(try bound(counts.queueWait) == 500_000)
        #expect(abs(counts.queueWait.seconds - 0.000_3) < 0.000_000_2)
        #expect(abs(counts.run.seconds - 0.039) < 0.000_000_1)
        #expect(try bound(counts.endToEnd) == 100 * ms)
        #expect(abs(counts.endToEnd.seconds - 0.060_3) < 0.000_000_2)
        #expect(counts.submitted == 1 && counts.leased == 1 && counts.ended.succeeded == 1)
        #expect(counts.attempts.succeeded == 1)
    }

    @Test("A retry counts as an attempt more, and neither as a second wait nor as a second end")
    func retry() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(.init(attempts: 2), sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], .failed, by: worker)
        scheduler.settle()
        #expect(try kind(scheduler).open == SchedulerSnapshot.OpenJobs(delayed: 1))
        scheduler.tick(after: 5_000 * ms)
        scheduler.settle()
        scheduler.report(scheduler.leases[1], .failed, by: worker)
        scheduler.settle()
        let counts = try kind(scheduler).counts
        #expect(counts.leased == 2 && counts.retried == 1 && counts.attempts.failed == 2)
        #expect(counts.queueWait.count == 1 && counts.run.count == 2 && counts.endToEnd.count == 1)
        #expect(counts.ended.dead == 1 && counts.ended.failed == 0)
        #expect(try kind(scheduler).open == SchedulerSnapshot.OpenJobs())
    }

    @Test("A job that is cancelled is an end, and no time of a job that was done")
    func cancelled() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.cancel(TestScheduler.firstID, client: client)
        // Its end is on the way to the journal: it is neither queued nor open in another way.
        scheduler.take()
        #expect(try kind(scheduler).open == SchedulerSnapshot.OpenJobs())
        scheduler.committed()
        let counts = try kind(scheduler).counts
        #expect(counts.ended.cancelled == 1 && counts.endToEnd.count == 0)
        #expect(counts.attempts == EndingCounts(), "no lease ended")
    }

    @Test("Backlog is what is queued, times what one is expected to run; the oldest is the first of any tenant")
    func backlog() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], ranMicroseconds: 2_000_000, by: worker)
        scheduler.offer(0, worker)
        scheduler.settle()
        try scheduler.submit([[.init(tenant: "a")], [.init(tenant: "b", priority: 3)]], sequence: 2, client: client)
        scheduler.tick(after: 5_000 * ms)
        try scheduler.submit(.init(tenant: "c"), sequence: 4, client: client)
        scheduler.settle()
        scheduler.tick(after: 1_000 * ms)
        let kind = try kind(scheduler)
        #expect(kind.open.queued == 3)
        #expect(kind.backlogSeconds == 6)
        #expect(abs(kind.oldestSeconds - 6) < 0.001)
        #expect(snapshot(scheduler).tenants.map(\.openJobs).sorted() == [0, 1, 1, 1])
    }

    @Test("Refusals are counted by the bound that was in the way")
    func refusals() throws {
        let scheduler = TestScheduler {
            $0.policies.bounds = .init(jobs: 3, bytes: 1_000)
            $0.policies.tenants["acme", default: .init()].bounds = .init(jobs: 1, bytes: 100)
        }
        let client = scheduler.client()
        func job(_ tenant: String, _ bytes: Int = 1) -> TestScheduler.Job {
            .init(tenant: tenant, payload: [UInt8](repeating: 1, count: bytes))
        }
        try scheduler.submit(
            [
                [job("acme", 101)], [job("acme")], [job("acme")], [job("b", 999)], [job("b", 2)], [job("b")],
                [job("b", 0)],
            ], sequence: 1, client: client)
        try scheduler.submit([[job("b")], [job("b")]], sequence: 8, client: client, busy: "down")
        var expected = SchedulerSnapshot.Refusals()
        expected.tenantOpenBytes = 1
        expected.tenantOpenJobs = 1
        expected.openBytes = 2
        expected.journal = 2
        #expect(scheduler.core.refusals == expected)
        #expect(scheduler.core.counts.refused == 6)
    }

    @Test("Workers are counted by whether they take jobs; what they offer counts only then")
    func workers() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let away = scheduler.worker(1, credit: 2, slots: 2)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.disconnect(away)
        _ = scheduler.worker(2, credit: 5, slots: 3)
        let workers = snapshot(scheduler).workers
        #expect(workers.serving == 1 && workers.away == 1 && workers.draining == 0)
        #expect(workers.slots == 3 && workers.credit == 5 && workers.leases == 1)
    }
}
