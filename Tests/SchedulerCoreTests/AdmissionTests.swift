import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Admission")
struct AdmissionTests {
    private let busy = WireError.Code.busy.rawValue
    private let tooLarge = WireError.Code.tooLarge.rawValue

    private func jobs(_ count: Int, tenant: String = "acme", bytes: Int = 3) -> [TestScheduler.Job] {
        (0..<count).map { _ in .init(tenant: tenant, payload: [UInt8](repeating: 1, count: bytes)) }
    }

    private func drain(_ scheduler: TestScheduler, _ worker: TestScheduler.Worker) {
        scheduler.settle()
        let ended = Set(scheduler.outcomes.map(\.token))
        for lease in scheduler.leases where !ended.contains(lease.token) { scheduler.report(lease, by: worker) }
        scheduler.settle()
    }

    @Test("A tenant at its bound is refused with the bound and when to try again, and keeps nobody else out")
    func tenant() throws {
        let scheduler = TestScheduler { $0.policies.tenants["acme", default: .init()].bounds.jobs = 3 }
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 9, slots: 9)
        try scheduler.submit(
            [jobs(2), jobs(2), jobs(2), jobs(5, tenant: "other"), jobs(1)], sequence: 1, client: client)
        #expect(scheduler.core.openJobs == 8)
        let refused = scheduler.out.refused
        // One run: the two follow each other and say the same.
        #expect(refused.map(\.run.sequence) == [2] && refused.map(\.run.requests) == [2])
        #expect(refused.allSatisfy { $0.run.code == busy && $0.run.retryAfterMilliseconds > 0 })
        #expect(refused.first?.run.message.contains("max_open_jobs of tenant acme is 3") == true)
        drain(scheduler, worker)
        scheduler.out.removeAll()
        try scheduler.submit([jobs(2)], sequence: 2, client: client)
        #expect(scheduler.out.refused.isEmpty && scheduler.core.openJobs == 2)
    }

    @Test("Tenants that are not named have a bound each")
    func others() throws {
        let scheduler = TestScheduler { $0.policies.otherTenants.bounds.jobs = 2 }
        let client = scheduler.client()
        try scheduler.submit(
            [jobs(2, tenant: "a"), jobs(2, tenant: "b"), jobs(1, tenant: "a")], sequence: 1, client: client)
        #expect(scheduler.out.refused.map(\.run.sequence) == [3])
    }

    @Test("A request that a bound would never take is refused for good", arguments: [true, false])
    func forGood(ofTenant: Bool) throws {
        let scheduler = TestScheduler {
            if ofTenant {
                $0.policies.otherTenants.bounds = .init(jobs: 3, bytes: 50)
            } else {
                $0.policies.bounds = .init(jobs: 3, bytes: 50)
            }
        }
        let client = scheduler.client()
        try scheduler.submit([jobs(4), jobs(1, bytes: 51), jobs(3)], sequence: 1, client: client)
        #expect(scheduler.out.refused.map(\.run.code) == [tooLarge, tooLarge])
        #expect(scheduler.out.refused.allSatisfy { $0.run.retryAfterMilliseconds == 0 })
        #expect(scheduler.out.refused.map { $0.run.message.contains("max_open_jobs") } == [true, false])
        #expect(scheduler.core.openJobs == 3)
    }

    @Test("Payload bytes count until their jobs are final, also after a restart")
    func bytes() throws {
        let scheduler = TestScheduler { $0.policies.bounds.bytes = 100 }
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 9, slots: 9)
        try scheduler.submit([jobs(2, bytes: 30), jobs(1, bytes: 41)], sequence: 1, client: client)
        #expect(scheduler.out.refused.map(\.run.code) == [busy])
        #expect(scheduler.out.refused.first?.run.message.contains("have 60 bytes and those of the request 41") == true)
        drain(scheduler, worker)
        try scheduler.submit([jobs(1, bytes: 100)], sequence: 3, client: client)
        #expect(scheduler.core.openJobs == 1)
        scheduler.settle()

        let next = scheduler.restarted { $0.policies.bounds.bytes = 100 }
        let again = next.client(2)
        try next.submit([jobs(1, bytes: 1)], sequence: 1, client: again)
        #expect(next.out.refused.map(\.run.code) == [busy])
    }

    @Test("A repeat is answered whatever is open, and a lowered bound drops nothing")
    func repeats() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit([jobs(2)], sequence: 1, client: client)
        scheduler.settle()
        var policies = Policies()
        policies.bounds.jobs = 1
        scheduler.core.follow(policies, at: scheduler.now)
        scheduler.out.removeAll()
        try scheduler.submit([jobs(2), jobs(1)], sequence: 1, client: client)
        #expect(scheduler.out.accepted.map(\.run.repeated) == [true])
        #expect(scheduler.out.refused.map(\.run.sequence) == [2])
        #expect(scheduler.core.openJobs == 2)
    }

    @Test("Queued jobs whose deadline has passed are ended before anything is dispatched")
    func expired() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var options = JobOptions()
        options.deadline = scheduler.now.wall + 1_000_000
        try scheduler.submit(
            (0..<4).map { [.init(options: $0 % 2 == 0 ? options : JobOptions())] }, sequence: 1, client: client)
        options.deadline = scheduler.now.wall - 1
        try scheduler.submit(.init(options: options), sequence: 5, client: client)
        scheduler.tick()
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.final) == [.expired])
        _ = scheduler.worker(1, credit: 9, slots: 9)
        scheduler.tick(after: TestScheduler.second)
        scheduler.settle()
        let ids = scheduler.journal.flatMap(\.jobs).map(\.id)
        #expect(scheduler.leases.map(\.id) == [ids[1], ids[3]])
        #expect(scheduler.outcomes.count { $0.final == .expired } == 3)
    }

    @Test("Names are kept for ever: new kinds, tenants and queues are taken up to a bound, known ones always")
    func names() throws {
        let scheduler = TestScheduler {
            $0.maxKinds = 2
            $0.maxTenants = 2
            $0.maxQueues = 3
        }
        let client = scheduler.client()
        func labelled(_ label: String) -> TestScheduler.Job {
            var job = TestScheduler.Job()
            job.options.labels = [label]
            return job
        }
        try scheduler.submit(.init(kind: "a", tenant: "x"), sequence: 1, client: client)
        try scheduler.submit(.init(tenant: "acme"), sequence: 2, client: client)
        try scheduler.submit(labelled("gpu"), sequence: 3, client: client)
        scheduler.settle()
        #expect(scheduler.out.refused.isEmpty)
        try scheduler.submit(.init(kind: "b"), sequence: 4, client: client)
        try scheduler.submit(.init(tenant: "y"), sequence: 5, client: client)
        try scheduler.submit(labelled("cpu"), sequence: 6, client: client)
        try scheduler.submit([[.init(), .init(kind: "c")]], sequence: 7, client: client)
        #expect(
            scheduler.out.refused.map(\.run.message) == [
                "there are 2 kinds, as many as may be: kind b is none of them",
                "there are 2 tenants, as many as may be: tenant y is none of them",
                "there are 3 queues, as many as may be: one for labels cpu is none of them",
                "there are 2 kinds, as many as may be: kind c is none of them",
            ])
        try scheduler.submit([[labelled("gpu"), .init(kind: "a", tenant: "x")]], sequence: 8, client: client)
        scheduler.settle()
        #expect(scheduler.out.refused.count == 4)
        #expect(scheduler.core.openJobs == 5)
    }

    @Test("One tenant brings so many kinds; those that a worker serves or the configuration names count for nobody")
    func kindsOfTenant() throws {
        let scheduler = TestScheduler { $0.maxKindsOfTenant = 2 }
        let client = scheduler.client()
        var sequence: UInt64 = 0
        func refusal(_ kind: String, tenant: String = "acme") throws -> String? {
            let before = scheduler.out.refused.count
            sequence += 1
            try scheduler.submit(.init(kind: kind, tenant: tenant), sequence: sequence, client: client)
            scheduler.settle()
            return scheduler.out.refused.dropFirst(before).first?.run.message
        }
        let message =
            "tenant acme brought 2 kinds that no worker serves and no configuration names, as many as may be: kind c is none of them"
        #expect(try refusal("a") == nil)
        #expect(try refusal("b") == nil)
        #expect(try refusal("c") == message)
        #expect(try refusal("a") == nil)
        #expect(try refusal("c", tenant: "other") == nil)
        // Known now, whoever brought it.
        #expect(try refusal("c") == nil)
        let worker = scheduler.worker(1, credit: 0, kinds: ["a", "served"])
        #expect(try refusal("served") == nil)
        #expect(try refusal("d") == nil)
        #expect(try refusal("e") != nil)
        // A worker that is gone has vouched for its kinds all the same.
        scheduler.leave(worker)
        #expect(try refusal("f") != nil)
        var policies = Policies()
        policies.kinds["b"] = Policies.Kind()
        policies.kinds["named"] = Policies.Kind()
        scheduler.core.follow(policies, at: scheduler.now)
        #expect(try refusal("named") == nil)
        #expect(try refusal("e") == nil)
        #expect(try refusal("g") != nil)
    }

    @Test("After a restart kinds count for the tenants of their open jobs")
    func kindsOfTenantAfterRestart() throws {
        let before = TestScheduler { $0.maxKindsOfTenant = 2 }
        let client = before.client()
        try before.submit(.init(kind: "a"), sequence: 1, client: client)
        try before.submit(.init(kind: "b"), sequence: 2, client: client)
        before.settle()
        let worker = before.worker(1, credit: 1, kinds: ["b"])
        before.settle()
        before.succeed(before.held(by: worker), by: worker)
        before.settle()
        let scheduler = before.restarted { $0.maxKindsOfTenant = 2 }
        let again = scheduler.client(2)
        for (sequence, kind) in ["b", "c", "d"].enumerated() {
            try scheduler.submit(.init(kind: kind), sequence: UInt64(sequence) + 1, client: again)
        }
        scheduler.settle()
        #expect(scheduler.out.refused.map(\.run.sequence) == [3])
    }

    @Test("One tenant brings so many queues for labels")
    func queuesOfTenant() throws {
        func labelled(_ label: String, _ tenant: String) -> TestScheduler.Job {
            var job = TestScheduler.Job(tenant: tenant)
            job.options.labels = [label]
            return job
        }
        let before = TestScheduler { $0.maxQueuesOfTenant = 2 }
        var client = before.client()
        for (sequence, job) in [
            labelled("a", "x"), labelled("b", "x"), labelled("c", "x"), labelled("c", "y"), labelled("c", "x"),
        ].enumerated() {
            try before.submit(job, sequence: UInt64(sequence) + 1, client: client)
        }
        before.settle()
        #expect(
            before.out.refused.map(\.run.message) == [
                "tenant x brought 2 queues for labels, as many as may be: one for labels c is none of them"
            ])
        let scheduler = before.restarted { $0.maxQueuesOfTenant = 2 }
        client = scheduler.client(2)
        for (sequence, job) in [labelled("a", "x"), labelled("d", "x"), labelled("d", "y")].enumerated() {
            try scheduler.submit(job, sequence: UInt64(sequence) + 1, client: client)
        }
        scheduler.settle()
        #expect(scheduler.out.refused.map(\.run.sequence) == [2])
    }
}
