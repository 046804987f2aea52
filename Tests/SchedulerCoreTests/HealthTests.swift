import StatexProtocol
import Testing

@testable import StatexSchedulerCore

/// Circuits, quarantine and the retry budget at work in the core.
@Suite("Health")
struct HealthTests {
    private let second = TestScheduler.second

    private func scheduler(_ change: (inout Policies.Kind) -> Void = { _ in }) -> TestScheduler {
        TestScheduler {
            // Retries come at once, so that what holds them back is seen.
            $0.policies.otherKinds.retry.baseNanoseconds = 0
            $0.policies.otherKinds.circuit.failures = 0
            $0.policies.otherKinds.quarantine.failures = 0
            change(&$0.policies.otherKinds)
        }
    }

    /// Reports every live lease, newest commits included, until none is left or `limit` were reported.
    @discardableResult
    private func run(
        _ scheduler: TestScheduler, _ worker: TestScheduler.Worker, limit: Int = .max,
        _ ending: (CommitBatch.LeaseRow) -> Ending
    ) -> Int {
        var done = 0
        while done < limit {
            scheduler.tick()
            scheduler.settle()
            let ended = Set(scheduler.outcomes.map(\.token))
            guard
                let next = scheduler.leases.first(where: { !ended.contains($0.token) && $0.workerIndex == worker.index }
                )
            else { return done }
            scheduler.report(next, ending(next), by: worker)
            done += 1
        }
        scheduler.settle()
        return done
    }

    @Test("A kind whose every attempt fails is paused, probed by one job at a time, and resumes on success")
    func circuit() throws {
        let scheduler = scheduler {
            $0.circuit = .init(failures: 8, jobs: 2, waitNanoseconds: 1_000_000_000, maximumNanoseconds: 2_000_000_000)
        }
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 2, slots: 2, kinds: ["text", "file"])
        try scheduler.submit((0..<50).map { _ in [.init(attempts: 100)] }, sequence: 1, client: client)
        let before = run(scheduler, worker) { _ in .failed }
        // The eighth failure opens it; the other slot's attempt had started.
        #expect(before == 9)
        guard case .open(let until) = scheduler.circuit() else {
            Issue.record("not open")
            return
        }
        #expect(scheduler.core.nextDeadline ?? .max <= until)
        // Another kind goes on.
        try scheduler.submit(.init(kind: "file"), sequence: 51, client: client)
        #expect(run(scheduler, worker) { _ in .succeeded } == 1)
        for wait in [1, 2, 2] as [Int64] {
            scheduler.tick(after: wait * second - 1)
            #expect(run(scheduler, worker) { _ in .failed } == 0)
            scheduler.tick(after: 1)
            #expect(run(scheduler, worker) { _ in .failed } == 1)
        }
        scheduler.tick(after: 2 * second)
        #expect(run(scheduler, worker) { _ in .succeeded } == 50)
        #expect(scheduler.circuit() == .closed)
    }

    @Test("What waits in a worker when its kind is paused, or put into quarantine there, is asked back")
    func recall() throws {
        for byWorker in [false, true] {
            let scheduler = scheduler {
                if byWorker { $0.quarantine.failures = 3 } else { $0.circuit.failures = 3 }
                $0.circuit.jobs = 3
                $0.quarantine.jobs = 3
            }
            let client = scheduler.client()
            let other = scheduler.worker(2, credit: 1, slots: 1)
            let worker = scheduler.worker(1, credit: 20, slots: 2)
            try scheduler.submit((0..<30).map { _ in [.init(attempts: 100)] }, sequence: 1, client: client)
            scheduler.settle()
            let held = scheduler.leases.filter { $0.workerIndex == worker.index }
            #expect(held.count == 20)
            scheduler.report(held[0], .failed, by: worker)
            // Elsewhere the kind succeeds often enough meanwhile to blame the worker.
            if byWorker { run(scheduler, other, limit: 5) { _ in .succeeded } }
            for lease in held[1..<3] { scheduler.report(lease, .failed, by: worker) }
            scheduler.settle()
            let asked = Set(scheduler.revoked().map(\.token))
            #expect(asked.isSuperset(of: held.dropFirst(3).map(\.token)))
            let before = scheduler.leases.count { $0.workerIndex == worker.index }
            for lease in held.dropFirst(3) { scheduler.report(lease, .returned, ranMicroseconds: 0, by: worker) }
            scheduler.settle()
            #expect(scheduler.leases.count { $0.workerIndex == worker.index } == before, "none is leased to it again")
        }
    }

    @Test("A probe goes out although other kinds fill every worker to the brim")
    func probeUnderLoad() throws {
        let scheduler = scheduler {
            $0.circuit = .init(failures: 3, jobs: 3, waitNanoseconds: 1_000_000_000, maximumNanoseconds: 2_000_000_000)
        }
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 20, slots: 2, kinds: ["text", "file"])
        try scheduler.submit((0..<5).map { _ in [.init(attempts: 100)] }, sequence: 1, client: client)
        run(scheduler, worker) { _ in .failed }
        try scheduler.submit((0..<500).map { _ in [.init(kind: "file")] }, sequence: 6, client: client)
        scheduler.settle()
        scheduler.tick(after: second)
        #expect(run(scheduler, worker, limit: 100) { _ in .succeeded } == 100)
        #expect(scheduler.circuit() == .closed)
    }

    @Test("A probe that waits behind a long job goes to a worker that is idle")
    func probeIsStolen() throws {
        let scheduler = scheduler {
            $0.circuit = .init(failures: 3, jobs: 3, waitNanoseconds: 1_000_000_000, maximumNanoseconds: 2_000_000_000)
        }
        let client = scheduler.client()
        let busy = scheduler.worker(1, credit: 4, slots: 1, kinds: ["text", "file"])
        try scheduler.submit((0..<5).map { _ in [.init(attempts: 100)] }, sequence: 1, client: client)
        run(scheduler, busy) { _ in .failed }
        scheduler.tick(after: second)
        scheduler.hear(busy)
        // Leased with the probe, and before it.
        try scheduler.submit(.init(kind: "file", priority: 0), sequence: 6, client: client)
        scheduler.settle()
        _ = scheduler.revoked()
        let probe = try #require(scheduler.leases.last)
        #expect(scheduler.circuit() == .probing(job: probe.id))
        _ = scheduler.worker(2, credit: 1, slots: 1, kinds: ["text"])
        scheduler.tick(after: 2 * second)
        scheduler.hear(busy)
        scheduler.settle()
        #expect(scheduler.revoked().map(\.token).contains(probe.token))
    }

    @Test("A probe whose worker is lost, or that is cancelled, makes way for another")
    func probeWithoutVerdict() throws {
        let scheduler = scheduler {
            $0.circuit = .init(failures: 3, jobs: 3, waitNanoseconds: 1_000_000_000, maximumNanoseconds: 2_000_000_000)
        }
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit((0..<10).map { _ in [.init(attempts: 100)] }, sequence: 1, client: client)
        run(scheduler, worker) { _ in .failed }
        scheduler.tick(after: second)
        scheduler.settle()
        guard case .probing(let job) = scheduler.circuit() else {
            Issue.record("no probe")
            return
        }
        scheduler.leave(worker)
        scheduler.settle()
        #expect(scheduler.circuit() == .due)
        let other = scheduler.worker(2, credit: 1, slots: 1)
        scheduler.settle()
        guard case .probing(let next) = scheduler.circuit() else {
            Issue.record("no second probe")
            return
        }
        #expect(next == job)
        scheduler.cancel(next, client: client)
        run(scheduler, other, limit: 1) { _ in .cancelled }
        scheduler.settle()
        guard case .probing(let third) = scheduler.circuit() else {
            Issue.record("no third probe")
            return
        }
        #expect(third != next)
    }

    @Test("Failures that may not be retried say nothing of the kind")
    func notRetryable() throws {
        let scheduler = scheduler { $0.circuit.failures = 5 }
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 50, slots: 50)
        try scheduler.submit((0..<50).map { _ in [.init()] }, sequence: 1, client: client)
        scheduler.settle()
        for lease in scheduler.leases { scheduler.report(lease, .failed, retryable: false, by: worker) }
        scheduler.settle()
        #expect(scheduler.circuit() == .closed)
    }

    @Test("A worker that fails all it takes of a kind while others succeed gets no more of it for a time")
    func quarantine() throws {
        let scheduler = scheduler {
            $0.quarantine = .init(
                failures: 4, jobs: 3, waitNanoseconds: 1_000_000_000, maximumNanoseconds: 8_000_000_000)
        }
        let client = scheduler.client()
        let bad = scheduler.worker(1, credit: 1, slots: 1, kinds: ["text", "file"])
        let good = scheduler.worker(2, credit: 1, slots: 1)
        try scheduler.submit((0..<100).map { _ in [.init(attempts: 100)] }, sequence: 1, client: client)
        for _ in 0..<10 {
            run(scheduler, bad, limit: 1) { _ in .failed }
            run(scheduler, good, limit: 1) { _ in .succeeded }
        }
        let failed = scheduler.outcomes.filter { $0.ending == .failed }.count
        #expect((4...6).contains(failed))
        guard case .open = scheduler.quarantine(bad) else {
            Issue.record("not in quarantine")
            return
        }
        #expect(scheduler.circuit() == .closed)
        // Another kind of the same worker goes on, and so does the kind in the other.
        try scheduler.submit(.init(kind: "file"), sequence: 101, client: client)
        #expect(run(scheduler, bad) { _ in .succeeded } == 1)
        #expect(run(scheduler, good, limit: 5) { _ in .succeeded } == 5)
        scheduler.tick(after: second)
        #expect(run(scheduler, bad) { _ in .failed } == 1)
        scheduler.tick(after: 2 * second)
        #expect(run(scheduler, bad, limit: 20) { _ in .succeeded } == 20)
        #expect(scheduler.quarantine(bad) == .closed)
    }

    @Test("When a kind fails everywhere no worker is to blame")
    func everywhere() throws {
        let scheduler = scheduler {
            $0.quarantine.failures = 4
            $0.quarantine.jobs = 3
        }
        let client = scheduler.client()
        let workers = [scheduler.worker(1, credit: 1, slots: 1), scheduler.worker(2, credit: 1, slots: 1)]
        try scheduler.submit((0..<50).map { _ in [.init(attempts: 100)] }, sequence: 1, client: client)
        for _ in 0..<20 { for worker in workers { run(scheduler, worker, limit: 1) { _ in .failed } } }
        for worker in workers {
            #expect(scheduler.quarantine(worker) == .closed)
        }
    }

    @Test("Retries beyond the budget wait in order, do not hold first attempts back, and go on at the rate")
    func budget() throws {
        let scheduler = scheduler {
            $0.budget.share = 0.1
            $0.budget.perSecond = 1
            $0.budget.burst = 3
        }
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit((0..<40).map { _ in [.init(attempts: 100)] }, sequence: 1, client: client)
        let runs = run(scheduler, worker) { _ in .failed }
        // 3 had gathered, 39 first attempts earn 3.9: the first of all finds the budget full.
        #expect(runs == 46)
        let held = try #require(scheduler.retriesHeld())
        #expect(held.count == 40)
        #expect(scheduler.core.nextDeadline ?? .max <= held.until ?? 0)
        let ids = scheduler.journal.flatMap(\.jobs).map(\.id)
        for _ in 0..<3 {
            scheduler.tick(after: second)
            #expect(run(scheduler, worker) { _ in .failed } == 1)
        }
        scheduler.cancel(ids[39], client: client)
        scheduler.settle()
        #expect(scheduler.retriesHeld()?.count == 39)
        // Each that succeeds lets two follow: the outage is over.
        scheduler.tick(after: second)
        #expect(run(scheduler, worker) { _ in .succeeded } == 39)
        #expect(scheduler.retriesHeld() == nil)
    }

    @Test("A job's first attempt pays into the budget once, however often it is returned or lost")
    func paidOnce() throws {
        let scheduler = scheduler {
            $0.budget.share = 0.5
            $0.budget.perSecond = 0
            $0.budget.burst = 1
        }
        let client = scheduler.client()
        var worker = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit(.init(attempts: 9), sequence: 1, client: client)
        // The first retry is the one that had gathered.
        #expect(run(scheduler, worker) { _ in .failed } == 2)
        #expect(scheduler.retriesHeld()?.count == 1)
        try scheduler.submit(.init(), sequence: 2, client: client)
        #expect(run(scheduler, worker, limit: 3) { _ in .returned } == 3)
        scheduler.leave(worker)
        worker = scheduler.worker(2, credit: 1, slots: 1)
        #expect(run(scheduler, worker) { _ in .succeeded } == 1)
        #expect(scheduler.retriesHeld()?.count == 1)
        // Another job pays the other half of a retry.
        try scheduler.submit(.init(), sequence: 3, client: client)
        #expect(run(scheduler, worker) { _ in .succeeded } == 2)
        #expect(scheduler.retriesHeld() == nil)
    }

    @Test("Delayed first attempts and lost ones ask for no budget")
    func noBudgetNeeded() throws {
        let scheduler = scheduler {
            $0.budget.share = 0
            $0.budget.perSecond = 0.001
            $0.budget.burst = 1
        }
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 4, slots: 4)
        var options = JobOptions()
        options.runAt = scheduler.now.wall + 1_000_000
        try scheduler.submit((0..<4).map { _ in [.init(options: options)] }, sequence: 1, client: client)
        scheduler.settle()
        scheduler.tick(after: second)
        scheduler.settle()
        #expect(scheduler.leases.count == 4)
        scheduler.leave(worker)
        _ = scheduler.worker(2, credit: 4, slots: 4)
        scheduler.settle()
        #expect(scheduler.leases.count == 8)
    }
}
