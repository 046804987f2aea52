import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Checkpoints")
struct CheckpointTests {
    private let scheduler = TestScheduler()

    private func running() throws -> (worker: TestScheduler.Worker, lease: CommitBatch.LeaseRow) {
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.sentLeases().map(\.hasCheckpoint) == [false])
        return (worker, try #require(scheduler.leases.first))
    }

    @Test("A checkpoint is acknowledged once it is durable, one at a time, and the next attempt is told of it")
    func handedOver() throws {
        let (worker, lease) = try running()
        scheduler.handOver(lease, checkpoint: [1, 2], by: worker)
        scheduler.handOver(lease, checkpoint: [3], by: worker)
        #expect(scheduler.out.checkpointed.isEmpty)
        let written = try #require(scheduler.take())
        #expect(written.checkpoints.map(\.job) == [lease.id] && written.checkpoints.map(\.token) == [lease.token])
        scheduler.handOver(lease, checkpoint: [4], by: worker)
        scheduler.committed()
        #expect(scheduler.out.checkpointed.map(\.record.token) == [lease.token])
        #expect(scheduler.take() == nil)
        scheduler.handOver(lease, checkpoint: [5], by: worker)
        #expect(scheduler.commit()?.checkpoints.count == 1)

        scheduler.report(lease, .failed, by: worker)
        scheduler.settle()
        scheduler.tick(after: 2 * TestScheduler.second)
        scheduler.settle()
        #expect(scheduler.sentLeases().map(\.hasCheckpoint) == [true])
    }

    @Test("Only the live lease may hand one over")
    func staleOnes() throws {
        let (worker, lease) = try running()
        let other = scheduler.worker(2, credit: 0)
        scheduler.handOver(lease, checkpoint: [1], by: other)
        scheduler.handOver(lease, checkpoint: [1], tokensOf: 5, by: worker)
        scheduler.report(lease, by: worker)
        scheduler.handOver(lease, checkpoint: [1], by: worker)
        scheduler.settle()
        #expect(scheduler.core.counts.staleReports == 3)
        #expect(scheduler.journal.flatMap(\.checkpoints).isEmpty)
    }

    @Test("A job that ends in the commit of its checkpoint leaves nothing behind for who has its place")
    func endsTogether() throws {
        let (worker, lease) = try running()
        scheduler.handOver(lease, checkpoint: [1], by: worker)
        scheduler.report(lease, by: worker)
        scheduler.settle()
        try scheduler.submit(sequence: 2, client: scheduler.client())
        scheduler.settle()
        #expect(scheduler.sentLeases().map(\.hasCheckpoint) == [false])
    }

    @Test("A new owner knows of checkpoints: the worker's death does not lose them")
    func recovered() throws {
        let (worker, lease) = try running()
        scheduler.handOver(lease, checkpoint: [1], by: worker)
        scheduler.settle()
        let next = scheduler.restarted()
        next.tick(after: 11 * TestScheduler.second)
        _ = next.worker(2)
        next.settle()
        #expect(next.sentLeases().map(\.hasCheckpoint) == [true])
    }
}
