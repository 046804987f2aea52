import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Resources")
struct ResourceTests {
    private func scheduler(_ needs: [String: [ResourceAmount]]) -> TestScheduler {
        TestScheduler {
            for (kind, needs) in needs { $0.policies.kinds[kind, default: .init()].needs = needs }
        }
    }

    private func submit(_ count: Int, _ kind: String, to scheduler: TestScheduler, _ sequence: UInt64, _ client: UInt32)
        throws
    {
        try scheduler.submit(
            (0..<count).map { _ in [.init(kind: kind)] }, sequence: sequence, client: client)
    }

    @Test("A worker holds no more jobs than its resources are enough for, over all kinds that need them")
    func fits() throws {
        let scheduler = scheduler([
            "audio": [ResourceAmount("gpu", 1), ResourceAmount("memory", 4)], "video": [ResourceAmount("gpu", 2)],
        ])
        let client = scheduler.client()
        let worker = scheduler.worker(
            1, credit: 20, slots: 4, kinds: ["audio", "video", "text"],
            resources: [ResourceAmount("gpu", 3), ResourceAmount("memory", 8)])
        try submit(1, "video", to: scheduler, 1, client)
        try submit(5, "audio", to: scheduler, 2, client)
        scheduler.settle()
        #expect(scheduler.leases.count == 2, "a video and one audio take three GPUs")
        // What needs nothing goes by.
        try submit(1, "text", to: scheduler, 7, client)
        scheduler.settle()
        #expect(scheduler.leases.count == 3)
        scheduler.report(scheduler.leases[0], by: worker)
        scheduler.settle()
        #expect(scheduler.leases.count == 4, "two GPUs are free again, memory is for one more")
        for lease in scheduler.leases.suffix(3) { scheduler.report(lease, by: worker) }
        scheduler.settle()
        #expect(scheduler.leases.count == 6)
    }

    @Test("A worker without a resource gets no job that needs it, and a job says so")
    func explains() throws {
        let scheduler = scheduler(["text": [ResourceAmount("gpu", 2)]])
        let client = scheduler.client()
        let job = JobID(rawValue: TestScheduler.firstID)
        func reason(_ id: JobID) -> WaitingReason {
            scheduler.core.explain(id, journalDown: nil, at: scheduler.now).reason
        }
        _ = scheduler.worker(1)
        _ = scheduler.worker(2, resources: [ResourceAmount("gpu", 1)])
        try submit(2, "text", to: scheduler, 1, client)
        scheduler.settle()
        #expect(scheduler.leases.isEmpty)
        #expect(reason(job) == .noWorkerWithResources)
        _ = scheduler.worker(3, resources: [ResourceAmount("gpu", 3)])
        scheduler.settle()
        #expect(scheduler.leases.map(\.id) == [job.rawValue])
        #expect(reason(JobID(rawValue: job.rawValue + 1)) == .resourcesBusy)
    }

    @Test("A change of needs counts what is leased anew, and what is over the total runs out")
    func changes() throws {
        let scheduler = scheduler([:])
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 4, slots: 4, resources: [ResourceAmount("gpu", 2)])
        try submit(10, "text", to: scheduler, 1, client)
        scheduler.settle()
        #expect(scheduler.leases.count == 4)
        var policies = Policies()
        policies.kinds["text", default: .init()].needs = [ResourceAmount("gpu", 1)]
        scheduler.core.follow(policies, at: scheduler.now)
        for done in 0..<3 {
            scheduler.report(scheduler.leases[done], by: worker)
            scheduler.settle()
            #expect(scheduler.leases.count == (done < 2 ? 4 : 5))
        }
    }

    @Test("A worker that comes back counts what it still holds")
    func returns() throws {
        let scheduler = scheduler(["text": [ResourceAmount("gpu", 1)]])
        let client = scheduler.client()
        let gpus = [ResourceAmount("gpu", 2)]
        let before = scheduler.worker(1, credit: 4, slots: 4, resources: gpus)
        try submit(10, "text", to: scheduler, 1, client)
        scheduler.settle()
        #expect(scheduler.leases.count == 2)
        let after = scheduler.hello(1, slots: 4, resources: gpus)
        scheduler.claim(scheduler.leases, by: after)
        scheduler.offer(4, after)
        scheduler.settle()
        #expect(scheduler.leases.count == 2 && before.index == after.index)
    }
}
