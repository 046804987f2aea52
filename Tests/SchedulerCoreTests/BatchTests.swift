import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Batches")
struct BatchTests {
    private let scheduler = TestScheduler()
    private let first = TestScheduler.firstID

    private func jobs(_ count: Int, affinity: String? = nil) -> [[TestScheduler.Job]] {
        var job = TestScheduler.Job()
        job.options.affinity = affinity
        return Array(repeating: [job], count: count)
    }

    /// How many leases each worker holds, by its index.
    private func held() -> [Int] { scheduler.core.workerStatus.map(\.leases.count) }

    private func explain(_ number: Int) -> Explanation {
        scheduler.core.explain(JobID(rawValue: first + UInt64(number)), journalDown: nil, at: scheduler.now)
    }

    @Test("Credit for the slots fills a batch in each of them, and no more")
    func fillsSlots() throws {
        _ = scheduler.worker(1, credit: 2, slots: 2, batch: (4, 50))
        try scheduler.submit(jobs(20), sequence: 1, client: scheduler.client())
        scheduler.settle()
        #expect(held() == [8])
        #expect(scheduler.core.workerStatus[0].freeSlots == 0)
    }

    @Test("A batch takes jobs of its key only; those of others do not keep them from it, and are bounded")
    func keys() throws {
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 1, slots: 1, batch: (4, 50))
        try scheduler.submit(jobs(1, affinity: "tiny"), sequence: 1, client: client)
        scheduler.settle()
        try scheduler.submit(jobs(1, affinity: "large") + jobs(2, affinity: "tiny"), sequence: 2, client: client)
        scheduler.settle()
        #expect(scheduler.core.workerStatus[0].forming.map(\.count) == [3, 1])
        try scheduler.submit(jobs(6, affinity: "other"), sequence: 5, client: client)
        scheduler.settle()
        #expect(held() == [4])
        #expect(explain(4).reason == .slotsBusy)
    }

    @Test("A worker whose batches form for long is not taken for one that is stuck")
    func notStuck() throws {
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 1, slots: 1, batch: (4, 1_000))
        try scheduler.submit(jobs(1, affinity: "tiny"), sequence: 1, client: client)
        scheduler.settle()
        scheduler.tick(after: 900_000_000)
        try scheduler.submit(jobs(1, affinity: "large"), sequence: 2, client: client)
        scheduler.settle()
        #expect(held() == [2])
        scheduler.tick(after: 600_000_000)
        scheduler.settle()
        #expect(scheduler.core.workerStatus[0].isOverrun, "now the first one should be over")
    }

    @Test("A batch takes what its kind needs of its worker's resources once")
    func resources() throws {
        let client = scheduler.client()
        var policies = Policies()
        policies.kinds["text", default: .init()].needs = [ResourceAmount("gpu", 1)]
        scheduler.core.follow(policies, at: scheduler.now)
        let worker = scheduler.worker(
            1, credit: 4, slots: 4, batch: (3, 50), resources: [ResourceAmount("gpu", 1)])
        try scheduler.submit(jobs(5), sequence: 1, client: client)
        scheduler.settle()
        #expect(held() == [3])
        // A full batch stays one, and what it took is taken, until its last job is over.
        for lease in scheduler.leases[..<2] {
            scheduler.report(lease, by: worker)
            scheduler.settle()
            #expect(scheduler.core.workerStatus[0].held == 1)
        }
        #expect(held() == [1])
        scheduler.report(scheduler.leases[2], by: worker)
        scheduler.settle()
        #expect(held() == [2])
    }

    @Test("What leaves a batch that forms makes room in it, the first job too")
    func leaves() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1, batch: (3, 50))
        try scheduler.submit(jobs(2), sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], .cancelled, by: worker)
        #expect(explain(1).detail == "1 of at most 3 wait in w1")
        #expect(scheduler.core.workerStatus[0].held == 1)
        try scheduler.submit(jobs(3), sequence: 3, client: client)
        scheduler.settle()
        #expect(held() == [3])
        #expect(explain(1).reason == .none)
    }

    @Test("Jobs join the batch that forms before they take a free slot, here or elsewhere")
    func joinsFirst() throws {
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 2, slots: 2, batch: (4, 50))
        _ = scheduler.worker(2, credit: 2, slots: 2, batch: (4, 50))
        for sequence in 1...4 {
            try scheduler.submit(jobs(1), sequence: UInt64(sequence), client: client)
            scheduler.settle()
        }
        #expect(held().sorted() == [0, 4])
        try scheduler.submit(jobs(1), sequence: 5, client: client)
        scheduler.settle()
        #expect(held().reduce(0, +) == 5)
        #expect(scheduler.core.workerStatus.map(\.freeSlots).reduce(0, +) == 2)
    }

    @Test("Once its time is over a batch takes no more: the next job needs a slot")
    func closes() throws {
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 1, slots: 1, batch: (4, 50))
        try scheduler.submit(jobs(1), sequence: 1, client: client)
        scheduler.settle()
        #expect(explain(0).reason == .batchForming)
        #expect(explain(0).until == scheduler.now.wall + 50_000)
        #expect(explain(0).detail == "1 of at most 4 wait in w1")
        scheduler.tick(after: 51_000_000)
        #expect(explain(0).reason == .none)
        try scheduler.submit(jobs(1), sequence: 2, client: client)
        scheduler.settle()
        #expect(held() == [1] && explain(1).reason == .slotsBusy)
    }

    @Test("A full batch forms no longer, and what waits behind one says so")
    func full() throws {
        let worker = scheduler.worker(1, credit: 2, slots: 1, batch: (2, 50))
        try scheduler.submit(jobs(4), sequence: 1, client: scheduler.client())
        scheduler.settle()
        #expect((0..<4).map { explain($0).reason } == [.none, .none, .inWorker, .inWorker])
        scheduler.succeed(scheduler.leases[..<2], by: worker)
        #expect((2..<4).map { explain($0).reason } == [.none, .none])
        #expect(scheduler.core.workerStatus[0].held == 1)
    }

    @Test("A job of a second attempt takes a slot of its own")
    func retriedAlone() throws {
        let worker = scheduler.worker(1, credit: 1, slots: 1, batch: (4, 50))
        try scheduler.submit(jobs(3), sequence: 1, client: scheduler.client())
        scheduler.settle()
        #expect(held() == [3])
        for lease in scheduler.leases { scheduler.report(lease, .failed, by: worker) }
        scheduler.tick(after: 5_000_000_000)
        scheduler.core.workerHeard(worker.index, session: worker.session, at: scheduler.now)
        scheduler.settle()
        #expect(held() == [1])
        #expect(explain(0).reason != .batchForming)
    }

    @Test("An idle worker is given a batch that waits behind another, whole, and it does not go back")
    func stolenWhole() throws {
        let client = scheduler.client()
        let busy = scheduler.worker(1, credit: 2, slots: 1, batch: (5, 1_000))
        try scheduler.submit(jobs(8), sequence: 1, client: client)
        scheduler.settle()
        #expect(held() == [8])
        let idle = scheduler.worker(2, credit: 1, slots: 1, batch: (5, 1_000))
        scheduler.settle()
        #expect(scheduler.out.revoked.map(\.record.id.rawValue) == [first + 5, first + 6, first + 7])
        for lease in scheduler.leases[5...] { scheduler.report(lease, .returned, by: busy) }
        scheduler.settle()
        #expect(scheduler.leases[8...].map(\.workerIndex) == [idle.index, idle.index, idle.index])
    }

    @Test("A job that waits where its key is warm, though another worker has a free slot, says so")
    func warm() throws {
        let client = scheduler.client()
        let busy = scheduler.worker(1, credit: 8, slots: 1)
        try scheduler.submit(jobs(1, affinity: "tiny"), sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], ranMicroseconds: 50_000, by: busy)
        _ = scheduler.worker(2, credit: 8, slots: 1)
        try scheduler.submit(jobs(2, affinity: "tiny"), sequence: 2, client: client)
        scheduler.settle()
        #expect(explain(1).reason == .none)
        #expect(explain(2).reason == .warmWorker && explain(2).detail == "w1 has tiny warm, and is busy")
        #expect(explain(2).until == scheduler.now.wall + 100_000)
    }
}
