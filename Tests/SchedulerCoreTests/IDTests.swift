import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Ids and pages")
struct IDTests {
    private func ids(_ scheduler: TestScheduler) -> [UInt64] { scheduler.journal.flatMap(\.jobs).map(\.id) }

    @Test("A new hour begins a new range; a clock that steps back reissues nothing")
    func hours() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let hour = Int64(3_600_000_000)
        for (sequence, step) in [0, hour, -3 * hour, hour, hour, hour, hour].enumerated() {
            scheduler.now.wall += step
            try scheduler.submit(sequence: UInt64(sequence) + 1, client: client)
            scheduler.commit()
        }
        let hours = ids(scheduler).map { JobID(rawValue: $0).hour - TestScheduler.hour }
        #expect(hours == [0, 1, 1, 1, 1, 1, 2])
        #expect(ids(scheduler) == ids(scheduler).sorted())
        #expect(Set(ids(scheduler)).count == 7)
    }

    @Test("Ids go on where the chain says, also when the clock is behind it")
    func afterRestart() throws {
        let scheduler = TestScheduler()
        try scheduler.submit([[.init(), .init()]], sequence: 1, client: scheduler.client())
        scheduler.commit()
        let next = scheduler.restarted()
        next.now.wall -= 7_200_000_000
        try next.submit(sequence: 1, client: next.client(2))
        #expect(next.take()?.jobs.map(\.id) == [TestScheduler.firstID + 2])
    }

    @Test("A page is recorded as closed once it gets no more ids and all of its jobs are final")
    func closed() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 10_000, slots: 1)
        let page = TestScheduler.firstID >> JobID.pageBits
        let request = [TestScheduler.Job](repeating: .init(), count: 2_000)
        for sequence: UInt64 in 1...2 {
            try scheduler.submit([request], sequence: sequence, client: client)
            scheduler.settle()
            for lease in scheduler.leases.suffix(2_000) { scheduler.report(lease, by: worker) }
            scheduler.settle()
        }
        #expect(scheduler.core.openJobs == 0)
        #expect(scheduler.journal.flatMap(\.pagesClosed).isEmpty)
        // Its last 96 ids and the first of the next page.
        try scheduler.submit([request], sequence: 3, client: client)
        scheduler.settle()
        #expect(scheduler.journal.flatMap(\.pagesClosed).isEmpty)
        for lease in scheduler.leases.suffix(2_000) where lease.id >> JobID.pageBits == page {
            scheduler.report(lease, by: worker)
        }
        scheduler.settle()
        #expect(scheduler.journal.flatMap(\.pagesClosed) == [page])
    }

    @Test("A job whose ids begin a page's last stretch survives a restart")
    func acrossPages() throws {
        let scheduler = TestScheduler(
            head: ChainHead(
                batch: 1, incarnation: TestScheduler.incarnation, epoch: 1, nextID: TestScheduler.firstID + 4_094,
                nextToken: 1, nextName: 1))
        try scheduler.submit([[.init(), .init(), .init(), .init()]], sequence: 1, client: scheduler.client())
        scheduler.commit()
        #expect(scheduler.journal.flatMap(\.pagesClosed).isEmpty)
        #expect(scheduler.restarted().core.openJobs == 4)
    }

    @Test("A page without open jobs closes when a new hour begins")
    func closedByHour() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(try #require(scheduler.leases.first), by: worker)
        scheduler.settle()
        scheduler.now.wall += 3_600_000_000
        try scheduler.submit(sequence: 2, client: client)
        scheduler.settle()
        #expect(scheduler.journal.flatMap(\.pagesClosed) == [TestScheduler.firstID >> JobID.pageBits])
    }

    @Test("A page whose jobs are still open when the hour ends closes with the last of them")
    func closedLate() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        scheduler.now.wall += 3_600_000_000
        try scheduler.submit(sequence: 2, client: client)
        scheduler.settle()
        #expect(scheduler.journal.flatMap(\.pagesClosed).isEmpty)
        scheduler.report(try #require(scheduler.leases.first), by: worker)
        scheduler.settle()
        #expect(scheduler.journal.flatMap(\.pagesClosed) == [TestScheduler.firstID >> JobID.pageBits])
    }
}
