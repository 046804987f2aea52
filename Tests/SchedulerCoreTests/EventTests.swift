import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Events")
struct EventTests {
    private let scheduler = TestScheduler()
    private static let first = TestScheduler.firstID

    init() { scheduler.core.tellsEvents = true }

    /// As `job.succeeded 0`: the name, and how far its id is from the first.
    private func told(_ scheduler: TestScheduler) -> [String] {
        scheduler.events.map { "\($0.type.name) \($0.id - Self.first)" }
    }

    private func requestEvents(_ scheduler: TestScheduler) -> [String] {
        told(scheduler).filter { $0.hasPrefix("request") }
    }

    @Test("The life of a job is told in order, each part once it is durable")
    func order() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(5)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.take()
        #expect(scheduler.events.isEmpty)
        scheduler.committed()
        #expect(told(scheduler) == ["request.created 0", "job.leased 0"])
        scheduler.report(scheduler.leases[0], by: worker)
        scheduler.settle()
        #expect(told(scheduler).dropFirst(2) == ["job.succeeded 0", "request.completed 0"])
        let ended = scheduler.events[2]
        #expect(ended.number == 1 && ended.ending == .succeeded)
        #expect(scheduler.core.workerName(ended.lease) == "w5/5")
        #expect(scheduler.core.kindName(ended.kind) == "text" && scheduler.core.tenantName(ended.tenant) == "acme")
    }

    @Test("Nothing is made while nobody subscribes, and a request that began before ends with its one event")
    func silence() throws {
        scheduler.core.tellsEvents = false
        let client = scheduler.client()
        let worker = scheduler.worker(5)
        try scheduler.submit([[.init(), .init()]], sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], .failed, retryable: false, by: worker)
        scheduler.settle()
        #expect(scheduler.core.events.all.isEmpty)
        scheduler.core.tellsEvents = true
        scheduler.report(scheduler.leases[1], by: worker)
        scheduler.settle()
        #expect(told(scheduler) == ["job.succeeded 1", "request.failed 0"])
    }

    @Test("A request ends with the last of its jobs, whichever that is, and in one of three ways")
    func ends() throws {
        for (endings, expected) in [
            ([Ending.succeeded, .succeeded, .succeeded], "request.completed 0"),
            ([.failed, .succeeded, .succeeded], "request.failed 0"),
            ([.cancelled, .succeeded, .succeeded], "request.cancelled 0"),
            ([.cancelled, .failed, .succeeded], "request.failed 0"),
        ] {
            let scheduler = TestScheduler()
            scheduler.core.tellsEvents = true
            let client = scheduler.client()
            let worker = scheduler.worker(5, credit: 3, slots: 3)
            try scheduler.submit([[.init(), .init(), .init()]], sequence: 1, client: client)
            scheduler.settle()
            for place in [1, 2, 0] {
                #expect(requestEvents(scheduler) == ["request.created 0"])
                if endings[place] == .cancelled { scheduler.cancel(scheduler.leases[place].id, client: client) }
                scheduler.report(scheduler.leases[place], endings[place], retryable: false, by: worker)
                scheduler.settle()
            }
            #expect(requestEvents(scheduler) == ["request.created 0", expected])
        }
    }

    @Test("Several requests that end in one commit are told one after the other")
    func together() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(5, credit: 9, slots: 9)
        try scheduler.submit([[.init(), .init()], [.init()], [.init(), .init()]], sequence: 1, client: client)
        scheduler.settle()
        let leases = scheduler.leases
        for place in [4, 0, 2, 1] { scheduler.report(leases[place], by: worker) }
        let before = scheduler.events.count
        scheduler.settle()
        #expect(
            told(scheduler).dropFirst(before) == [
                "job.succeeded 0", "job.succeeded 1", "request.completed 0", "job.succeeded 2", "request.completed 2",
                "job.succeeded 4",
            ])
    }

    @Test("An attempt that failed or was lost is told as retried, one that was handed back is not")
    func retried() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(5, credit: 3, slots: 3)
        try scheduler.submit([[.init(), .init(), .init()]], sequence: 1, client: client)
        scheduler.settle()
        let leases = scheduler.leases
        scheduler.report(leases[0], .failed, by: worker)
        scheduler.report(leases[1], .returned, by: worker)
        scheduler.offer(0, worker)
        scheduler.settle()
        scheduler.offer(3, worker)
        scheduler.leave(worker)
        scheduler.settle()
        let retried = scheduler.events.filter { $0.type == .jobRetried }
        #expect(retried.map(\.id) == [leases[0].id, leases[2].id])
        #expect(retried.map(\.ending) == [.failed, .lost])
        #expect(retried.map(\.number) == [1, 1])
    }

    @Test("The worker of an outcome is named though it is gone when the commit is durable")
    func departed() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(5)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.leave(worker)
        scheduler.take()
        // Another one has its place.
        _ = scheduler.worker(6, kinds: ["audio"])
        scheduler.committed()
        let lost = try #require(scheduler.events.last)
        #expect(lost.type == .jobRetried)
        #expect(scheduler.core.workerName(lost.lease) == "w5/5")
    }

    @Test("A new owner knows what became of a request's other jobs")
    func recovery() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(5, credit: 3, slots: 3)
        try scheduler.submit(
            [[.init(tenant: "first"), .init(), .init()]], sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], .failed, retryable: false, by: worker)
        scheduler.report(scheduler.leases[1], by: worker)
        scheduler.settle()
        let next = scheduler.restarted()
        next.core.tellsEvents = true
        let returned = next.hello(5)
        next.report(scheduler.leases[2], by: returned)
        next.settle()
        #expect(told(next) == ["job.succeeded 2", "request.failed 0"])
        let end = try #require(next.events.last)
        #expect(next.core.tenantName(end.tenant) == "first" && end.number == 3)
    }

    @Test("A retry by hand is told as of the old request, which reached its state once")
    func retryByHand() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(5)
        try scheduler.submit([[.init(), .init()]], sequence: 1, client: client)
        scheduler.settle()
        for lease in scheduler.leases { scheduler.report(lease, .failed, retryable: false, by: worker) }
        scheduler.settle()
        let row = try #require(scheduler.journal.first?.jobs.last)
        var findings = OrderFindings()
        findings.letters = [
            DeadLetter(
                id: row.id, request: Self.first, opts: row.opts, kind: row.kind, tenant: row.tenant,
                options: JobOptions(), payload: [])
        ]
        scheduler.order(.retry(1, row.id), client: client, findings)
        scheduler.settle()
        let next = scheduler.restarted()
        next.core.tellsEvents = true
        let returned = next.hello(5)
        next.report(try #require(scheduler.leases.last), by: returned)
        next.settle()
        for event in [try #require(scheduler.events.last), try #require(next.events.last)] {
            #expect(event.request == Self.first && event.index == EventRecord.retriedByHand)
            #expect(event.id == Self.first + 2)
        }
        #expect(told(next) == ["job.succeeded 2"])
        #expect(requestEvents(scheduler) == ["request.created 0", "request.failed 0"])
    }

    @Test("Jobs that end because of another are told in the same commit, and the request once")
    func dependants() throws {
        let client = scheduler.client()
        let worker = scheduler.worker(5)
        var second = TestScheduler.Job()
        second.options.after = [JobDependency(packed: 0)]
        try scheduler.submit([[.init(), second]], sequence: 1, client: client)
        scheduler.settle()
        let before = scheduler.events.count
        scheduler.report(scheduler.leases[0], .failed, retryable: false, by: worker)
        scheduler.settle()
        #expect(told(scheduler).dropFirst(before) == ["job.failed 0", "job.cancelled 1", "request.failed 0"])
        #expect(scheduler.events[before + 1].number == 0)
    }

    @Test("A job that the journal refused ends with the commit that it came with")
    func refused() throws {
        let client = scheduler.client()
        _ = scheduler.worker(5)
        try scheduler.submit([[.init(), .init()]], sequence: 1, client: client)
        scheduler.take { batch in
            let id = batch.jobs[0].id
            batch.leases.removeAll { $0.id == id }
            batch.outcomes.append(
                CommitBatch.OutcomeRow(
                    id: id, token: 0, started: 0, ended: 0, retry: -1, ending: .failed, final: .failed, result: -1,
                    slot: CommitBatch.OutcomeRow.refusedAtCommit))
        }
        scheduler.committed()
        #expect(told(scheduler) == ["request.created 0", "job.failed 0", "job.leased 1"])
    }

    @Test("Workers that join, leave and are lost are told, and numbered also while nobody listens")
    func workers() throws {
        let first = scheduler.hello(5)
        #expect(scheduler.core.takeWorkerEvents().events.map(\.type) == [.workerJoined])
        // The same one again is no other.
        let again = scheduler.hello(5)
        #expect(again.index == first.index)
        scheduler.leave(again)
        scheduler.core.tellsEvents = false
        let told = scheduler.core.takeWorkerEvents()
        #expect(told.first == 2 && told.events.map(\.type) == [.workerLeft])
        _ = scheduler.hello(6)
        scheduler.core.tellsEvents = true
        scheduler.tick(after: 11 * TestScheduler.second)
        let last = scheduler.core.takeWorkerEvents()
        #expect(last.first == 4 && last.events.map(\.type) == [.workerLost])
        #expect(last.events.first?.name == "w6")
    }
}
