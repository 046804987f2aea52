import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Outcomes")
struct OutcomeTests {
    private func leased(
        _ job: TestScheduler.Job = .init(), _ change: (inout CoreSettings) -> Void = { _ in }
    ) throws -> (TestScheduler, client: UInt32, TestScheduler.Worker, CommitBatch.LeaseRow) {
        let scheduler = TestScheduler(change)
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(job, sequence: 1, client: client, notify: true)
        scheduler.settle()
        return (scheduler, client, worker, try #require(scheduler.leases.first))
    }

    @Test("DURABLE and the result leave when the outcome is durable; then the job is forgotten")
    func success() throws {
        let (scheduler, client, worker, lease) = try leased()
        scheduler.report(lease, body: [9, 9], by: worker)
        #expect(scheduler.out.durable.isEmpty && scheduler.out.finals.isEmpty)
        let commit = try #require(scheduler.take())
        #expect(commit.outcomes.map(\.final) == [.succeeded])
        #expect(commit.results.map(\.length) == [2])
        #expect(scheduler.out.durable.isEmpty && scheduler.out.finals.isEmpty)
        #expect(scheduler.core.openJobs == 1)
        scheduler.committed()
        #expect(scheduler.out.durable.map(\.token) == [lease.token])
        #expect(scheduler.out.finals.map(\.record.bodyLength) == [2])
        #expect(scheduler.out.finals.map(\.record.attempts) == [1])
        let finals = scheduler.finals()
        #expect(finals.map(\.client) == [client])
        #expect(finals.map(\.state) == [.succeeded])
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("A failed attempt is retried after its backoff, until the attempts are used up")
    func retries() throws {
        let (scheduler, _, worker, first) = try leased(.init(attempts: 3))
        var lease = first
        for attempt in 1...3 {
            #expect(lease.attempt == attempt)
            scheduler.report(lease, .failed, body: [0], by: worker)
            let commit = try #require(scheduler.commit())
            let row = try #require(commit.outcomes.first)
            guard attempt < 3 else {
                #expect(row.final == .dead)
                break
            }
            #expect(row.final == nil)
            #expect(row.retry >= 0)
            #expect(scheduler.leases.count == attempt)
            // Full jitter: at most the doubled base.
            scheduler.tick(after: 1 << (attempt - 1) * TestScheduler.second)
            scheduler.settle()
            lease = try #require(scheduler.leases.last)
        }
        #expect(scheduler.core.openJobs == 0)
        #expect(scheduler.finals().map(\.state) == [.dead])
    }

    @Test("A failure that is not retryable ends the job at once")
    func notRetryable() throws {
        let (scheduler, _, worker, lease) = try leased()
        scheduler.report(lease, .failed, retryable: false, body: [0], by: worker)
        #expect(try #require(scheduler.commit()).outcomes.map(\.final) == [.failed])
        #expect(scheduler.finals().map(\.state) == [.failed])
    }

    @Test("A handler's own delay is kept to")
    func retryAfter() throws {
        let (scheduler, _, worker, lease) = try leased()
        scheduler.report(lease, .failed, body: [0], retryAfter: 5_000, by: worker)
        #expect(try #require(scheduler.commit()).outcomes.map(\.retry) == [5])
        scheduler.hear(worker)
        scheduler.tick(after: 5 * TestScheduler.second - 1)
        scheduler.settle()
        #expect(scheduler.leases.count == 1)
        scheduler.tick(after: 1)
        scheduler.settle()
        #expect(scheduler.leases.count == 2)
    }

    @Test("A returned attempt costs nothing and is leased again in the same commit")
    func returned() throws {
        let (scheduler, _, worker, lease) = try leased(.init(attempts: 1))
        scheduler.report(lease, .returned, by: worker)
        let commit = try #require(scheduler.commit())
        #expect(commit.outcomes.map(\.ending) == [.returned])
        #expect(commit.outcomes.map(\.final) == [nil])
        #expect(commit.leases.map(\.attempt) == [1])
        #expect(commit.leases.map(\.token) != [lease.token])
    }

    @Test("An outcome of a lease that ended is looked up, and refused if it is not recorded")
    func stale() throws {
        let (scheduler, _, worker, lease) = try leased()
        scheduler.tick(after: scheduler.core.settings.leaseNanoseconds)
        scheduler.settle()
        let again = scheduler.worker(1)
        scheduler.settle()
        #expect(scheduler.leases.count == 2)
        scheduler.report(lease, by: again)
        #expect(scheduler.take() == nil)
        #expect(scheduler.out.outcomeLookups.map(\.token) == [lease.token])
        let lookup = try #require(scheduler.out.outcomeLookups.first)
        scheduler.core.outcomeLookedUp(lookup, isRecorded: false, into: &scheduler.out)
        #expect(scheduler.out.stale.map(\.record.token) == [lease.token])
        #expect(scheduler.out.stale.map(\.session) == [again.session])
        #expect(scheduler.core.counts.stale == 1)
        #expect(worker.session != again.session)
    }

    @Test("An outcome that was recorded before is called durable")
    func recordedBefore() throws {
        let (scheduler, _, worker, lease) = try leased()
        scheduler.report(lease, by: worker)
        scheduler.settle()
        scheduler.out.removeAll()
        let again = scheduler.hello(1)
        scheduler.report(lease, by: again)
        let lookup = try #require(scheduler.out.outcomeLookups.first)
        scheduler.core.outcomeLookedUp(lookup, isRecorded: true, into: &scheduler.out)
        #expect(scheduler.out.durable.map(\.token) == [lease.token])
        #expect(scheduler.out.durable.map(\.session) == [again.session])
    }

    @Test("An outcome that is offered again before it is durable is looked up only afterwards")
    func offeredAgainTooSoon() throws {
        let (scheduler, _, worker, lease) = try leased()
        scheduler.report(lease, by: worker)
        scheduler.take()
        let again = scheduler.hello(1)
        scheduler.report(lease, by: again)
        #expect(scheduler.out.outcomeLookups.isEmpty)
        scheduler.committed()
        scheduler.commit()
        #expect(scheduler.out.outcomeLookups.map(\.token) == [lease.token])
        #expect(scheduler.out.stale.isEmpty)
    }

    @Test("A token of another job, of another worker or of no lease ends nothing")
    func wrongToken() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let one = scheduler.worker(1, credit: 1, slots: 1)
        let two = scheduler.worker(2, credit: 1, slots: 1)
        try scheduler.submit(sequence: 1, client: client)
        try scheduler.submit(sequence: 2, client: client)
        scheduler.settle()
        let leases = scheduler.leases
        var swapped = leases[0]
        swapped.token = leases[1].token
        let owner = leases[0].workerIndex == one.index ? one : two
        let other = owner == one ? two : one
        scheduler.report(swapped, by: owner)
        scheduler.report(leases[0], by: other)
        swapped.token = 0
        scheduler.report(swapped, by: owner)
        swapped.token = 999
        scheduler.report(swapped, by: owner)
        #expect(scheduler.take() == nil)
        #expect(scheduler.out.outcomeLookups.count == 4)
    }

    @Test("A token of another journal incarnation is stale without a look")
    func otherJournal() throws {
        let (scheduler, _, worker, lease) = try leased()
        scheduler.report(lease, tokensOf: 78, by: worker)
        #expect(scheduler.out.stale.map(\.record.token) == [lease.token])
        #expect(scheduler.out.stale.map(\.tokensOf) == [78])
        #expect(scheduler.take() == nil)
    }

    @Test("A session that was superseded can say nothing any more")
    func superseded() throws {
        let (scheduler, _, worker, lease) = try leased()
        var hello = Hello(role: .worker, incarnation: 1, name: "w1")
        hello.slots = 2
        hello.kinds = [Hello.Kind("text")]
        let joined = scheduler.core.workerJoined(hello, session: 99, at: scheduler.now)
        #expect(joined.superseded == worker.session)
        scheduler.report(lease, by: worker)
        scheduler.leave(worker)
        scheduler.disconnect(worker)
        #expect(scheduler.take() == nil)
        #expect(scheduler.out.outcomeLookups.isEmpty)
        scheduler.report(lease, by: TestScheduler.Worker(index: joined.index, session: 99))
        #expect(scheduler.take()?.outcomes.count == 1)
    }

    @Test("Outcomes that find no room are put off, and asked for again after the next commit")
    func putOff() throws {
        let scheduler = TestScheduler { $0.maxBatchResultBytes = 4 }
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit((0..<2).map { _ in [TestScheduler.Job()] }, sequence: 1, client: client)
        scheduler.settle()
        let leases = scheduler.leases
        scheduler.report(leases[0], body: [1, 2, 3, 4, 5], by: worker)
        scheduler.report(leases[1], body: [1], by: worker)
        let commit = try #require(scheduler.commit())
        #expect(commit.outcomes.count == 1)
        #expect(scheduler.out.offerAgain == [worker.index])
        scheduler.report(leases[1], body: [1], by: worker)
        #expect(scheduler.commit()?.outcomes.map(\.id) == [leases[1].id])
    }

    @Test("An outcome that is put off while its worker returns keeps its lease: the job is not run again")
    func putOffAtReturn() throws {
        let scheduler = TestScheduler { $0.maxBatchResultBytes = 4 }
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit((0..<2).map { _ in [TestScheduler.Job()] }, sequence: 1, client: client)
        scheduler.settle()
        let leases = scheduler.leases
        scheduler.disconnect(worker)
        let returned = scheduler.hello(1)
        scheduler.report(leases[0], body: [1, 2, 3, 4, 5], by: returned)
        scheduler.report(leases[1], body: [1], by: returned)
        scheduler.offer(2, returned)
        scheduler.settle()
        #expect(scheduler.leases.count == 2)
        scheduler.report(leases[1], body: [1], by: returned)
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.ending) == [.succeeded, .succeeded])
    }
}
