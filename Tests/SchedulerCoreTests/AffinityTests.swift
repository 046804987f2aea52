import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Affinity")
struct AffinityTests {
    private let scheduler = TestScheduler()

    private func job(_ affinity: String?) -> TestScheduler.Job {
        var job = TestScheduler.Job()
        job.options.affinity = affinity
        return job
    }

    /// The worker of each lease, in the order of leases.
    private func workers() -> [Int32] { scheduler.leases.map(\.workerIndex) }

    private func finish(_ worker: TestScheduler.Worker, ranMicroseconds: UInt64 = 1_000) {
        let ended = Set(scheduler.outcomes.map(\.token))
        for lease in scheduler.leases where lease.workerIndex == worker.index && !ended.contains(lease.token) {
            scheduler.report(lease, ranMicroseconds: ranMicroseconds, by: worker)
        }
        scheduler.settle()
    }

    @Test("Jobs of a key go where it is warm, though others have as many free slots; jobs without one go round")
    func staysWarm() throws {
        let client = scheduler.client()
        let first = scheduler.worker(1)
        let second = scheduler.worker(2)
        for (index, name) in ["tiny", "large", "tiny", "tiny", "large"].enumerated() {
            try scheduler.submit(job(name), sequence: UInt64(index + 1), client: client)
            scheduler.settle()
            finish(first)
            finish(second)
        }
        let given = workers()
        #expect(given[2] == given[0] && given[3] == given[0])
        #expect(given[4] == given[1])
    }

    @Test("A warm worker that is busy for longer than the bound is not waited for")
    func boundedDelay() throws {
        let client = scheduler.client()
        let first = scheduler.worker(1, credit: 8, slots: 1)
        try scheduler.submit(job("tiny"), sequence: 1, client: client)
        scheduler.settle()
        // Each takes a second: far above the bound.
        finish(first, ranMicroseconds: 1_000_000)
        let second = scheduler.worker(2, credit: 8, slots: 1)
        try scheduler.submit([[job("tiny")], [job("tiny")]], sequence: 2, client: client)
        scheduler.settle()
        #expect(workers() == [first.index, first.index, second.index])
    }

    @Test("A warm worker that is soon free is waited for, and an idle cold one does not steal the job")
    func shortDelay() throws {
        let client = scheduler.client()
        let first = scheduler.worker(1, credit: 8, slots: 1)
        try scheduler.submit(job("tiny"), sequence: 1, client: client)
        scheduler.settle()
        finish(first, ranMicroseconds: 50_000)
        _ = scheduler.worker(2, credit: 8, slots: 1)
        try scheduler.submit([[job("tiny")], [job("tiny")]], sequence: 2, client: client)
        scheduler.settle()
        #expect(workers() == [first.index, first.index, first.index])
        scheduler.tick(after: 10_000_000)
        scheduler.settle()
        #expect(scheduler.out.revoked.isEmpty)
    }

    @Test("A worker is warm for the last few keys only, and the key is of the kind")
    func fewKeys() throws {
        var warm = WarmKeys()
        for number in 0..<5 { warm.used(AffinityKey(kind: 0, name: "\(number)")) }
        #expect(!warm.contains(AffinityKey(kind: 0, name: "0")))
        #expect((1...4).allSatisfy { warm.contains(AffinityKey(kind: 0, name: "\($0)")) })
        #expect(!warm.contains(AffinityKey(kind: 1, name: "4")))
    }

    @Test("A new owner knows the keys of open jobs, and forgets those of final ones")
    func recovered() throws {
        let client = scheduler.client()
        try scheduler.submit([[job("tiny")], [job(nil)]], sequence: 1, client: client)
        scheduler.settle()
        let next = scheduler.restarted()
        #expect(next.core.affinities.values.map(\.name) == ["tiny"])
        let worker = next.worker(1)
        next.settle()
        for lease in next.leases { next.report(lease, by: worker) }
        next.settle()
        #expect(next.core.affinities.isEmpty)
    }
}
