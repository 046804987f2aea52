import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Submits")
struct SubmitTests {
    @Test("An acknowledgement leaves only when its commit is durable")
    func acknowledgedWhenDurable() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        #expect(scheduler.out.accepted.isEmpty)
        let commit = try #require(scheduler.take())
        #expect(commit.jobs.map(\.id) == [TestScheduler.firstID])
        #expect(scheduler.out.accepted.isEmpty)
        scheduler.committed()
        #expect(
            scheduler.out.accepted.map(\.run) == [
                AcceptedRun(
                    sequence: 1, firstID: JobID(rawValue: TestScheduler.firstID), requests: 1, jobsEach: 1,
                    repeated: false)
            ])
        #expect(scheduler.out.accepted.map(\.client) == [client])
    }

    @Test("What gathers during a commit goes into the next one")
    func oneCommitAtATime() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        scheduler.take()
        try scheduler.submit(sequence: 2, client: client)
        #expect(scheduler.take() == nil)
        scheduler.committed()
        #expect(scheduler.out.accepted.map(\.run.sequence) == [1])
        let second = try #require(scheduler.commit())
        #expect(second.jobs.count == 1)
        #expect(second.head.batch == 3)
        #expect(scheduler.out.accepted.map(\.run.sequence) == [1, 2])
    }

    @Test("Requests of one size in one message are one run, with ids in a row")
    func runs() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let pair = [TestScheduler.Job(), TestScheduler.Job()]
        try scheduler.submit([pair, pair, [TestScheduler.Job()]], sequence: 5, client: client)
        let commit = try #require(scheduler.commit())
        #expect(scheduler.out.accepted.map(\.run.requests) == [2, 1])
        #expect(scheduler.out.accepted.map(\.run.jobsEach) == [2, 1])
        #expect(scheduler.out.accepted.map(\.run.sequence) == [5, 7])
        #expect(commit.jobs.map(\.id) == (0..<5).map { TestScheduler.firstID + $0 })
        #expect(commit.jobs.map { JobOpts.index($0.opts) } == [0, 1, 0, 1, 0])
        #expect(commit.jobs.map { JobOpts.count($0.opts) } == [2, 2, 2, 2, 1])
        #expect(commit.submits.map(\.sequence) == [5, 7])
    }

    @Test("A repeat before its commit is durable is answered after it, with the first ids")
    func repeatedBeforeCommit() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        scheduler.take()
        let second = scheduler.client()
        try scheduler.submit(sequence: 1, client: second)
        #expect(scheduler.out.accepted.isEmpty)
        scheduler.committed()
        // Its answer stands in a commit after the one that holds the request.
        #expect(scheduler.out.accepted.map(\.client) == [client])
        scheduler.commit()
        #expect(scheduler.out.accepted.map(\.client) == [client, second])
        #expect(scheduler.out.accepted[1].run.repeated)
        #expect(scheduler.out.accepted[1].run.firstID == scheduler.out.accepted[0].run.firstID)
        #expect(scheduler.core.openJobs == 1)
    }

    @Test("A repeat after its commit is answered at once")
    func repeatedAfterCommit() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        scheduler.commit()
        scheduler.out.removeAll()
        try scheduler.submit(sequence: 1, client: client)
        #expect(scheduler.out.accepted.map(\.run.repeated) == [true])
        #expect(scheduler.take() == nil)
        #expect(scheduler.core.openJobs == 1)
    }

    @Test("Two producers may use the same sequence")
    func producersAreApart() throws {
        let scheduler = TestScheduler()
        let one = scheduler.client(1)
        let two = scheduler.client(2)
        try scheduler.submit(sequence: 1, client: one)
        try scheduler.submit(sequence: 1, client: two)
        scheduler.commit()
        #expect(scheduler.core.openJobs == 2)
        #expect(scheduler.out.accepted.map(\.run.repeated) == [false, false])
    }

    @Test("A sequence that was refused as busy may come after later ones")
    func outOfOrderAfterBusy() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit([[TestScheduler.Job()]], sequence: 1, client: client, busy: "the journal is down")
        #expect(scheduler.out.refused.map(\.run.sequence) == [1])
        #expect(scheduler.out.refused.allSatisfy { $0.run.retryAfterMilliseconds > 0 })
        try scheduler.submit(sequence: 2, client: client)
        try scheduler.submit(sequence: 1, client: client)
        scheduler.commit()
        #expect(scheduler.out.accepted.map(\.run.sequence) == [2, 1])
        #expect(scheduler.out.accepted.map(\.run.repeated) == [false, false])
        scheduler.out.removeAll()
        try scheduler.submit(sequence: 1, client: client)
        try scheduler.submit(sequence: 2, client: client)
        #expect(scheduler.out.accepted.map(\.run.repeated) == [true, true])
        #expect(scheduler.core.openJobs == 2)
    }

    @Test("A sequence older than a producer's window is refused, not taken as new")
    func forgottenSequence() throws {
        let scheduler = TestScheduler()
        let window = UInt64(Limits.producerWindow)
        let runs = [
            Producers.Run(sequence: 1_000, count: window * 3, firstID: 100, jobsEach: 1, batch: 1)
        ]
        let client = scheduler.client(known: runs)
        try scheduler.submit(sequence: 1_000 + window * 3 - 1, client: client)
        #expect(scheduler.out.accepted.map(\.run.repeated) == [true])
        try scheduler.submit(sequence: 999, client: client)
        #expect(scheduler.out.refused.map(\.run.code) == [WireError.Code.stale.rawValue])
        #expect(scheduler.out.refused.map(\.run.retryAfterMilliseconds) == [0])
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("More jobs than are admitted are refused as busy, and taken when there is room")
    func admission() throws {
        let scheduler = TestScheduler { $0.policies.bounds.jobs = 3 }
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit([[.init(), .init()]], sequence: 1, client: client)
        try scheduler.submit([[.init(), .init()]], sequence: 2, client: client)
        #expect(scheduler.out.refused.map(\.run.sequence) == [2])
        #expect(scheduler.out.refused.map(\.run.code) == [WireError.Code.busy.rawValue])
        scheduler.settle()
        for lease in scheduler.leases { scheduler.report(lease, by: worker) }
        scheduler.settle()
        scheduler.out.removeAll()
        try scheduler.submit([[.init(), .init()]], sequence: 2, client: client)
        #expect(scheduler.out.refused.isEmpty)
        #expect(scheduler.core.openJobs == 2)
    }

    @Test("Payload bytes that wait for the journal are bounded")
    func payloadBytes() throws {
        let scheduler = TestScheduler { $0.maxBatchPayloadBytes = 10 }
        let client = scheduler.client()
        try scheduler.submit(.init(payload: [UInt8](repeating: 7, count: 8)), sequence: 1, client: client)
        try scheduler.submit(.init(payload: [UInt8](repeating: 7, count: 8)), sequence: 2, client: client)
        #expect(scheduler.out.refused.map(\.run.sequence) == [2])
        scheduler.commit()
        try scheduler.submit(.init(payload: [UInt8](repeating: 7, count: 8)), sequence: 2, client: client)
        #expect(scheduler.out.refused.count == 1)
    }

    @Test("Names are numbered once, in the commit of their first use")
    func names() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        let first = try #require(scheduler.commit())
        #expect(first.names.map(\.name).sorted() == ["acme", "text"])
        try scheduler.submit(sequence: 2, client: client)
        let second = try #require(scheduler.commit())
        #expect(second.names.isEmpty)
        #expect(second.jobs[0].kind == first.jobs[0].kind)
        #expect(second.head.nextName == first.head.nextName)
    }
}
