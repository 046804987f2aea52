import StatexProtocol
import Testing

@testable import StatexSchedulerCore

/// What one loss more may make dead: where it runs, what its loss says, and that it waits for nobody in particular.
@Suite("Losses")
struct LossTests {
    typealias Job = TestScheduler.Job

    /// The jobs are lost with two workers of their own, alone in them: accused. `before` runs before the second is lost.
    private func accuse(
        _ jobs: [Job], in scheduler: TestScheduler, client: UInt32, before: () throws -> Void
    ) throws -> [UInt64] {
        try scheduler.submit(jobs.map { [$0] }, sequence: 1, client: client)
        let kinds = Array(Set(jobs.map(\.kind)))
        var labels: [String] = []
        for job in jobs { labels += job.options.labels }
        let first = scheduler.worker(
            101, credit: jobs.count, slots: jobs.count, kinds: kinds, labels: Array(Set(labels)))
        scheduler.settle()
        let ids = scheduler.held(by: first).map(\.id)
        scheduler.leave(first)
        let second = scheduler.worker(
            102, credit: jobs.count, slots: jobs.count, kinds: kinds, labels: Array(Set(labels)))
        scheduler.settle()
        try before()
        scheduler.leave(second)
        scheduler.settle()
        return ids
    }

    private func drain(_ scheduler: TestScheduler, _ worker: TestScheduler.Worker, not ids: Set<UInt64> = []) -> UInt64?
    {
        scheduler.settle()
        guard let lease = scheduler.held(by: worker).prefix(2).first(where: { !ids.contains($0.id) }) else {
            return nil
        }
        scheduler.report(lease, by: worker)
        scheduler.settle()
        return lease.id
    }

    /// A worker that has others already takes the job, which was lost twice.
    private func join(_ worker: TestScheduler.Worker, of scheduler: TestScheduler, _ accused: UInt64) {
        scheduler.hear(worker)
        scheduler.settle()
        #expect(scheduler.held(by: worker).map(\.id).contains(accused))
        #expect(scheduler.held(by: worker).count > 1)
    }

    @Test("What is lost beside others is not dead with them, unless that goes on and on")
    func besideOthers() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var worker = TestScheduler.Worker(index: 0, session: 0)
        func busy(_ incarnation: UInt64) throws -> TestScheduler.Worker {
            // What is lost with it has nowhere else to go.
            let kind = "file\(incarnation)"
            let worker = scheduler.worker(incarnation, credit: 3, slots: 3, kinds: ["text", kind])
            try scheduler.submit((0..<2).map { _ in [Job(kind: kind)] }, sequence: incarnation, client: client)
            scheduler.settle()
            return worker
        }
        let accused = try accuse([Job()], in: scheduler, client: client) { worker = try busy(200) }
        for losses in 3...Limits.lossesBesideOthers {
            join(worker, of: scheduler, accused[0])
            #expect(scheduler.final(of: accused[0]) == nil, "after \(losses - 1) losses")
            // The next one is full of younger ones before this one is lost.
            let next = try busy(200 + UInt64(losses))
            scheduler.leave(worker)
            scheduler.settle()
            worker = next
        }
        #expect(scheduler.final(of: accused[0]) == .dead)
        #expect(scheduler.outcomes.filter { $0.final == .dead }.count == 1)
    }

    @Test("Two of them are never in one worker")
    func neverTogether() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var worker = TestScheduler.Worker(index: 0, session: 0)
        let accused = try accuse([Job(), Job()], in: scheduler, client: client) {
            worker = scheduler.worker(1, credit: 4, slots: 4, kinds: ["text", "file"])
            try scheduler.submit(Job(kind: "file"), sequence: 2, client: client)
            scheduler.settle()
        }
        scheduler.settle()
        #expect(scheduler.held(by: worker).filter { accused.contains($0.id) }.map(\.id) == [accused[0]])
        let why = scheduler.core.explain(JobID(rawValue: accused[1]), journalDown: nil, at: scheduler.now)
        #expect(why.reason == .apart && why.until == 0)
        let first = try #require(scheduler.held(by: worker).first { $0.id == accused[0] })
        scheduler.report(first, by: worker)
        scheduler.settle()
        #expect(scheduler.held(by: worker).contains { $0.id == accused[1] })
    }

    @Test("It has an empty worker before all others, for a while; then they run beside it")
    func forAWhile() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let accused = try accuse([Job()], in: scheduler, client: client) { scheduler.tick(after: 12_000_000_000) }
        var urgent = Job(kind: "text")
        urgent.priority = 0
        try scheduler.submit((0..<20).map { _ in [urgent] }, sequence: 2, client: client)
        let worker = scheduler.worker(1, credit: 6, slots: 3)
        scheduler.settle()
        #expect(scheduler.held(by: worker).map(\.id) == accused)
        let others = TestScheduler.firstID + 1
        let why = scheduler.core.explain(JobID(rawValue: others), journalDown: nil, at: scheduler.now)
        #expect(why.reason == .apart)
        // It had run for 12 s when it was lost.
        #expect((23_000_000...25_000_000).contains(why.until - scheduler.now.wall), "\(why.until - scheduler.now.wall)")
        #expect((scheduler.core.nextDeadline ?? .max) <= scheduler.now.monotonic + 25_000_000_000)
        for _ in 0..<24 {
            scheduler.tick(after: 1_000_000_000)
            scheduler.hear(worker)
            scheduler.settle()
        }
        #expect(scheduler.held(by: worker).count > 3)
        scheduler.leave(worker)
        scheduler.settle()
        #expect(scheduler.final(of: accused[0]) == nil, "others were there")
    }

    @Test("A worker that one of them left alive is shared by the next: who else waits does so for one of them")
    func turns() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let accused = try accuse([Job(), Job(), Job()], in: scheduler, client: client) {}
        try scheduler.submit((0..<20).map { _ in [Job()] }, sequence: 2, client: client)
        let worker = scheduler.worker(1, credit: 3, slots: 3)
        scheduler.settle()
        #expect(scheduler.held(by: worker).map(\.id) == [accused[0]])
        scheduler.report(try #require(scheduler.held(by: worker).first), by: worker)
        scheduler.settle()
        let held = scheduler.held(by: worker).map(\.id)
        #expect(held.filter { accused.contains($0) } == [accused[1]] && held.count == 3)
        // They are done with, and so is their turn.
        for lease in scheduler.held(by: worker) where lease.id != accused[1] { scheduler.report(lease, by: worker) }
        scheduler.settle()
        #expect(scheduler.held(by: worker).count == 3 && scheduler.final(of: accused[2]) == nil)
    }

    @Test("It does not wait for a worker that takes nothing")
    func noCredit() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var workers: [TestScheduler.Worker] = []
        let accused = try accuse([Job()], in: scheduler, client: client) {
            workers = [scheduler.worker(1, credit: 0, slots: 2), scheduler.worker(2, credit: 2, slots: 2)]
            try scheduler.submit((0..<200).map { _ in [Job()] }, sequence: 2, client: client)
            scheduler.settle()
        }
        var ended = 0
        for _ in 0..<100 where scheduler.final(of: accused[0]) == nil {
            scheduler.tick(after: 1_000_000_000)
            for worker in workers { scheduler.hear(worker) }
            if drain(scheduler, workers[1]) != nil { ended += 1 }
        }
        #expect(scheduler.final(of: accused[0]) == .succeeded, "\(ended) younger ones ended meanwhile")
        #expect(ended < 10)
    }

    @Test(
        "It runs within limits, though others of its kind wait and workers are full",
        arguments: ["none", "kind running", "kind rate", "tenant running", "tenant rate"])
    func limited(which: String) throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var limit = Policies.Limit()
        if which.hasSuffix("running") { limit.running = 2 } else { limit.startsPerSecond = 1; limit.burst = 1 }
        var policies = Policies()
        if which == "none" {
        } else if which.hasPrefix("kind") {
            policies.kinds["text", default: .init()].limit = limit
        } else {
            policies.tenants["acme", default: .init()].limit = limit
        }
        var workers: [TestScheduler.Worker] = []
        let accused = try accuse([Job()], in: scheduler, client: client) {
            scheduler.core.follow(policies, at: scheduler.now)
            let kinds = ["text", "file"]
            workers = (1...3).map { scheduler.worker(UInt64($0), credit: 2, slots: 2, kinds: kinds) }
            for number in 0..<300 {
                try scheduler.submit(Job(), sequence: UInt64(2 + 2 * number), client: client)
                try scheduler.submit(
                    Job(kind: "file", tenant: "other"), sequence: UInt64(3 + 2 * number), client: client)
            }
            scheduler.settle()
        }
        var ended = 0
        for _ in 0..<80 where scheduler.final(of: accused[0]) == nil {
            for worker in workers {
                scheduler.tick(after: 400_000_000)
                for other in workers { scheduler.hear(other) }
                if drain(scheduler, worker) != nil { ended += 1 }
            }
        }
        #expect(scheduler.final(of: accused[0]) == .succeeded, "\(ended) younger ones ended meanwhile")
        #expect(ended < 30)
    }

    @Test("It does not wait for a job that runs for ever")
    func cellWithALongJob() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var workers: [TestScheduler.Worker] = []
        var long: Set<UInt64> = []
        let accused = try accuse([Job()], in: scheduler, client: client) {
            workers = (1...3).map { scheduler.worker(UInt64($0), credit: 2, slots: 2) }
            try scheduler.submit((0..<300).map { _ in [Job()] }, sequence: 2, client: client)
            scheduler.settle()
            // Nobody can know yet that it runs for hours.
            long = Set(scheduler.held(by: workers[0]).prefix(1).map(\.id))
        }
        var ended = 0
        for _ in 0..<90 where scheduler.final(of: accused[0]) == nil {
            scheduler.tick(after: 1_000_000_000)
            for worker in workers { scheduler.hear(worker) }
            for worker in workers where drain(scheduler, worker, not: long) != nil { ended += 1 }
        }
        #expect(scheduler.final(of: accused[0]) == .succeeded, "\(ended) younger ones ended meanwhile")
        #expect(scheduler.held(by: workers[0]).count >= 2, "the long one's neighbours go on")
    }

    @Test("A lone worker with a long job goes on in its other slots")
    func loneWorker() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var worker = TestScheduler.Worker(index: 0, session: 0)
        let accused = try accuse([Job()], in: scheduler, client: client) {
            worker = scheduler.worker(1, credit: 4, slots: 4)
            try scheduler.submit((0..<100).map { _ in [Job()] }, sequence: 2, client: client)
            scheduler.settle()
        }
        let long = Set(scheduler.held(by: worker).prefix(1).map(\.id))
        var ended = 0
        for _ in 0..<50 {
            scheduler.tick(after: 60_000_000_000 / 10)
            scheduler.hear(worker)
            if drain(scheduler, worker, not: long) != nil { ended += 1 }
        }
        #expect(ended > 10, "of 50 that could")
        #expect(scheduler.final(of: accused[0]) == .succeeded)
    }

    @Test("It does not wait for others of its kind that get workers of their own")
    func refilled() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var one = TestScheduler.Worker(index: 0, session: 0)
        let accused = try accuse(
            [Job(kind: "a")] + (0..<8).map { _ in Job(kind: "b") }, in: scheduler, client: client
        ) {
            one = scheduler.worker(1, credit: 2, slots: 2, kinds: ["a", "text"])
            try scheduler.submit((0..<200).map { _ in [Job()] }, sequence: 2, client: client)
            scheduler.settle()
        }
        var next: UInt64 = 200
        var ended = 0
        // Each of the others is poison: its worker comes back empty and is lost again.
        for _ in 0..<8 where scheduler.final(of: accused[0]) == nil {
            let other = scheduler.worker(next, credit: 2, slots: 2, kinds: ["b"])
            next += 1
            scheduler.settle()
            scheduler.leave(other)
            scheduler.settle()
            if drain(scheduler, one) != nil { ended += 1 }
        }
        #expect(scheduler.final(of: accused[0]) == .succeeded, "\(ended) younger ones ended meanwhile")
    }

    @Test("It does not wait for what runs for hours, after a new owner took over too", arguments: [false, true])
    func afterHandover(restarts: Bool) throws {
        var scheduler = TestScheduler()
        let client = scheduler.client()
        let kinds = ["text", "long"]
        var workers: [TestScheduler.Worker] = []
        var long: UInt64 = 0
        let accused = try accuse([Job()], in: scheduler, client: client) {
            workers = [scheduler.worker(1, credit: 2, slots: 2, kinds: kinds)]
            try scheduler.submit(Job(kind: "long"), sequence: 2, client: client)
            scheduler.settle()
            scheduler.report(scheduler.held(by: workers[0])[0], ranMicroseconds: 3_600_000_000, by: workers[0])
            scheduler.settle()
            try scheduler.submit(Job(kind: "long"), sequence: 3, client: client)
            scheduler.settle()
            long = try #require(scheduler.held(by: workers[0]).first).id
            workers += (2...3).map { scheduler.worker(UInt64($0), credit: 2, slots: 2, kinds: kinds) }
            try scheduler.submit((0..<200).map { _ in [Job()] }, sequence: 4, client: client)
            scheduler.settle()
        }
        var open = workers.map { scheduler.held(by: $0) }
        #expect(open.map(\.count) == [2, 2, 2])
        if restarts {
            let next = scheduler.restarted()
            workers = (1...3).map { next.hello(UInt64($0), slots: 2, kinds: kinds) }
            for (worker, held) in zip(workers, open) {
                next.claim(held, by: worker)
                next.offer(2, worker)
            }
            scheduler = next
            scheduler.settle()
        } else {
            open = [[], [], []]
        }
        var ended = 0
        for _ in 0..<60 where scheduler.final(of: accused[0]) == nil {
            scheduler.tick(after: 1_000_000_000)
            for worker in workers { scheduler.hear(worker) }
            for place in workers.indices {
                let held = (open[place] + scheduler.held(by: workers[place])).filter { $0.id != long }
                guard let lease = held.first else { continue }
                open[place].removeAll { $0.token == lease.token }
                scheduler.report(lease, by: workers[place])
                scheduler.settle()
                ended += 1
            }
        }
        #expect(scheduler.final(of: accused[0]) == .succeeded, "\(ended) younger ones ended meanwhile")
        #expect(ended < 20)
    }

    @Test("Of two that different workers serve, one does not hold up the other")
    func twoCells() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var workers: [TestScheduler.Worker] = []
        var long: Set<UInt64> = []
        let accused = try accuse([Job(kind: "a"), Job(kind: "b")], in: scheduler, client: client) {
            workers = [
                scheduler.worker(1, credit: 2, slots: 2, kinds: ["a", "text"]),
                scheduler.worker(2, credit: 2, slots: 2, kinds: ["b", "text"]),
            ]
            try scheduler.submit((0..<200).map { _ in [Job()] }, sequence: 2, client: client)
            scheduler.settle()
            long = Set(scheduler.held(by: workers[0]).prefix(1).map(\.id))
        }
        var ended = 0
        for _ in 0..<60 where scheduler.final(of: accused[1]) == nil {
            scheduler.tick(after: 1_000_000_000)
            for worker in workers {
                scheduler.hear(worker)
                if drain(scheduler, worker, not: long) != nil { ended += 1 }
            }
        }
        #expect(scheduler.final(of: accused[1]) == .succeeded, "\(ended) younger ones ended meanwhile")
    }
}
