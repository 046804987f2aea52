import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Work stealing")
struct StealTests {
    /// One worker with one slot holds ten jobs of about a second; another comes.
    private func loaded() throws -> (TestScheduler, victim: TestScheduler.Worker, thief: TestScheduler.Worker) {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let victim = scheduler.worker(1, credit: 11, slots: 1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], ranMicroseconds: 1_000_000, by: victim)
        try scheduler.submit((0..<10).map { _ in [TestScheduler.Job()] }, sequence: 2, client: client)
        scheduler.settle()
        #expect(scheduler.leases.count == 11)
        let thief = scheduler.worker(2, credit: 1, slots: 1)
        scheduler.settle()
        return (scheduler, victim, thief)
    }

    private func asked(_ scheduler: TestScheduler) -> [TokenRecord] {
        defer { scheduler.out.revoked.removeAll() }
        return scheduler.out.revoked.map(\.record).filter { $0.reason == .stealing }
    }

    @Test("An idle worker gets the last waiting job of a loaded one, under a new token")
    func steals() throws {
        let (scheduler, victim, thief) = try loaded()
        let wanted = asked(scheduler)
        #expect(wanted.map(\.token) == [scheduler.leases[10].token])
        scheduler.settle()
        #expect(asked(scheduler).isEmpty, "asked once")
        scheduler.report(scheduler.leases[10], .returned, ranMicroseconds: 0, by: victim)
        scheduler.settle()
        let lease = try #require(scheduler.leases.last)
        #expect(scheduler.leases.count == 12 && lease.id == scheduler.leases[10].id)
        #expect(lease.token != scheduler.leases[10].token && lease.workerIndex == thief.index)
        #expect(lease.attempt == 1 && scheduler.core.counts.stolen == 1)
    }

    @Test("Idle workers that can help with nothing do not keep the next one from helping", arguments: [0, 1, 5])
    func others(count: Int) throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let victim = scheduler.worker(1, credit: 11, slots: 1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], ranMicroseconds: 1_000_000, by: victim)
        try scheduler.submit((0..<10).map { _ in [TestScheduler.Job()] }, sequence: 2, client: client)
        scheduler.settle()
        for number in 0..<count { _ = scheduler.worker(UInt64(number) + 10, credit: 1, slots: 1, kinds: ["file"]) }
        scheduler.settle()
        #expect(asked(scheduler).isEmpty)
        _ = scheduler.worker(2, credit: 1, slots: 1)
        scheduler.settle()
        #expect(asked(scheduler).map(\.token) == [scheduler.leases[10].token])
    }

    @Test("What the worker has started it keeps, and the idle one asks for another")
    func kept() throws {
        let (scheduler, victim, _) = try loaded()
        let first = asked(scheduler)
        scheduler.keep(first, by: victim)
        scheduler.settle()
        let second = asked(scheduler)
        #expect(second.count == 1 && second != first)
    }

    @Test("The race with its end has one winner: the outcome counts")
    func race() throws {
        let (scheduler, victim, _) = try loaded()
        let wanted = asked(scheduler)
        let lease = try #require(scheduler.leases.first { $0.token == wanted[0].token })
        scheduler.report(lease, .succeeded, ranMicroseconds: 1_000, by: victim)
        scheduler.keep(wanted, by: victim)
        scheduler.settle()
        #expect(scheduler.outcomes.filter { $0.id == lease.id }.map(\.final) == [.succeeded])
    }

    @Test("Either side may vanish: nothing waits for its answer")
    func vanish() throws {
        for victimGoes in [true, false] {
            let (scheduler, victim, thief) = try loaded()
            #expect(asked(scheduler).count == 1)
            scheduler.leave(victimGoes ? victim : thief)
            scheduler.settle()
            let heir = scheduler.worker(3, credit: 1, slots: 1)
            scheduler.settle()
            if victimGoes {
                let last = scheduler.leases.last
                #expect(last.map { $0.token > 11 && $0.worker != scheduler.leases[0].worker } == true)
            } else {
                #expect(asked(scheduler).count == 1, "for \(heir.index)")
            }
        }
    }

    @Test("A worker that comes back is asked again: the answer of the session before is lost")
    func reconnect() throws {
        let (scheduler, victim, _) = try loaded()
        #expect(asked(scheduler).count == 1)
        scheduler.disconnect(victim)
        let back = scheduler.hello(1, slots: 1)
        scheduler.claim(Array(scheduler.leases[1...]), by: back)
        scheduler.offer(11, back)
        scheduler.settle()
        #expect(asked(scheduler).count == 1)
    }

    @Test("A job is moved three times at most")
    func bounded() throws {
        let (scheduler, victim, thief) = try loaded()
        scheduler.offer(0, thief)
        let id = try #require(asked(scheduler).first).id
        var moves = 0
        var wanted = scheduler.leases.last { $0.id == id.rawValue }
        while let lease = wanted, moves < 10 {
            scheduler.report(lease, .returned, ranMicroseconds: 0, by: victim)
            moves += 1
            scheduler.settle()
            scheduler.offer(1, thief)
            scheduler.settle()
            scheduler.offer(0, thief)
            let next = asked(scheduler)
            for record in next where record.id != id { scheduler.keep([record], by: victim) }
            wanted = next.contains { $0.id == id } ? scheduler.leases.last { $0.id == id.rawValue } : nil
        }
        #expect(moves <= 3)
    }

    @Test("A batch stays where it is if one of its jobs was moved three times")
    func boundedInBatches() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let victim = scheduler.worker(1, credit: 4, slots: 1, batch: (2, 0))
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], ranMicroseconds: 1_000_000, by: victim)
        try scheduler.submit((0..<6).map { _ in [TestScheduler.Job()] }, sequence: 2, client: client)
        scheduler.settle()
        let last = scheduler.leases[5...].map(\.id)
        #expect(last.count == 2 && scheduler.held(by: victim).count == 6, "three batches of two")
        let found = scheduler.core.jobs.slot(of: last[1])
        let slot = try #require(found)
        scheduler.core.jobs[slot].steals = 3
        _ = scheduler.worker(2, credit: 1, slots: 1)
        scheduler.settle()
        let asked = asked(scheduler).map(\.id.rawValue)
        #expect(Set(asked) == Set(scheduler.leases[3...4].map(\.id)), "the batch before it")
    }

    @Test("Jobs that will start at once anyway are left where they are")
    func notWorthIt() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let victim = scheduler.worker(1, credit: 3, slots: 1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], ranMicroseconds: 100, by: victim)
        try scheduler.submit((0..<3).map { _ in [TestScheduler.Job()] }, sequence: 2, client: client)
        scheduler.settle()
        _ = scheduler.worker(2, credit: 1, slots: 1)
        scheduler.settle()
        #expect(asked(scheduler).isEmpty)
    }

    @Test("Jobs stuck behind others that run much longer than expected are called back, to be first in the queue")
    func recall() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let stuck = scheduler.worker(1, credit: 2, slots: 1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(scheduler.leases[0], ranMicroseconds: 10_000, by: stuck)
        try scheduler.submit((0..<6).map { _ in [TestScheduler.Job()] }, sequence: 2, client: client)
        let other = scheduler.worker(2, credit: 1, slots: 1)
        scheduler.settle()
        #expect(scheduler.leases.count == 4 && asked(scheduler).isEmpty)
        let waiting = try #require(scheduler.leases.last { $0.workerIndex == stuck.index })
        scheduler.tick(after: 50_000_000)
        #expect(asked(scheduler).isEmpty, "nobody else could help either")
        scheduler.report(try #require(scheduler.leases.last { $0.workerIndex == other.index }), by: other)
        scheduler.settle()
        scheduler.settle()
        #expect(asked(scheduler).map(\.id.rawValue) == [waiting.id])
        scheduler.report(waiting, .returned, ranMicroseconds: 0, by: stuck)
        scheduler.settle()
        #expect(scheduler.leases.count == 5, "nothing waits behind the stuck one again")
        let running = try #require(scheduler.leases.last { $0.workerIndex == other.index })
        scheduler.report(running, by: other)
        scheduler.settle()
        #expect(scheduler.leases.last?.id == waiting.id && scheduler.leases.last?.workerIndex == other.index)
    }

    @Test("With stealing off nobody is asked")
    func off() throws {
        let scheduler = TestScheduler { $0.stealing = false }
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 11, slots: 1)
        try scheduler.submit((0..<10).map { _ in [TestScheduler.Job()] }, sequence: 1, client: client)
        scheduler.settle()
        _ = scheduler.worker(2, credit: 1, slots: 1)
        scheduler.settle()
        #expect(asked(scheduler).isEmpty)
    }
}
