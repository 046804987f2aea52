import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Orders of operators")
struct OperatorTests {
    @Test("Orders are carried out one after the other, each when the one before is durable")
    func oneByOne() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.core.ordered(.pause(1), client: client, into: &scheduler.out)
        _ = scheduler.core.ordered(.resume(2), client: client, into: &scheduler.out)
        #expect(scheduler.out.orderLookups.map(\.order.number) == [1])
        scheduler.readOrders()
        #expect(scheduler.out.orderLookups.isEmpty)
        scheduler.take()
        #expect(scheduler.out.orderLookups.isEmpty)
        scheduler.committed()
        #expect(scheduler.out.orderLookups.map(\.order.number) == [2])
        #expect(scheduler.replies().map(\.number) == [1])
    }

    @Test("An order that was carried out before gets its answer of that time, and does nothing")
    func repeated() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        var known = OrderReply(number: 7)
        known.reached = 3
        var findings = OrderFindings()
        findings.known = known
        scheduler.order(.cancel(7) { $0.everything = true }, client: client, findings)
        let reply = try #require(scheduler.replies().first)
        #expect(reply.isRepeated && reply.reached == 3)
        #expect(scheduler.take() == nil)
        #expect(scheduler.core.openJobs == 1)
    }

    @Test("A program that floods orders is told to wait, and none of them is lost")
    func flood() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var taken = 0
        while scheduler.core.ordered(.pause(UInt64(taken + 1)), client: client, into: &scheduler.out) { taken += 1 }
        #expect(taken == 1_001)
        for _ in 0..<taken {
            scheduler.readOrders()
            scheduler.settle()
        }
        #expect(scheduler.replies().map(\.number) == (1...UInt64(taken)).map { $0 })
    }

    // MARK: Cancel

    @Test("Cancel reaches what fits all of its filter, queued or running, and names it in its row")
    func filter() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit(
            [[.init(tenant: "a")], [.init(tenant: "a")], [.init(tenant: "b")]], sequence: 1, client: client)
        try scheduler.submit([[.init(kind: "audio", tenant: "a")]], sequence: 4, client: client)
        scheduler.settle()
        let running = try #require(scheduler.leases.first)
        scheduler.order(
            .cancel(1) {
                $0.kind = "text"
                $0.tenant = "a"
            }, client: client)
        let commit = try #require(scheduler.commit())
        #expect(commit.actions.map(\.ids) == [[TestScheduler.firstID, TestScheduler.firstID + 1]])
        #expect(commit.actions.map(\.filter) == [#"{"kind":"text","tenant":"a"}"#])
        #expect(scheduler.replies().map(\.reached) == [2])
        #expect(scheduler.revoked().map(\.reason) == [.cancelled])
        scheduler.report(running, .cancelled, by: worker)
        scheduler.settle()
        #expect(scheduler.core.openJobs == 2)
    }

    @Test("Cancel by state, by worker, by tag and by request")
    func others() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 1, slots: 1)
        try scheduler.submit([[.init()], [.init(), .init()], [.init()]], sequence: 1, client: client)
        scheduler.settle()
        let first = TestScheduler.firstID
        func reach(_ number: UInt64, _ findings: OrderFindings = .init(), _ change: (inout OrderFilter) -> Void)
            -> UInt32?
        {
            var order = Order.cancel(number, change)
            order.isDryRun = true
            scheduler.order(order, client: client, findings)
            return scheduler.replies().first?.reached
        }
        #expect(reach(1) { $0.state = .queued } == 3)
        #expect(reach(2) { $0.state = .running } == 1)
        #expect(reach(3) { $0.worker = "w1" } == 1)
        #expect(reach(4) { $0.worker = "w1/1" } == 1)
        #expect(reach(5) { $0.worker = "w2" } == 0)
        #expect(reach(6) { $0.requests = [JobID(rawValue: first + 1)] } == 2)
        #expect(reach(7) { $0.jobs = [JobID(rawValue: first + 1), JobID(rawValue: first + 9_999)] } == 1)
        #expect(reach(8) { $0.kind = "never-seen" } == 0)
        var findings = OrderFindings()
        findings.tagged = [first + 3]
        #expect(reach(9, findings) { $0.tags = ["nightly"] } == 1)
        #expect(scheduler.core.openJobs == 4)
    }

    @Test(
        "Who cancels all of a request cancels what waits in it too, however it is named",
        arguments: [\OrderFilter.everything, \.kind, \.requests] as [PartialKeyPath<OrderFilter> & Sendable])
    func wholeRequest(by part: PartialKeyPath<OrderFilter> & Sendable) throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let jobs = (0..<3).map { index in
            var job = TestScheduler.Job()
            if index > 0 { job.options.after = [JobDependency(on: UInt16(index - 1), failsDependant: true)] }
            return job
        }
        try scheduler.submit([jobs, [TestScheduler.Job()]], sequence: 1, client: client)
        scheduler.settle()
        scheduler.order(
            .cancel(1) {
                switch part {
                case \.kind: $0.kind = "text"
                case \.requests: $0.requests = [JobID(rawValue: TestScheduler.firstID)]
                default: $0.everything = true
                }
            }, client: client)
        scheduler.settle()
        #expect(
            (0..<3).map { scheduler.final(of: TestScheduler.firstID + $0) } == [.cancelled, .cancelled, .cancelled])
        #expect(scheduler.replies().map(\.reached) == [part == \.requests ? 3 : 4])
        #expect(scheduler.errors.isEmpty, "none of them failed because of another")
    }

    @Test("One order cancels a bounded number, and says that there are more")
    func bounded() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        for sequence in 0..<3 {
            try scheduler.submit(
                [[TestScheduler.Job]](repeating: [.init()], count: 4_000), sequence: UInt64(sequence * 4_000 + 1),
                client: client)
        }
        scheduler.settle()
        scheduler.order(.cancel(1) { $0.everything = true }, client: client)
        scheduler.settle()
        let reply = try #require(scheduler.replies().first)
        #expect(reply.reached == UInt32(Limits.orderReach) && reply.hasMore)
        scheduler.order(.cancel(2) { $0.everything = true }, client: client)
        scheduler.settle()
        #expect(scheduler.replies().map(\.hasMore) == [false])
        #expect(scheduler.core.openJobs == 0)
    }

    // MARK: Drain

    @Test("A worker that is to drain is told in each session, and gets no more leases")
    func drain() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        var order = Order(.drain, number: 1, who: "mira")
        order.filter.worker = "w1"
        scheduler.order(order, client: client)
        scheduler.settle()
        #expect(scheduler.out.drains == [worker.index])
        #expect(scheduler.replies().map(\.message) == ["w1/1"])
        scheduler.out.drains = []
        try scheduler.submit(sequence: 1, client: client)
        scheduler.settle()
        #expect(scheduler.leases.isEmpty)
        #expect(scheduler.out.drains.isEmpty)

        scheduler.disconnect(worker)
        let again = scheduler.worker(1)
        scheduler.settle()
        #expect(scheduler.out.drains == [again.index])
        #expect(scheduler.leases.isEmpty)
        _ = scheduler.worker(2)
        scheduler.settle()
        #expect(scheduler.leases.count == 1)
    }

    @Test("To drain a worker that nobody knows is refused, and leaves no row")
    func drainsNobody() {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var order = Order(.drain, number: 1, who: "mira")
        order.filter.worker = "w9"
        scheduler.order(order, client: client)
        #expect(scheduler.replies().map(\.code) == [WireError.Code.unknown.rawValue])
        #expect(scheduler.take() == nil)
    }

    // MARK: Dead letters

    private func letter(_ scheduler: TestScheduler, _ change: (inout DeadLetter) -> Void = { _ in }) throws
        -> OrderFindings
    {
        let row = try #require(scheduler.journal.flatMap(\.jobs).first)
        var letter = DeadLetter(
            id: row.id, request: row.id, opts: row.opts, kind: row.kind, tenant: row.tenant, options: JobOptions(),
            payload: [7, 8])
        change(&letter)
        var findings = OrderFindings()
        findings.letters = [letter]
        return findings
    }

    /// A scheduler whose one job has failed for good.
    private func failed(_ change: (inout CoreSettings) -> Void = { _ in }) throws -> (
        scheduler: TestScheduler, client: UInt32, worker: TestScheduler.Worker
    ) {
        let scheduler = TestScheduler(change)
        let client = scheduler.client()
        let worker = scheduler.worker(1)
        try scheduler.submit(.init(priority: 2, attempts: 1), sequence: 1, client: client)
        scheduler.settle()
        scheduler.report(try #require(scheduler.leases.first), .failed, by: worker)
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.final) == [.dead])
        return (scheduler, client, worker)
    }

    @Test("A retry by hand is a new job with the same payload and options, and runs")
    func retry() throws {
        let (scheduler, client, worker) = try failed()
        let old = TestScheduler.firstID
        let findings = try letter(scheduler) { $0.options.tags = ["nightly"] }
        scheduler.order(.retry(1, old), client: client, findings)
        let commit = try #require(scheduler.commit())
        let job = try #require(commit.jobs.first)
        #expect(job.id == old + 1 && job.payloadLength == 2)
        #expect(JobOpts.priority(job.opts) == 2 && JobOpts.attempts(job.opts) == 1 && JobOpts.hasOptions(job.opts))
        #expect(commit.actions.map(\.ids) == [[old]])
        let reply = try #require(scheduler.replies().first)
        #expect(reply.reached == 1 && reply.message == "as \(old + 1)")
        scheduler.settle()
        let lease = try #require(scheduler.leases.last)
        #expect(lease.id == old + 1 && lease.attempt == 1)
        scheduler.report(lease, by: worker)
        scheduler.settle()
        #expect(scheduler.outcomes.last?.final == .succeeded)
    }

    @Test("A deadline that is over is left off, else the new job would end before it starts")
    func deadline() throws {
        let (scheduler, client, _) = try failed()
        let findings = try letter(scheduler) { $0.options.deadline = scheduler.now.wall - 1 }
        scheduler.order(.retry(1, TestScheduler.firstID), client: client, findings)
        scheduler.settle()
        scheduler.tick()
        scheduler.settle()
        #expect(scheduler.leases.count == 2)
    }

    @Test("What is no dead letter any more makes no job, and the order still counts")
    func nothingLeft() throws {
        let (scheduler, client, _) = try failed()
        scheduler.order(.retry(1, TestScheduler.firstID), client: client)
        let commit = try #require(scheduler.commit())
        #expect(commit.jobs.isEmpty)
        #expect(commit.actions.map(\.reached) == [0])
        #expect(scheduler.replies().map(\.reached) == [0])
    }

    @Test("A dry run of a retry makes nothing")
    func dryRun() throws {
        let (scheduler, client, _) = try failed()
        var order = Order.retry(1, TestScheduler.firstID)
        order.isDryRun = true
        scheduler.order(order, client: client, try letter(scheduler))
        #expect(scheduler.replies().map(\.reached) == [1])
        #expect(scheduler.take() == nil)
    }

    @Test(
        "A retry keeps to the bounds as a submit does: what fits is retried, and it says how many are left and why",
        arguments: ["tenant jobs", "tenant bytes", "all jobs", "all bytes"])
    func bounds(of bound: String) throws {
        let (scheduler, client, _) = try failed {
            switch bound {
            case "tenant jobs": $0.policies.tenants["acme", default: .init()].bounds.jobs = 2
            case "tenant bytes": $0.policies.tenants["acme", default: .init()].bounds.bytes = 5
            case "all jobs": $0.policies.bounds.jobs = 2
            default: $0.policies.bounds.bytes = 5
            }
        }
        let old = TestScheduler.firstID
        var findings = try letter(scheduler)
        findings.letters = (0..<4).map { place in
            var letter = findings.letters[0]
            letter.id += UInt64(place)
            return letter
        }
        var dry = Order.retry(1, old, old + 1, old + 2, old + 3)
        dry.isDryRun = true
        scheduler.order(dry, client: client, findings)
        #expect(scheduler.replies().map(\.reached) == [2])
        scheduler.order(.retry(2, old, old + 1, old + 2, old + 3), client: client, findings)
        let commit = try #require(scheduler.commit())
        #expect(commit.actions.map(\.ids) == [[old, old + 1]])
        #expect(commit.jobs.count == 2)
        let reply = try #require(scheduler.replies().first)
        #expect(reply.reached == 2 && reply.code == 0 && !reply.hasMore)
        #expect(reply.message.hasPrefix("as \(old + 1), \(old + 2); 2 left: "))
        #expect(reply.message.contains(bound.hasPrefix("tenant") ? "of tenant acme is" : "max_open_"))
        // Nothing fits any more.
        findings.letters.removeFirst(2)
        findings.hasMore = true
        scheduler.order(.retry(3, old + 2, old + 3), client: client, findings)
        scheduler.settle()
        let second = try #require(scheduler.replies().first)
        #expect(second.reached == 0 && second.message.hasPrefix("2 and more left: "))
        #expect(!second.hasMore, "who gives it again as long as there is more would never end")
        #expect(scheduler.core.openJobs == 2)
    }

    @Test("A tenant at its bound holds no other tenant's dead letters back")
    func otherTenants() throws {
        let (scheduler, client, _) = try failed { $0.policies.tenants["acme", default: .init()].bounds.jobs = 1 }
        try scheduler.submit(sequence: 2, client: client)
        scheduler.settle()
        try scheduler.submit(.init(tenant: "other"), sequence: 3, client: client)
        let number = try #require(scheduler.take()?.jobs.first?.tenant)
        scheduler.committed()
        scheduler.settle()
        let old = TestScheduler.firstID
        var findings = try letter(scheduler)
        findings.letters.append(findings.letters[0])
        findings.letters[1].id = old + 1
        findings.letters[1].tenant = number
        scheduler.order(.retry(1, old, old + 1), client: client, findings)
        let commit = try #require(scheduler.commit())
        #expect(commit.actions.map(\.ids) == [[old + 1]])
    }

    @Test("A drop is a row and nothing else")
    func drop() throws {
        let (scheduler, client, _) = try failed()
        var order = Order.retry(1, TestScheduler.firstID)
        order.action = .drop
        scheduler.order(order, client: client, try letter(scheduler))
        let commit = try #require(scheduler.commit())
        #expect(commit.jobs.isEmpty && commit.outcomes.isEmpty)
        #expect(commit.actions.map(\.action) == ["drop"])
        #expect(commit.actions.map(\.ids) == [[TestScheduler.firstID]])
    }
}
