import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("User keys")
struct UserKeyTests {
    private func keyed(_ payload: UInt8, tenant: String = "acme") -> TestScheduler.Job {
        var job = TestScheduler.Job(tenant: tenant, payload: [payload])
        job.options.userKey = [42]
        return job
    }

    @Test("The same key with the same content returns the first request, also to another producer")
    func hit() throws {
        let scheduler = TestScheduler()
        let one = scheduler.client(1)
        let two = scheduler.client(2)
        try scheduler.submit(keyed(7), sequence: 1, client: one)
        try scheduler.submit(keyed(7), sequence: 9, client: two)
        let commit = try #require(scheduler.commit())
        #expect(commit.keys.count == 1)
        #expect(scheduler.core.openJobs == 1)
        #expect(scheduler.out.accepted.map(\.run.sequence) == [1, 9])
        #expect(scheduler.out.accepted[1].run.firstID == scheduler.out.accepted[0].run.firstID)
    }

    @Test("A hit is acknowledged only once the first request is durable")
    func hitWaits() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(keyed(7), sequence: 1, client: client)
        scheduler.take()
        try scheduler.submit(keyed(7), sequence: 2, client: client)
        #expect(scheduler.out.accepted.isEmpty)
        scheduler.committed()
        scheduler.commit()
        #expect(scheduler.out.accepted.map(\.run.sequence) == [1, 2])
    }

    @Test("The same key with another content is an error that is not worth repeating")
    func conflict() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(keyed(7), sequence: 1, client: client)
        try scheduler.submit(keyed(8), sequence: 2, client: client)
        #expect(scheduler.out.refused.map(\.run.code) == [WireError.Code.keyConflict.rawValue])
        #expect(scheduler.out.refused.map(\.run.retryAfterMilliseconds) == [0])
        #expect(scheduler.core.openJobs == 1)
    }

    @Test("What the journal knows of a key counts too")
    func knownToTheJournal() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let use = UserKeys.Use(digest: [7], request: 555, jobs: 1, batch: 0)
        try scheduler.submit([[keyed(7)]], sequence: 1, client: client, keys: [use])
        #expect(scheduler.out.accepted.map(\.run.firstID.rawValue) == [555])
        try scheduler.submit([[keyed(8)]], sequence: 2, client: client, keys: [use])
        #expect(scheduler.out.refused.map(\.run.sequence) == [2])
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("A key belongs to its tenant")
    func perTenant() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(keyed(7), sequence: 1, client: client)
        try scheduler.submit(keyed(8, tenant: "other"), sequence: 2, client: client)
        #expect(scheduler.out.refused.isEmpty)
        #expect(scheduler.core.openJobs == 2)
    }
}
