import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Why does it wait?")
struct ExplainTests {
    private let job = TestScheduler.firstID

    private func reason(_ scheduler: TestScheduler, _ id: UInt64? = nil, journalDown: String? = nil) -> Explanation {
        scheduler.core.explain(JobID(rawValue: id ?? job), journalDown: journalDown, at: scheduler.now)
    }

    @Test("A job that is not due says when it is")
    func notDue() throws {
        let scheduler = TestScheduler()
        var options = JobOptions()
        options.runAt = scheduler.now.wall + 5_000_000
        try scheduler.submit(TestScheduler.Job(options: options), sequence: 1, client: scheduler.client())
        #expect(reason(scheduler).reason == .notDue && reason(scheduler).until == options.runAt)
    }

    @Test("A job that waits for others names the first that is not done, and how many more there are")
    func afterJobs() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        var options = JobOptions()
        options.after = (0..<3).map { JobDependency(on: $0) }
        try scheduler.submit(
            [[.init(), .init(), .init(), .init(options: options)]], sequence: 1, client: scheduler.client())
        scheduler.settle()
        #expect(reason(scheduler, job + 3).reason == .afterJobs)
        for (done, more): (UInt64, String) in [(0, " and 2 others"), (1, " and 1 other"), (2, "")] {
            #expect(reason(scheduler, job + 3).detail == "after job \(job + done) (text, leased)\(more)")
            scheduler.report(try #require(scheduler.leases.last), by: worker)
            scheduler.settle()
        }
    }

    @Test("Without a worker for the kind, or with its labels, it says which is missing")
    func noWorker() throws {
        let scheduler = TestScheduler()
        var options = JobOptions()
        options.labels = ["gpu"]
        try scheduler.submit(TestScheduler.Job(options: options), sequence: 1, client: scheduler.client())
        #expect(reason(scheduler).reason == .noWorkerForKind)
        _ = scheduler.worker(1, kinds: ["file"])
        #expect(reason(scheduler).reason == .noWorkerForKind)
        _ = scheduler.worker(2)
        #expect(reason(scheduler).reason == .noWorkerWithLabels && reason(scheduler).detail.contains("gpu"))
        _ = scheduler.worker(3, labels: ["gpu"])
        #expect(reason(scheduler).reason == .next)
    }

    @Test("A lease of before a restart stands behind nobody, as far as is known")
    func absentWorker() throws {
        let scheduler = TestScheduler()
        _ = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: scheduler.client())
        scheduler.settle()
        #expect(reason(scheduler.restarted()).reason == .none)
    }

    @Test("Limits say how many of how many run, and rates when the next may start", arguments: [true, false])
    func limits(byKind: Bool) throws {
        let scheduler = TestScheduler()
        var limit = Policies.Limit()
        limit.running = 1
        var policies = Policies()
        if byKind { policies.kinds["text", default: .init()].limit = limit }
        if !byKind { policies.tenants["acme", default: .init()].limit = limit }
        scheduler.core.follow(policies, at: scheduler.now)
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 10, slots: 10)
        try scheduler.submit([[TestScheduler.Job()], [TestScheduler.Job()]], sequence: 1, client: client)
        scheduler.settle()
        #expect(reason(scheduler, job + 1).reason == (byKind ? .kindLimit : .tenantLimit))
        #expect(reason(scheduler, job + 1).detail.contains("1 of at most 1"))
        limit.running = nil
        limit.startsPerSecond = 1
        if byKind { policies.kinds["text", default: .init()].limit = limit }
        if !byKind { policies.tenants["acme", default: .init()].limit = limit }
        scheduler.core.follow(policies, at: scheduler.now)
        let rate = reason(scheduler, job + 1)
        #expect(rate.reason == (byKind ? .kindRate : .tenantRate))
        #expect(rate.until == scheduler.now.wall + 1_000_000)
    }

    @Test("Behind busy slots it says when one is expected, and in a worker that it waits there")
    func busy() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 2, slots: 1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], ranMicroseconds: 1_000_000, by: worker)
        try scheduler.submit((0..<3).map { _ in [TestScheduler.Job()] }, sequence: 2, client: client)
        #expect(reason(scheduler, job + 1).reason == .next)
        scheduler.take()
        #expect(reason(scheduler, job + 1).reason == .committing)
        scheduler.committed()
        #expect(reason(scheduler, job + 1).reason == .none, "it may run")
        #expect(reason(scheduler, job + 2).reason == .inWorker)
        #expect(reason(scheduler, job + 3).reason == .slotsBusy)
        #expect(reason(scheduler, job + 3).until > scheduler.now.wall)
        #expect(reason(scheduler, job + 3).detail == "1 job of kind text waits, and the time counts no others")
        try scheduler.submit(sequence: 5, client: client)
        #expect(reason(scheduler, job + 3).detail == "2 jobs of kind text wait, and the time counts no others")
    }

    @Test("With the journal down that is the reason; of a job that is not open there is none")
    func others() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.take()
        #expect(reason(scheduler, journalDown: "the journal is down").reason == .journalBehind)
        #expect(reason(scheduler, 5).state == nil && reason(scheduler, 5).reason == .none)
    }
}
