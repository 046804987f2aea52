import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Recovery")
struct RecoveryTests {
    @Test("Open jobs go on, final ones are gone, and what was not committed never was")
    func carriesOn() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        for sequence: UInt64 in 1...3 { try scheduler.submit(sequence: sequence, client: client) }
        scheduler.settle()
        scheduler.report(try #require(scheduler.leases.first), by: worker)
        scheduler.settle()
        try scheduler.submit(sequence: 4, client: client)
        let next = scheduler.restarted()
        #expect(next.core.openJobs == 2)
        #expect(next.queues.map(\.queued) == [1])
        #expect(next.queues.map(\.leased) == [1])
        #expect(next.core.epoch == 2)
    }

    @Test("A worker claims its lease after a restart, and its outcome counts whatever the epoch")
    func claimed() throws {
        let scheduler = TestScheduler()
        _ = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: scheduler.client())
        scheduler.settle()
        let lease = try #require(scheduler.leases.first)
        let next = scheduler.restarted()
        let worker = next.hello(1)
        next.claim([lease], by: worker)
        next.offer(2, worker)
        #expect(next.out.revoked.isEmpty)
        next.report(lease, by: worker)
        #expect(next.commit()?.outcomes.map(\.final) == [.succeeded])
    }

    @Test("Leases of a former owner that come back unstarted give no starts back: this owner did not count them")
    func startsOfBefore() throws {
        func limit(_ settings: inout CoreSettings) {
            settings.policies.otherKinds.limit.startsPerSecond = 1
            settings.policies.otherKinds.limit.burst = 3
        }
        let scheduler = TestScheduler(limit)
        let before = scheduler.worker(1, credit: 9, slots: 9)
        let client = scheduler.client()
        for sequence: UInt64 in 1...9 { try scheduler.submit(sequence: sequence, client: client) }
        scheduler.tick(after: 5 * TestScheduler.second)
        scheduler.hear(before)
        scheduler.settle()
        #expect(scheduler.leases.count == 3)
        let next = scheduler.restarted(with: Pauses(), limit)
        // It claims none of them.
        _ = next.worker(1, credit: 9, slots: 9)
        next.settle()
        #expect(next.outcomes.map(\.ending) == [.returned, .returned, .returned] && next.leases.isEmpty)
    }

    @Test("An outcome may come without a claim")
    func offered() throws {
        let scheduler = TestScheduler()
        _ = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: scheduler.client())
        scheduler.settle()
        let next = scheduler.restarted()
        let worker = next.hello(1)
        next.report(try #require(scheduler.leases.first), by: worker)
        next.offer(2, worker)
        #expect(next.commit()?.outcomes.map(\.final) == [.succeeded])
    }

    @Test("A lease that nobody claims lasts one full lease time from the new owner's clock; then it is lost")
    func unclaimed() throws {
        let scheduler = TestScheduler()
        _ = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: scheduler.client())
        scheduler.settle()
        let next = scheduler.restarted()
        next.tick(after: next.core.settings.leaseNanoseconds - 1)
        #expect(next.take() == nil)
        next.tick(after: 1)
        #expect(next.commit()?.outcomes.map(\.ending) == [.lost])
    }

    @Test("A job that is lost after a restart keeps its age")
    func keepsAge() throws {
        let scheduler = TestScheduler()
        _ = scheduler.worker(1, credit: 1, slots: 1)
        let client = scheduler.client()
        for sequence in 1...3 { try scheduler.submit(sequence: UInt64(sequence), client: client) }
        scheduler.settle()
        let oldest = try #require(scheduler.leases.first).id
        let next = scheduler.restarted()
        next.tick(after: next.core.settings.leaseNanoseconds)
        next.settle()
        _ = next.worker(2, credit: 1, slots: 1)
        next.settle()
        #expect(next.leases.last?.id == oldest)
    }

    @Test("A retry that waits over a restart keeps its age")
    func retryKeepsAge() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        let client = scheduler.client()
        for sequence in 1...3 { try scheduler.submit(sequence: UInt64(sequence), client: client) }
        scheduler.settle()
        let oldest = try #require(scheduler.leases.first)
        scheduler.report(oldest, .failed, retryAfter: 5_000, by: worker)
        scheduler.take()
        scheduler.committed()
        let next = scheduler.restarted()
        next.tick(after: 20 * TestScheduler.second)
        next.settle()
        _ = next.worker(2, credit: 1, slots: 1)
        next.settle()
        #expect(next.leases.last?.id == oldest.id)
    }

    @Test("A worker of before a restart holds its leases in the order in which it got them")
    func leaseOrder() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        let client = scheduler.client()
        for sequence in 1...2 { try scheduler.submit(sequence: UInt64(sequence), client: client) }
        scheduler.settle()
        // The older job is leased again behind the younger one.
        scheduler.offer(2, worker)
        scheduler.settle()
        let first = try #require(scheduler.leases.first)
        scheduler.report(first, .returned, ranMicroseconds: 0, by: worker)
        scheduler.settle()
        let next = scheduler.restarted()
        let again = next.hello(1, slots: 1)
        next.claim(scheduler.leases.suffix(2), by: again)
        next.offer(2, again)
        let id = JobID(rawValue: first.id)
        #expect(next.core.explain(id, journalDown: nil, at: next.now).reason == .inWorker)
    }

    @Test("A worker that returns without its lease never got it")
    func neverSent() throws {
        let scheduler = TestScheduler()
        _ = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: scheduler.client())
        scheduler.take()
        let next = scheduler.restarted()
        let worker = next.worker(1)
        let commit = try #require(next.commit())
        #expect(commit.outcomes.map(\.ending) == [.returned])
        #expect(commit.leases.map(\.workerIndex) == [worker.index])
    }

    @Test("A claim of a lease that the journal does not have is refused")
    func unknownClaim() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        scheduler.claim(
            [CommitBatch.LeaseRow(id: 5, token: 5, worker: 1, attempt: 1, slot: 0, workerIndex: 0)], by: worker)
        #expect(scheduler.out.revoked.map(\.record.reason) == [.notHeld])
        #expect(scheduler.core.counts.stale == 1)
    }

    @Test("A claim of before a restore is revoked under the journal incarnation that the worker knows it by")
    func claimOfAFormerJournal() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: scheduler.client())
        scheduler.settle()
        let lease = try #require(scheduler.leases.first)
        scheduler.claim([lease], tokensOf: 78, by: worker)
        #expect(
            scheduler.out.revoked.map(\.record) == [
                TokenRecord(JobID(rawValue: lease.id), token: lease.token, reason: .notHeld)
            ])
        #expect(scheduler.out.revoked.map(\.tokensOf) == [78])
    }

    @Test("A restored journal gives no id again that lost jobs may have had, not even when it is restored twice")
    func idsAfterRestore() {
        let end = TestScheduler.emptyJournal
        let adopted = [78, 79].map { end.adopted(as: $0, at: Int64(TestScheduler.hour) * 3_600_000_000) }
        for (head, incarnation) in zip(adopted, [78, 79] as [UInt64]) {
            let first = JobID(rawValue: head.nextID)
            #expect(first.hour == TestScheduler.hour + 1 && first.offsetInPage == 0)
            #expect(head.incarnation == incarnation && head.epoch == 2 && head.batch == 2)
            #expect(head.nextToken == end.nextToken && head.nextName == end.nextName)
        }
        #expect(adopted[0].nextID != adopted[1].nextID)
    }

    @Test("Failures count across a restart")
    func failures() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        try scheduler.submit(.init(attempts: 2), sequence: 1, client: scheduler.client())
        scheduler.settle()
        scheduler.report(try #require(scheduler.leases.first), .failed, body: [0], by: worker)
        scheduler.settle()
        let next = scheduler.restarted()
        next.tick(after: 2 * TestScheduler.second)
        let again = next.worker(1)
        next.settle()
        #expect(next.leases.map(\.attempt) == [2])
        next.report(try #require(next.leases.first), .failed, body: [0], by: again)
        #expect(next.commit()?.outcomes.map(\.final) == [.dead])
    }

    @Test("Losses count across a restart, by incarnation even if it got another number")
    func losses() throws {
        var scheduler = TestScheduler()
        try scheduler.submit(sequence: 1, client: scheduler.client())
        for incarnation: UInt64 in [1, 2, 1, 2, 1] {
            let worker = scheduler.worker(incarnation)
            scheduler.settle()
            scheduler.leave(worker)
            scheduler.settle()
            #expect(scheduler.core.openJobs == 1)
            let before = scheduler
            scheduler = before.restarted()
            scheduler.adopt(before)
        }
        let worker = scheduler.worker(3)
        scheduler.settle()
        scheduler.leave(worker)
        scheduler.settle()
        #expect(scheduler.outcomes.last?.final == .dead)
    }

    @Test("A cancelled job that ran stays cancelled; one that did not run ends at once")
    func cancelled() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit([[.init(), .init()]], sequence: 1, client: client)
        scheduler.settle()
        scheduler.cancel(TestScheduler.firstID, client: client)
        scheduler.settle()
        let next = scheduler.restarted()
        let worker = next.hello(1)
        next.claim(scheduler.leases, by: worker)
        #expect(next.out.revoked.map(\.record.reason) == [.cancelled])
        next.offer(1, worker)
        next.report(try #require(scheduler.leases.first), .cancelled, by: worker)
        next.settle()
        #expect(next.outcomes.first?.final == .cancelled)
        #expect(next.leases.map(\.id) == [TestScheduler.firstID + 1])
    }

    @Test("A producer's repeat after a restart finds the first ids")
    func producers() throws {
        let scheduler = TestScheduler()
        try scheduler.submit([[.init()], [.init()]], sequence: 1, client: scheduler.client())
        scheduler.commit()
        let runs = scheduler.journal.flatMap { commit in
            commit.submits.map {
                Producers.Run(
                    sequence: $0.sequence, count: UInt64($0.count), firstID: $0.firstID,
                    jobsEach: UInt64($0.jobsEach), batch: commit.head.batch)
            }
        }
        let next = scheduler.restarted()
        let client = next.client(known: runs)
        try next.submit([[.init()], [.init()]], sequence: 1, client: client)
        #expect(next.out.accepted.map(\.run.firstID.rawValue) == [TestScheduler.firstID, TestScheduler.firstID + 1])
        #expect(next.core.openJobs == 2)
    }

    @Test("Crash after crash in the middle of everything loses nothing")
    func repeatedly() throws {
        var scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit((0..<20).map { _ in [.init()] }, sequence: 1, client: client)
        scheduler.settle()
        for round in 0..<10 {
            let worker = scheduler.worker(7, credit: 3, slots: 3)
            scheduler.settle()
            let open = scheduler.leases.filter { lease in !scheduler.outcomes.contains { $0.token == lease.token } }
            for lease in open { scheduler.report(lease, by: worker) }
            // Every other time what was reported is not durable when the scheduler dies.
            if round % 2 == 0 { scheduler.settle() }
            let before = scheduler
            scheduler = before.restarted()
            scheduler.adopt(before)
        }
        let finals = Dictionary(grouping: scheduler.outcomes.filter { $0.final != nil }, by: \.id)
        #expect(finals.allSatisfy { $0.value.count == 1 })
        #expect(finals.count + scheduler.core.openJobs == 20)
    }
}
