import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Leases")
struct LeaseTests {
    @Test("A lease leaves only when its commit is durable; a job that finds a free slot gets it in its own commit")
    func durableBeforeItLeaves() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        let commit = try #require(scheduler.take())
        #expect(commit.jobs.count == 1)
        #expect(commit.leases.map(\.attempt) == [1])
        #expect(scheduler.sentLeases().isEmpty)
        scheduler.committed()
        let sent = scheduler.sentLeases()
        #expect(sent.map(\.id.rawValue) == [TestScheduler.firstID])
        #expect(sent.map(\.token) == commit.leases.map(\.token))
        #expect(commit.leases.map(\.workerIndex) == [worker.index])
    }

    @Test("A worker never gets more than its credit")
    func credit() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 3, slots: 2)
        try scheduler.submit((0..<10).map { _ in [TestScheduler.Job()] }, sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.leases.count == 3)
        scheduler.report(scheduler.leases[0], by: worker)
        scheduler.settle()
        #expect(scheduler.leases.count == 4)
        scheduler.offer(1, worker)
        scheduler.report(scheduler.leases[1], by: worker)
        scheduler.settle()
        #expect(scheduler.leases.count == 4)
        scheduler.offer(0, worker)
        scheduler.settle()
        #expect(scheduler.leases.count == 4)
    }

    @Test("Free slots come first: few jobs spread over the workers")
    func spread() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 10, slots: 1)
        _ = scheduler.worker(2, credit: 10, slots: 1)
        try scheduler.submit((0..<2).map { _ in [TestScheduler.Job()] }, sequence: 1, client: client)
        let commit = try #require(scheduler.commit())
        #expect(Set(commit.leases.map(\.workerIndex)).count == 2)
    }

    @Test("A worker gets only kinds that it serves, named by its own number")
    func kinds() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let audio = scheduler.worker(1, kinds: ["file", "audio"])
        try scheduler.submit(.init(kind: "text"), sequence: 1, client: client)
        try scheduler.submit(.init(kind: "audio"), sequence: 2, client: client)
        let commit = try #require(scheduler.commit())
        #expect(commit.leases.map(\.workerIndex) == [audio.index])
        #expect(scheduler.sentLeases().map(\.kind) == [1])
    }

    @Test("A higher priority goes first; inside one, the older job")
    func priority() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        for (index, priority) in [5, 9, 0, 5].enumerated() {
            try scheduler.submit(.init(priority: UInt8(priority)), sequence: UInt64(index) + 1, client: client)
        }
        _ = scheduler.worker(1, credit: 4, slots: 4)
        scheduler.settle()
        #expect(scheduler.leases.map { $0.id - TestScheduler.firstID } == [2, 0, 3, 1])
    }

    @Test("A worker that comes back claims what it holds and loses nothing")
    func claims() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let first = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        let lease = try #require(scheduler.leases.first)
        scheduler.disconnect(first)
        scheduler.tick(after: TestScheduler.second)
        let second = scheduler.hello(1)
        #expect(second.index == first.index)
        scheduler.claim([lease], by: second)
        scheduler.offer(2, second)
        scheduler.report(lease, by: second)
        let commit = try #require(scheduler.commit())
        #expect(commit.outcomes.map(\.final) == [.succeeded])
        #expect(scheduler.leases.count == 1)
        #expect(scheduler.out.revoked.isEmpty)
    }

    @Test("What a returning worker does not claim never reached it: handed back at its first credit, at no cost")
    func unclaimed() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let first = scheduler.worker(1)
        try scheduler.submit(.init(attempts: 1), sequence: 1, client: client)
        try scheduler.submit(.init(attempts: 1), sequence: 2, client: client)
        scheduler.settle()
        let leases = scheduler.leases
        scheduler.disconnect(first)
        let second = scheduler.hello(1)
        scheduler.claim([leases[0]], by: second)
        scheduler.settle()
        #expect(scheduler.outcomes.isEmpty)
        scheduler.offer(2, second)
        let commit = try #require(scheduler.take())
        #expect(commit.outcomes.map(\.id) == [leases[1].id])
        #expect(commit.outcomes.map(\.ending) == [.returned])
        #expect(commit.outcomes.map(\.final) == [nil])
        #expect(commit.leases.map(\.id) == [leases[1].id])
        #expect(commit.leases.map(\.attempt) == [1])
    }

    @Test("A lease that becomes durable while its worker is coming back is not sent, and is handed back")
    func durableDuringResume() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let first = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.take()
        scheduler.disconnect(first)
        let second = scheduler.hello(1)
        scheduler.committed()
        // Its first credit may be on the way already: what it has not claimed then, it must not get.
        #expect(scheduler.sentLeases().isEmpty)
        scheduler.offer(2, second)
        let commit = try #require(scheduler.commit())
        #expect(commit.outcomes.map(\.ending) == [.returned])
        #expect(commit.leases.count == 1)
        #expect(scheduler.sentLeases().map(\.token) == commit.leases.map(\.token))
    }

    @Test("Nothing is leased to a worker that is coming back")
    func resuming() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.hello(1)
        scheduler.core.creditUpdated(5, worker: worker.index, session: worker.session)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.leases.isEmpty)
        scheduler.offer(2, worker)
        scheduler.settle()
        #expect(scheduler.leases.count == 1)
    }

    @Test("A closed connection costs the leases after the grace, silence after the lease time, goodbye at once")
    func howLeasesEnd() throws {
        for way in ["closed", "silent", "goodbye"] {
            let scheduler = TestScheduler()
            let client = scheduler.client()
            let worker = scheduler.worker(1)
            try scheduler.submit(sequence: 1, client: client)
            scheduler.settle()
            switch way {
            case "closed":
                scheduler.disconnect(worker)
                scheduler.tick(after: scheduler.core.settings.graceNanoseconds - 1)
                #expect(scheduler.take() == nil, "\(way)")
                scheduler.tick(after: 1)
            case "silent":
                scheduler.tick(after: scheduler.core.settings.leaseNanoseconds - 1)
                #expect(scheduler.take() == nil, "\(way)")
                scheduler.tick(after: 1)
            default: scheduler.leave(worker)
            }
            let commit = try #require(scheduler.commit())
            #expect(commit.outcomes.map(\.ending) == [.lost], "\(way)")
            #expect(scheduler.queues.map(\.queued) == [1], "\(way)")
        }
    }

    @Test("A worker that is heard keeps its leases, a session that is not its present one does not count")
    func signsOfLife() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let old = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        let new = scheduler.hello(1)
        scheduler.claim(scheduler.leases, by: new)
        scheduler.offer(2, new)
        for _ in 0..<3 {
            scheduler.tick(after: 9 * TestScheduler.second)
            scheduler.hear(new)
        }
        #expect(scheduler.take() == nil)
        for _ in 0..<2 {
            scheduler.tick(after: 9 * TestScheduler.second)
            scheduler.hear(old)
        }
        let commit = try #require(scheduler.commit())
        #expect(commit.outcomes.map(\.ending) == [.lost])
    }

    @Test("A lease that was not durable when its worker went was never sent: it is returned, not lost")
    func goneBeforeDurable() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.take()
        scheduler.leave(worker)
        scheduler.committed()
        #expect(scheduler.sentLeases().isEmpty)
        let commit = try #require(scheduler.commit())
        #expect(commit.outcomes.map(\.ending) == [.returned])
    }

    @Test("A job is dead when it was lost with three different incarnations, and one that comes and goes counts once")
    func poison() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(.init(attempts: 1), sequence: 1, client: client, notify: true)
        for incarnation: UInt64 in [1, 1, 2, 1, 2] {
            let worker = scheduler.worker(incarnation)
            scheduler.settle()
            scheduler.leave(worker)
            scheduler.settle()
            #expect(scheduler.core.openJobs == 1)
        }
        #expect(scheduler.outcomes.allSatisfy { $0.ending == .lost && $0.final == nil })
        let worker = scheduler.worker(3)
        scheduler.settle()
        scheduler.leave(worker)
        scheduler.settle()
        #expect(scheduler.outcomes.last?.final == .dead)
        #expect(scheduler.finals().map(\.state) == [.dead])
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("What waits in a worker behind poison does not die with it")
    func neighboursOfPoison() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit((0..<8).map { _ in [.init()] }, sequence: 1, client: client)
        let (poison, dead) = (TestScheduler.firstID, { scheduler.final(of: TestScheduler.firstID) })
        for incarnation: UInt64 in 1...3 {
            let worker = scheduler.worker(incarnation, credit: 6, slots: 1)
            scheduler.settle()
            #expect(scheduler.leases.last { $0.workerIndex == worker.index } != nil)
            #expect(dead() == nil)
            scheduler.leave(worker)
            scheduler.settle()
        }
        #expect(dead() == .dead)
        #expect(scheduler.outcomes.filter { $0.ending == .lost }.allSatisfy { $0.id == poison })
        #expect(scheduler.outcomes.filter { $0.ending == .returned }.count == 5, "who was behind it, and once only")
        let worker = scheduler.worker(4, credit: 6, slots: 1)
        for _ in 0..<10 { _ = drainOne(scheduler, worker) }
        #expect(scheduler.core.openJobs == 0)
        #expect(scheduler.outcomes.filter { $0.final == .succeeded }.count == 7)
    }

    @Test("Poison that was taken for a neighbour is found out: what was in a lost worker stands behind nobody")
    func poisonBehindOthers() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit((0..<4).map { _ in [.init()] }, sequence: 1, client: client)
        // The first lease ended unheard and the second one had begun when the worker went.
        let poison = TestScheduler.firstID + 1
        for incarnation: UInt64 in 1...8 where scheduler.final(of: poison) == nil {
            let worker = scheduler.worker(incarnation, credit: 4, slots: 1)
            scheduler.settle()
            while let lease = scheduler.held(by: worker).first, lease.id != poison {
                // Once only: that it went with its outcome unheard was chance.
                guard incarnation > 1 else { break }
                scheduler.report(lease, by: worker)
                scheduler.settle()
            }
            scheduler.leave(worker)
            scheduler.settle()
        }
        #expect(scheduler.final(of: poison) == .dead)
        #expect(scheduler.outcomes.filter { $0.final == .dead }.count == 1)
    }

    @Test("What one loss more may make dead runs alone where it can: it is not there when others are lost, who say so")
    func runsAlone() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit((0..<6).map { _ in [.init()] }, sequence: 1, client: client)
        let (poison, neighbour) = (TestScheduler.firstID, TestScheduler.firstID + 1)
        for incarnation: UInt64 in 1...2 {
            let worker = scheduler.worker(incarnation, credit: 4, slots: 2)
            scheduler.settle()
            #expect(scheduler.held(by: worker).prefix(2).map(\.id) == [poison, neighbour])
            scheduler.leave(worker)
            scheduler.settle()
        }
        let worker = scheduler.worker(3, credit: 4, slots: 3)
        scheduler.settle()
        #expect(scheduler.held(by: worker).map(\.id) == [poison], "though there are two free slots")
        for waiting in [neighbour, neighbour + 1] {
            let why = scheduler.core.explain(JobID(rawValue: waiting), journalDown: nil, at: scheduler.now)
            #expect(why.reason == .apart)
        }
        scheduler.leave(worker)
        scheduler.settle()
        #expect(scheduler.final(of: poison) == .dead)
        let last = scheduler.worker(4, credit: 4, slots: 2)
        scheduler.settle()
        #expect(drainOne(scheduler, last) == neighbour)
        while drainOne(scheduler, last) != nil {}
        #expect(scheduler.core.openJobs == 0)
        #expect(scheduler.outcomes.filter { $0.final == .dead }.count == 1)
    }

    @Test("Good jobs among many that crash their worker all succeed")
    func manyPoisonJobs() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit((0..<60).map { _ in [.init()] }, sequence: 1, client: client)
        func isPoison(_ id: UInt64) -> Bool { (id - TestScheduler.firstID) % 4 == 0 }
        var workers = (1...2).map { scheduler.worker(UInt64($0), credit: 8, slots: 4) }
        var next: UInt64 = 3
        scheduler.settle()
        for _ in 0..<400 where scheduler.core.openJobs > 0 {
            for place in workers.indices {
                let running = scheduler.held(by: workers[place]).prefix(4)
                if running.contains(where: { isPoison($0.id) }) {
                    scheduler.leave(workers[place])
                    workers[place] = scheduler.worker(next, credit: 8, slots: 4)
                    next += 1
                } else if let lease = running.first {
                    scheduler.report(lease, by: workers[place])
                }
                scheduler.settle()
            }
        }
        #expect(scheduler.core.openJobs == 0)
        for id in TestScheduler.firstID..<TestScheduler.firstID + 60 {
            #expect(scheduler.final(of: id) == (isPoison(id) ? .dead : .succeeded))
        }
    }

    @Test("A job that waits for a free slot gets one, however much of another kind could wait in its worker")
    func suspectGetsASlot() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(.init(), sequence: 1, client: client)
        let first = scheduler.worker(1, credit: 4, slots: 1, kinds: ["text", "file"])
        scheduler.settle()
        try scheduler.submit((0..<40).map { _ in [.init(kind: "file")] }, sequence: 2, client: client)
        scheduler.settle()
        let second = scheduler.worker(2, credit: 4, slots: 1, kinds: ["text", "file"])
        scheduler.settle()
        scheduler.leave(first)
        scheduler.settle()
        var runs = 0
        while scheduler.final(of: TestScheduler.firstID) == nil, runs < 40 {
            _ = drainOne(scheduler, second)
            runs += 1
        }
        #expect(scheduler.final(of: TestScheduler.firstID) == .succeeded)
        #expect(runs < 8, "it is the oldest: what was in the worker already goes before it, and no more")
    }

    @Test("A job that waits for a free slot gets one, however many could wait in its worker for what is warm there")
    func suspectBeforeWarmOnes() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let first = scheduler.worker(1, credit: 4, slots: 1, kinds: ["file"])
        try scheduler.submit(.init(kind: "file"), sequence: 1, client: client)
        scheduler.settle()
        let second = scheduler.worker(2, credit: 4, slots: 1, kinds: ["text", "file"])
        var warm = TestScheduler.Job()
        warm.options.affinity = "tiny"
        try scheduler.submit((0..<60).map { _ in [warm] }, sequence: 2, client: client)
        scheduler.settle()
        scheduler.leave(first)
        scheduler.settle()
        var runs = 0
        while scheduler.final(of: TestScheduler.firstID) == nil, runs < 60 {
            _ = drainOne(scheduler, second)
            runs += 1
        }
        #expect(scheduler.final(of: TestScheduler.firstID) == .succeeded)
        #expect(runs < 12, "it is the oldest: what was in the worker already goes before it, and no more")
    }

    @Test("While what a suspect needs is in use, its worker takes others in advance")
    func suspectWithoutResources() throws {
        let scheduler = TestScheduler {
            $0.policies.kinds["gpu", default: .init()].needs = [ResourceAmount("gpu", 1)]
        }
        let client = scheduler.client()
        let offers = [ResourceAmount("gpu", 2)]
        let first = scheduler.worker(1, credit: 4, slots: 2, kinds: ["gpu", "text"], resources: offers)
        try scheduler.submit((0..<2).map { _ in [.init(kind: "gpu")] }, sequence: 1, client: client)
        scheduler.settle()
        scheduler.leave(first)
        let second = scheduler.worker(
            2, credit: 4, slots: 2, kinds: ["gpu", "text"], resources: [ResourceAmount("gpu", 1)])
        try scheduler.submit((0..<6).map { _ in [.init()] }, sequence: 3, client: client)
        scheduler.settle()
        let kinds = scheduler.held(by: second).map { $0.id < TestScheduler.firstID + 2 ? "gpu" : "text" }
        #expect(kinds == ["gpu", "text", "text", "text"])
    }

    private func drainOne(_ scheduler: TestScheduler, _ worker: TestScheduler.Worker) -> UInt64? {
        scheduler.settle()
        guard let lease = scheduler.held(by: worker).first else { return nil }
        scheduler.report(lease, by: worker)
        scheduler.settle()
        return lease.id
    }

    @Test("A retried, returned or lost job keeps its place before younger ones")
    func keepsItsPlace() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        for sequence: UInt64 in 1...4 { try scheduler.submit(sequence: sequence, client: client) }
        scheduler.settle()
        scheduler.report(try #require(scheduler.leases.last), .returned, by: worker)
        scheduler.settle()
        #expect(scheduler.leases.map { $0.id - TestScheduler.firstID } == [0, 0])
        scheduler.report(try #require(scheduler.leases.last), by: worker)
        scheduler.settle()
        #expect(scheduler.leases.map { $0.id - TestScheduler.firstID } == [0, 0, 1])
    }

    @Test("A worker whose leases ran out is told that its session is over, so that it says HELLO again")
    func expiredSession() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        // (The macro cannot call a method of a value that is not copyable.)
        let before = scheduler.core.isWorkerSession(worker.session, of: worker.index)
        scheduler.tick(after: scheduler.core.settings.leaseNanoseconds)
        let after = scheduler.core.isWorkerSession(worker.session, of: worker.index)
        #expect(before && !after)
    }

    @Test("Leases that crossed the goodbye of a worker that drained cost nothing")
    func goodbyeAfterDrain() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.offer(0, worker)
        scheduler.leave(worker)
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.ending) == [.returned])
    }
}
