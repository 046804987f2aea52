import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Dependencies")
struct DependencyTests {
    private static let first = TestScheduler.firstID

    private func job(
        after: [UInt16] = [], inputs: [UInt16] = [], fails: Bool = false,
        _ change: (inout JobOptions) -> Void = { _ in }
    ) -> TestScheduler.Job {
        var options = JobOptions()
        options.after = (after + inputs).sorted().map {
            JobDependency(on: $0, isInput: inputs.contains($0), failsDependant: fails)
        }
        change(&options)
        return TestScheduler.Job(attempts: 1, options: options)
    }

    private func submit(_ jobs: [TestScheduler.Job], to scheduler: TestScheduler, notify: Bool = false) throws
        -> UInt32
    {
        let client = scheduler.client()
        try scheduler.submit([jobs], sequence: 1, client: client, notify: notify)
        scheduler.settle()
        return client
    }

    /// Works off everything that is leased, until nothing is.
    private func workOff(_ scheduler: TestScheduler, _ worker: TestScheduler.Worker) -> Int {
        var done = 0
        while done < scheduler.leases.count {
            let leases = scheduler.leases[done...]
            scheduler.succeed(leases, by: worker)
            done += leases.count
            scheduler.settle()
        }
        return done
    }

    @Test("A job runs once all that it waits for succeeded; its lease stands in the commit of the last outcome")
    func diamond() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1, credit: 4, slots: 4)
        _ = try submit([job(), job(after: [0]), job(inputs: [0]), job(after: [1], inputs: [2])], to: scheduler)
        #expect(scheduler.leases.map(\.id) == [Self.first])
        #expect(scheduler.core.blockedJobs == 3)
        scheduler.report(scheduler.leases[0], by: worker)
        let commit = try #require(scheduler.commit())
        #expect(commit.outcomes.map(\.id) == [Self.first])
        #expect(commit.leases.map(\.id) == [Self.first + 1, Self.first + 2])
        scheduler.report(scheduler.leases[1], by: worker)
        #expect(scheduler.commit()?.leases.isEmpty == true)
        scheduler.report(scheduler.leases[2], by: worker)
        #expect(scheduler.commit()?.leases.map(\.id) == [Self.first + 3])
        scheduler.report(scheduler.leases[3], by: worker)
        scheduler.settle()
        #expect(scheduler.core.openJobs == 0)
        #expect(scheduler.core.graphs.isEmpty)
    }

    @Test("A job that is retried keeps its dependants waiting")
    func retried() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        var first = job()
        first.attempts = 2
        _ = try submit([first, job(after: [0])], to: scheduler)
        scheduler.report(scheduler.leases[0], .failed, body: [0], by: worker)
        scheduler.settle()
        #expect(scheduler.core.blockedJobs == 1)
        scheduler.tick(after: 3_600 * TestScheduler.second)
        // Silent for so long, the worker was given up.
        _ = scheduler.worker(2)
        scheduler.settle()
        #expect(scheduler.leases.map(\.id) == [Self.first, Self.first])
    }

    @Test("A job that does not succeed takes along who waits for it, in its own commit", arguments: [false, true])
    func failed(fails: Bool) throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        let client = try submit(
            [job(), job(inputs: [0], fails: fails), job(after: [1], fails: fails), job()], to: scheduler,
            notify: true)
        scheduler.report(scheduler.leases[0], .failed, retryable: false, body: [0], by: worker)
        let commit = try #require(scheduler.commit())
        let state: JobState = fails ? .failed : .cancelled
        #expect(commit.outcomes.map(\.final) == [.failed, state, state])
        #expect(commit.outcomes.map(\.token) == [scheduler.leases[0].token, 0, 0])
        let finals = scheduler.out.finals.filter { $0.client == client }
        #expect(finals.map(\.record.state) == [.failed, state, state])
        #expect(
            scheduler.errors.suffix(2) == [
                ErrorText("dependency", "not run: a job it waits for (kind text) ended as failed\njob \(Self.first)"),
                ErrorText(
                    "dependency", "not run: a job it waits for (kind text) ended as \(state)\njob \(Self.first + 1)"),
            ])
        #expect(scheduler.core.openJobs == 1)
    }

    @Test("A cancelled request ends its waiting jobs as cancelled themselves, running ones later")
    func cancelledRequest() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        let client = try submit([job(), job(after: [0], fails: true), job(after: [1], fails: true)], to: scheduler)
        scheduler.cancel(Self.first, isRequest: true, client: client)
        let commit = try #require(scheduler.commit())
        #expect(Set(commit.actions[0].ids) == [Self.first, Self.first + 1, Self.first + 2])
        #expect(commit.outcomes.map(\.final) == [.cancelled, .cancelled])
        #expect(commit.results.isEmpty)
        scheduler.report(scheduler.leases[0], .cancelled, by: worker)
        scheduler.settle()
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("A cancelled job alone takes along who waits for it")
    func cancelledJob() throws {
        let scheduler = TestScheduler()
        let client = try submit([job(), job(after: [0]), job()], to: scheduler)
        scheduler.cancel(Self.first, client: client)
        scheduler.settle()
        #expect(scheduler.final(of: Self.first + 1) == .cancelled)
        #expect(
            scheduler.errors.map(\.message)
                == ["not run: a job it waits for (kind text) ended as cancelled\njob \(Self.first)"])
        #expect(scheduler.core.openJobs == 1)
    }

    @Test("A blocked job expires at its deadline, and takes along who waits for it")
    func deadline() throws {
        let scheduler = TestScheduler()
        let deadline = scheduler.now.wall + 5_000_000
        _ = try submit([job(), job(after: [0]) { $0.deadline = deadline }, job(after: [1])], to: scheduler)
        scheduler.tick(after: 6 * TestScheduler.second)
        scheduler.settle()
        #expect(scheduler.final(of: Self.first + 1) == .expired)
        #expect(scheduler.final(of: Self.first + 2) == .cancelled)
        #expect(scheduler.core.openJobs == 1)
    }

    @Test("A job that waits for others and for a time starts after both")
    func startTime() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        let time = scheduler.now.wall + 5_000_000
        _ = try submit([job(), job(after: [0]) { $0.runAt = time }], to: scheduler)
        scheduler.report(scheduler.leases[0], by: worker)
        scheduler.settle()
        #expect(scheduler.leases.count == 1)
        scheduler.tick(after: 6 * TestScheduler.second)
        scheduler.settle()
        #expect(scheduler.leases.map(\.id) == [Self.first, Self.first + 1])
    }

    @Test("Chains and fans of 4,096 jobs run to their end, and end at once when their first job fails")
    func large() throws {
        let shapes: [[TestScheduler.Job]] = [
            (0..<4_096).map { $0 == 0 ? job() : job(after: [UInt16($0 - 1)]) },
            [job()] + (1..<4_095).map { _ in job(after: [0]) } + [job(after: Array(1..<4_095))],
        ]
        for jobs in shapes {
            let scheduler = TestScheduler()
            let worker = scheduler.worker(1, credit: 4_096, slots: 4_096)
            _ = try submit(jobs, to: scheduler)
            // A chain is worked off one by one: the end-to-end tests do that without a look at all jobs each time.
            if jobs[1].options.after == jobs[2].options.after {
                #expect(workOff(scheduler, worker) == 4_096)
                #expect(scheduler.core.openJobs == 0)
            }
            let other = TestScheduler()
            let failing = other.worker(1)
            _ = try submit(jobs, to: other)
            other.report(other.leases[0], .failed, retryable: false, body: [0], by: failing)
            #expect(other.commit()?.outcomes.count == 4_096)
            #expect(other.core.openJobs == 0)
            #expect(other.core.graphs.isEmpty)
        }
    }

    @Test("A job may only wait for those before it, each once, in rising order")
    func border() throws {
        let wrong: [([UInt16], String)] = [
            ([2], "job 2 waits for job 2 of its request, which does not stand before it"),
            ([1, 1], "job 2 waits for job 1 after job 1"), ([1, 0], "job 2 waits for job 0 after job 1"),
        ]
        for (after, message) in wrong {
            let scheduler = TestScheduler()
            let client = scheduler.client()
            var last = job()
            last.options.after = after.map { JobDependency(on: $0) }
            try scheduler.submit([[job(), job(), last], [job()]], sequence: 1, client: client)
            scheduler.settle()
            #expect(scheduler.out.refused.map(\.run.sequence) == [1])
            #expect(scheduler.out.refused[0].run.message.hasPrefix(message))
            // Its neighbour in the message is not concerned.
            #expect(scheduler.core.openJobs == 1)
        }
    }

    @Test("A request has a bounded number of dependencies, a job a bounded number of inputs")
    func bounds() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let many = (0..<200).map { index in job(after: Array(0..<UInt16(index))) }
        try scheduler.submit([many], sequence: 1, client: client)
        let inputs = (0..<33).map { _ in job() } + [job(inputs: Array(0..<33))]
        try scheduler.submit([inputs], sequence: 2, client: client)
        #expect(scheduler.out.refused.map(\.run.code) == [4, 4])
        #expect(scheduler.core.openJobs == 0)
    }

    // MARK: The journal

    @Test("A new owner knows who waits for whom, also when what was waited for is gone from memory")
    func recovered() throws {
        let before = TestScheduler()
        let worker = before.worker(1)
        _ = try submit([job(), job(), job(after: [0, 1]), job(after: [2])], to: before)
        before.report(before.leases[0], by: worker)
        before.settle()
        let scheduler = before.restarted()
        #expect(scheduler.core.blockedJobs == 2)
        scheduler.adopt(before)
        let back = scheduler.hello(1)
        scheduler.claim([before.leases[1]], by: back)
        scheduler.offer(2, back)
        scheduler.report(before.leases[1], by: back)
        scheduler.settle()
        #expect(scheduler.leases.last?.id == Self.first + 2)
        scheduler.report(try #require(scheduler.leases.last), by: back)
        scheduler.settle()
        #expect(scheduler.leases.last?.id == Self.first + 3)
    }

    @Test(
        "A scheduler that dies after an outcome leaves its dependant leased, or nothing at all",
        arguments: [false, true])
    func diesAfterOutcome(isDurable: Bool) throws {
        let before = TestScheduler()
        let worker = before.worker(1)
        _ = try submit([job(), job(after: [0])], to: before)
        before.report(before.leases[0], by: worker)
        if isDurable { before.take() }
        let scheduler = before.restarted()
        scheduler.adopt(before)
        let back = scheduler.hello(1)
        if !isDurable { scheduler.report(before.leases[0], by: back) }
        scheduler.offer(2, back)
        scheduler.settle()
        #expect(scheduler.leases.last?.id == Self.first + 1)
        #expect(scheduler.outcomes.filter { $0.final != nil }.map(\.id) == [Self.first])
    }

    @Test("A new owner ends what waits for a job that ended before its dependants could")
    func recoversBrokenOff() throws {
        let before = TestScheduler()
        _ = try submit([job(), job(after: [0]), job(after: [1], fails: true)], to: before)
        let scheduler = before.restarted(ended: [Self.first: .failed])
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.final) == [.cancelled, .failed])
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("When the journal refuses a result, who was released by it ends before its lease leaves")
    func refusedResult() throws {
        let scheduler = TestScheduler()
        let worker = scheduler.worker(1)
        _ = try submit([job(), job(inputs: [0]), job(after: [1])], to: scheduler)
        scheduler.out.removeAll()
        scheduler.report(scheduler.leases[0], body: [7], by: worker)
        let commit = try #require(
            scheduler.take { batch in
                batch.outcomes[0].ending = .failed
                batch.outcomes[0].final = .failed
            })
        #expect(commit.leases.map(\.id) == [Self.first + 1])
        scheduler.committed()
        #expect(scheduler.sentLeases().isEmpty)
        let next = try #require(scheduler.commit())
        #expect(next.outcomes.map(\.final) == [.cancelled, .cancelled])
        #expect(next.outcomes.map(\.token) == [commit.leases[0].token, 0])
        #expect(scheduler.core.openJobs == 0)
    }

    @Test("When the journal refuses a job, who waits for it ends")
    func refusedJob() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit([[job(), job(after: [0])]], sequence: 1, client: client)
        scheduler.take { batch in
            batch.outcomes.append(
                CommitBatch.OutcomeRow(
                    id: Self.first, token: 0, started: 0, ended: 0, retry: -1, ending: .failed, final: .failed,
                    result: -1, slot: CommitBatch.OutcomeRow.refusedAtCommit))
        }
        scheduler.committed()
        scheduler.settle()
        #expect(scheduler.final(of: Self.first + 1) == .cancelled)
        #expect(scheduler.core.openJobs == 0)
    }
}
