import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Cancelling and expiring")
struct CancelTests {
    @Test("A queued job ends at once; the answer leaves when the order is durable")
    func queued() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client, notify: true)
        scheduler.settle()
        scheduler.cancel(TestScheduler.firstID, client: client)
        #expect(scheduler.out.cancelled.isEmpty)
        let commit = try #require(scheduler.commit())
        #expect(commit.actions.map(\.ids) == [[TestScheduler.firstID]])
        #expect(commit.outcomes.map(\.final) == [.cancelled])
        #expect(commit.outcomes.map(\.token) == [0])
        #expect(scheduler.out.cancelled.map(\.record.jobs) == [1])
        #expect(scheduler.finals().map(\.state) == [.cancelled])
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("A delayed job ends at once, and its timer wakes nobody")
    func delayed() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var job = TestScheduler.Job()
        job.options.runAt = scheduler.now.wall + 5_000_000
        try scheduler.submit(job, sequence: 1, client: client)
        scheduler.settle()
        scheduler.cancel(TestScheduler.firstID, client: client)
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.final) == [.cancelled])
        scheduler.tick(after: 10 * TestScheduler.second)
        #expect(scheduler.take() == nil)
    }

    @Test("A lease that has not left yet never does", arguments: [false, true])
    func leasedNotSent(isUnderway: Bool) throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        if isUnderway { scheduler.take() } else { scheduler.core.dispatch(at: scheduler.now, into: &scheduler.out) }
        scheduler.cancel(TestScheduler.firstID, client: client)
        scheduler.committed()
        scheduler.settle()
        #expect(scheduler.sentLeases().isEmpty)
        #expect(scheduler.out.revoked.isEmpty)
        #expect(scheduler.outcomes.map(\.final) == [.cancelled])
        #expect(scheduler.outcomes.map(\.token) == scheduler.leases.map(\.token))
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("The attempt that a cancel stopped counts if it ran", arguments: [0, 5_000] as [UInt64])
    func attempts(ran: UInt64) throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client, notify: true)
        scheduler.settle()
        scheduler.cancel(TestScheduler.firstID, client: client)
        scheduler.report(scheduler.leases[0], .cancelled, ranMicroseconds: ran, by: worker)
        scheduler.settle()
        #expect(scheduler.out.finals.map(\.record.attempts) == [ran > 0 ? 1 : 0])
    }

    @Test("A job that was sent is revoked, and its worker's answer ends it", arguments: Ending.allCases)
    func sent(ending: Ending) throws {
        guard ending != .lost, ending != .expired else { return }
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        let lease = try #require(scheduler.leases.first)
        scheduler.cancel(lease.id, client: client)
        #expect(scheduler.out.revoked.map(\.record.reason) == [.cancelled])
        #expect(scheduler.commit()?.outcomes.isEmpty == true)
        scheduler.report(lease, ending, body: ending == .failed ? [0] : [], by: worker)
        let commit = try #require(scheduler.commit())
        // Work that was finished is not thrown away.
        #expect(commit.outcomes.map(\.final) == [ending == .succeeded ? .succeeded : .cancelled])
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("A cancelled job whose worker goes is cancelled, not run again")
    func workerGoes() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.cancel(TestScheduler.firstID, client: client)
        scheduler.settle()
        scheduler.leave(worker)
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.final) == [.cancelled])
        #expect(scheduler.outcomes.map(\.ending) == [.lost])
    }

    @Test("A worker that returns with a cancelled job is told again")
    func claimedAfterCancel() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.disconnect(worker)
        scheduler.cancel(TestScheduler.firstID, client: client)
        scheduler.settle()
        scheduler.out.removeAll()
        let again = scheduler.hello(1)
        scheduler.claim(scheduler.leases, by: again)
        #expect(scheduler.out.revoked.map(\.session) == [again.session])
        #expect(scheduler.out.revoked.map(\.record.reason) == [.cancelled])
    }

    @Test("A job that is final is not reached, whether durable yet or not")
    func finalAlready() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(try #require(scheduler.leases.first), by: worker)
        scheduler.cancel(TestScheduler.firstID, client: client)
        scheduler.settle()
        scheduler.cancel(TestScheduler.firstID, client: client)
        scheduler.settle()
        #expect(scheduler.out.cancelled.map(\.record.jobs) == [0, 0])
        #expect(scheduler.outcomes.map(\.final) == [.succeeded])
    }

    @Test("A request is cancelled as a whole, also when its first jobs are final")
    func wholeRequest() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit([[.init(), .init(), .init()]], sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(try #require(scheduler.leases.first), by: worker)
        scheduler.offer(0, worker)
        scheduler.settle()
        scheduler.cancel(TestScheduler.firstID, isRequest: true, client: client)
        scheduler.settle()
        #expect(scheduler.out.cancelled.map(\.record.jobs) == [2])
        #expect(scheduler.outcomes.map(\.final) == [.succeeded, .cancelled, .cancelled])
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("A queued job expires at its deadline, a running one when its worker has stopped it")
    func deadline() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var job = TestScheduler.Job()
        job.options.deadline = scheduler.now.wall + 2_000_000
        try scheduler.submit([[job], [job]], sequence: 1, client: client, notify: true)
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        scheduler.settle()
        let lease = try #require(scheduler.leases.first)
        scheduler.tick(after: 2 * TestScheduler.second - 1_000)
        #expect(scheduler.take() == nil)
        scheduler.tick(after: 1_000)
        #expect(scheduler.out.revoked.map(\.record.token) == [lease.token])
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.final) == [.expired])
        scheduler.report(lease, .cancelled, by: worker)
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.final) == [.expired, .expired])
        #expect(scheduler.finals().map(\.state) == [.expired, .expired])
    }

    @Test("A job does not start before its time")
    func runAt() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var job = TestScheduler.Job()
        job.options.runAt = scheduler.now.wall + 2_000_000
        try scheduler.submit(job, sequence: 1, client: client)
        let worker = scheduler.worker(1)
        scheduler.settle()
        #expect(scheduler.leases.isEmpty)
        scheduler.tick(after: 2 * TestScheduler.second - 1_000)
        scheduler.hear(worker)
        scheduler.settle()
        #expect(scheduler.leases.isEmpty)
        #expect(scheduler.core.nextDeadline.map { $0 - scheduler.now.monotonic } == 1_000)
        scheduler.tick(after: 1_000)
        scheduler.settle()
        #expect(scheduler.leases.count == 1)
    }

    @Test("Deadlines of jobs that ended long before cost no memory")
    func deadlinesAreForgotten() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 100, slots: 100)
        for round in 0..<100 {
            var job = TestScheduler.Job()
            job.options.deadline = scheduler.now.wall + 1_000_000_000_000
            let requests = (0..<100).map { _ in [job] }
            try scheduler.submit(requests, sequence: UInt64(round) * 100 + 1, client: client)
            scheduler.settle()
            for lease in scheduler.leases.suffix(100) { scheduler.report(lease, by: worker) }
            scheduler.settle()
            scheduler.tick()
        }
        #expect(scheduler.core.openJobs == 0)
        #expect(scheduler.timers < 3_000)
        #expect(scheduler.delayedJobs == 0)
    }
}
