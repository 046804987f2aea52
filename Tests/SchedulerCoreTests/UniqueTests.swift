import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Uniqueness")
struct UniqueTests {
    private static let first = TestScheduler.firstID

    private func job(_ key: String = "nightly", seconds: UInt32 = 0, kind: String = "text", tenant: String = "acme")
        -> TestScheduler.Job
    {
        var job = TestScheduler.Job(kind: kind, tenant: tenant)
        job.options.unique = UniqueRule(key: Array(key.utf8), seconds: seconds)
        return job
    }

    /// Which requests the last answers named, and which of them are duplicates.
    private func answers(_ scheduler: TestScheduler) -> [(id: UInt64, isDuplicate: Bool)] {
        defer { scheduler.out.accepted.removeAll() }
        return scheduler.out.accepted.map { ($0.run.firstID.rawValue, $0.run.duplicate) }
    }

    @Test("While one is unfinished a second one is answered with it, and not recorded")
    func unfinished() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        let client = scheduler.client()
        try scheduler.submit([[job(), .init()]], sequence: 1, client: client)
        try scheduler.submit([[job()], [job("other")]], sequence: 2, client: client)
        scheduler.settle()
        let given = answers(scheduler)
        #expect(given.map(\.id) == [Self.first, Self.first, Self.first + 2])
        #expect(given.map(\.isDuplicate) == [false, true, false])
        #expect(scheduler.core.openJobs == 3)
        // Unfinished means: any job of the request.
        for lease in scheduler.leases { scheduler.report(lease, by: worker) }
        scheduler.settle()
        #expect(scheduler.leases.count == 3)
        try scheduler.submit(job(), sequence: 4, client: client)
        scheduler.settle()
        #expect(answers(scheduler).map(\.isDuplicate) == [false])
    }

    @Test("A request that ended makes room at once, before that is durable")
    func makesRoom() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        let client = scheduler.client()
        try scheduler.submit(job(), sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], by: worker)
        try scheduler.submit(job(), sequence: 2, client: client)
        let commit = try #require(scheduler.commit())
        #expect(commit.outcomes.count == 1 && commit.jobs.count == 1)
    }

    @Test("A duplicate is answered only once the first is durable")
    func waits() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(job(), sequence: 1, client: client)
        scheduler.take()
        try scheduler.submit(job(), sequence: 2, client: client)
        #expect(scheduler.out.accepted.isEmpty)
        scheduler.committed()
        scheduler.settle()
        #expect(scheduler.out.accepted.map(\.run.sequence) == [1, 2])
        try scheduler.submit(job(), sequence: 3, client: client)
        #expect(scheduler.out.accepted.map(\.run.sequence) == [1, 2, 3])
        #expect(scheduler.take() == nil)
    }

    @Test("Once in a time: the first stands for so long, finished or not")
    func time() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let hourly = job(seconds: 3_600)
        try scheduler.submit(hourly, sequence: 1, client: client)
        scheduler.settle()
        scheduler.cancel(Self.first, client: client)
        scheduler.settle()
        scheduler.tick(after: 3_599 * TestScheduler.second)
        try scheduler.submit(hourly, sequence: 2, client: client)
        scheduler.tick(after: TestScheduler.second)
        try scheduler.submit(hourly, sequence: 3, client: client)
        try scheduler.submit(hourly, sequence: 4, client: client)
        scheduler.settle()
        #expect(answers(scheduler).map(\.isDuplicate) == [false, true, false, true])
    }

    @Test("Keys count inside a tenant, a kind and a rule")
    func apart() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let jobs = [job(), job(kind: "file"), job(tenant: "b"), job(seconds: 60), job(), job(seconds: 60)]
        try scheduler.submit(jobs.map { [$0] }, sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.core.openJobs == 4)
        #expect(scheduler.core.counts.duplicates == 2)
    }

    @Test("What the journal knows counts, unless memory knows better")
    func journal() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let old = UniqueKeys.Use(request: 555, jobs: 2, at: scheduler.now.wall - 59_000_000, batch: 0)
        try scheduler.submit([[job(seconds: 60)]], sequence: 1, client: client, unique: [old])
        // The one that the journal knows is over: it is not in memory.
        try scheduler.submit([[job()]], sequence: 2, client: client, unique: [old])
        scheduler.tick(after: 2 * TestScheduler.second)
        try scheduler.submit([[job(seconds: 60)]], sequence: 3, client: client, unique: [old])
        try scheduler.submit([[job(seconds: 60)]], sequence: 4, client: client, unique: [old])
        scheduler.settle()
        let runs = scheduler.out.accepted.map(\.run).sorted { $0.sequence < $1.sequence }
        #expect(runs.map(\.duplicate) == [true, false, false, true])
        #expect(runs[0].firstID.rawValue == 555 && runs[0].jobsEach == 2)
        #expect(runs[3].firstID == runs[2].firstID)
    }

    @Test("A user key is asked first: a repeat stays a repeat")
    func userKey() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var keyed = job()
        keyed.options.userKey = [1]
        try scheduler.submit(keyed, sequence: 1, client: client)
        try scheduler.submit(keyed, sequence: 2, client: client)
        scheduler.settle()
        let again = scheduler.out.accepted.map(\.run)[1]
        #expect(again.repeated && !again.duplicate)
    }

    @Test("A unique key on another job than the first, and a wrong one, is refused")
    func border() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit([[.init(), job()]], sequence: 1, client: client)
        try scheduler.submit(job(seconds: 2_592_001), sequence: 2, client: client)
        try scheduler.submit(job(""), sequence: 3, client: client)
        try scheduler.submit(job(String(repeating: "k", count: 256)), sequence: 4, client: client)
        #expect(scheduler.out.refused.map(\.run.sequence) == [1, 2, 3, 4])
        #expect(scheduler.core.openJobs == 0)
    }
}
