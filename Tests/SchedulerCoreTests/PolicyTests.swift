import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Policies")
struct PolicyTests {
    private func attempts(_ scheduler: TestScheduler) -> [UInt8] {
        scheduler.journal.flatMap(\.jobs).map { JobOpts.attempts($0.opts) }
    }

    @Test("A job that does not say how often it may fail gets what its kind has, and keeps it")
    func attempts() throws {
        let scheduler = TestScheduler { $0.policies.kinds["audio", default: .init()].attempts = 9 }
        let client = scheduler.client()
        try scheduler.submit(
            [[.init(kind: "audio", attempts: 0)], [.init(attempts: 0)], [.init(kind: "audio", attempts: 2)]],
            sequence: 1, client: client)
        scheduler.settle()
        #expect(attempts(scheduler) == [9, 3, 2])

        var policies = Policies()
        policies.otherKinds.attempts = 5
        scheduler.core.follow(policies, at: scheduler.now)
        try scheduler.submit([[.init(kind: "audio", attempts: 0)], [.init(attempts: 0)]], sequence: 4, client: client)
        scheduler.settle()
        #expect(attempts(scheduler) == [9, 3, 2, 5, 5])
    }

    @Test("Each kind backs off as its own policy says")
    func backoff() throws {
        let scheduler = TestScheduler {
            $0.policies.otherKinds.retry.baseNanoseconds = 1
            $0.policies.kinds["audio", default: .init()].retry.baseNanoseconds = 3_600 * TestScheduler.second
            $0.policies.kinds["audio", default: .init()].retry.maximumNanoseconds = 7_200 * TestScheduler.second
        }
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 40, slots: 40, kinds: ["text", "audio"])
        try scheduler.submit(
            (0..<40).map { [.init(kind: $0 % 2 == 0 ? "text" : "audio")] }, sequence: 1, client: client)
        scheduler.settle()
        for lease in scheduler.leases { scheduler.report(lease, .failed, by: worker) }
        scheduler.settle()
        let ids = scheduler.journal.flatMap(\.jobs).map(\.id)
        func retries(_ odd: Bool) -> [Float] {
            scheduler.outcomes.filter { ids.firstIndex(of: $0.id).map { $0 % 2 == 1 } == odd }.map(\.retry)
        }
        #expect(retries(false).count == 20 && retries(false).allSatisfy { $0 < 0.001 })
        // Of 20 draws from the whole hour, one is in its last nine tenths all but surely.
        #expect(retries(true).allSatisfy { $0 <= 3_600 } && retries(true).contains { $0 > 360 })
    }

    @Test("A change of the configuration is followed and recorded")
    func reconfigured() throws {
        let scheduler = TestScheduler()
        var policies = Policies()
        policies.kinds["text", default: .init()].limit.running = 1
        scheduler.core.reconfigured(policies, by: "configuration /x", changes: "limit: 2 to 1", at: scheduler.now)
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 5, slots: 5)
        try scheduler.submit([[.init()], [.init()]], sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.leases.count == 1)
        let actions = scheduler.journal.flatMap(\.actions)
        #expect(actions.map(\.action) == ["configure"])
        #expect(actions.first?.who == "configuration /x" && actions.first?.note == "limit: 2 to 1")
    }

    @Test("Policies reach kinds and tenants that come later, and those that the journal knows")
    func later() throws {
        var policies = Policies()
        policies.kinds["text", default: .init()].limit.running = 2
        policies.otherTenants.limit.running = 1
        let scheduler = TestScheduler { $0.policies = policies }
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 9, slots: 9)
        try scheduler.submit(
            [[.init(tenant: "a")], [.init(tenant: "a")], [.init(tenant: "b")], [.init(tenant: "c")]], sequence: 1,
            client: client)
        scheduler.settle()
        #expect(scheduler.leases.count == 2)
        scheduler.leave(worker)
        scheduler.settle()
        let next = scheduler.restarted { $0.policies = policies }
        _ = next.worker(2, credit: 9, slots: 9)
        next.settle()
        #expect(next.leases.count == 2)
    }
}
