import StatexProtocol
import Testing

@testable import StatexClient

/// The real client over real sockets against `FakeScheduler`.
@Suite(.timeLimit(.minutes(1))) struct ClientTests {
    private let scheduler: FakeScheduler

    init() throws { scheduler = try FakeScheduler() }

    @Test func fiveLinesSubmitARequestAndGetItsResult() async throws {
        let client = try await Client(scheduler.endpoint)
        let handle = try await client.submit(Request(kind: "text", payload: .text("Hello")))
        let result = try await handle.result()
        #expect(result.state == .succeeded)
        #expect(result.jobs.map(\.text) == ["Hello"])
        await client.close()
        scheduler.close()
    }

    @Test func thousandsOfRequestsGetTheirHandlesInOrder() async throws {
        let client = try await Client(scheduler.endpoint)
        let requests = (0..<3_000).map { number in
            Request((0...number % 3).map { JobSpec(kind: "text", payload: .text("\(number).\($0)")) })
        }
        let handles = try await client.submit(contentsOf: requests)
        #expect(handles.map(\.jobCount) == requests.map(\.jobs.count))
        for number in [0, 1, 499, 500, 2_998, 2_999] {
            let result = try await handles[number].result()
            #expect(result.jobs.map(\.text) == (0...number % 3).map { "\(number).\($0)" })
        }
        await client.close()
        scheduler.close()
    }

    @Test(arguments: ["", "a b", "ä", "a/b", "a\u{0}", "kind\n", String(repeating: "k", count: 65)])
    func aKindThatNoConfigurationCouldNameIsRefused(kind: String) {
        #expect(throws: ClientError.self) { try RequestPacker.check(Request(kind: kind, payload: .text(""))) }
        #expect(throws: ClientError.self) { try BulkJobs(count: 1, kind: kind, payload: []).check() }
    }

    @Test(arguments: ["a", "A-z_0.9", String(repeating: "k", count: 64)])
    func aKindThatAConfigurationMayNameIsTaken(kind: String) throws {
        try RequestPacker.check(Request(kind: kind, payload: .text("")))
    }

    @Test func aSubmitRepeatedAfterALostAcknowledgementMakesNoSecondJob() async throws {
        let client = try await Client(scheduler.endpoint)
        scheduler.change { $0.lostAcknowledgements = 1 }
        async let submitted = client.submit(Request(kind: "text", payload: .text("once")))
        await scheduler.reaches { $0.lostAcknowledgements == 0 }
        scheduler.change { $0.restarts += 1 }
        let handle = try await submitted
        #expect(handle.isRepeated)
        let (jobs, submits) = scheduler.script.withLock { ($0.jobs.count, $0.submits) }
        #expect(jobs == 1)
        #expect(submits == 2)
        await client.close()
        scheduler.close()
    }

    @Test func aBusySchedulerIsAskedUntilItAccepts() async throws {
        let client = try await Client(scheduler.endpoint)
        scheduler.change { $0.busyAnswers = 3 }
        let handle = try await client.submit(Request(kind: "text", payload: .text("later")))
        #expect(!handle.isRepeated)
        #expect(scheduler.script.withLock { $0.submits } == 4)
        await client.close()
        scheduler.close()
    }

    @Test func aClientWithoutPatienceSaysThatTheSchedulerIsBusy() async throws {
        let settings = ClientSettings(patience: .milliseconds(150))
        let client = try await Client(scheduler.endpoint, settings: settings)
        scheduler.change { $0.busyAnswers = 1_000 }
        await #expect(throws: ClientError.busy("busy")) {
            try await client.submit(Request(kind: "text", payload: .text("never")))
        }
        await client.close()
        scheduler.close()
    }

    @Test func aResultIsStillAwaitedAfterTheSchedulerRestarted() async throws {
        let client = try await Client(scheduler.endpoint)
        scheduler.change { $0.holdsResults = true }
        let handle = try await client.submit(Request(kind: "text", payload: .text("patience")))
        async let result = handle.result()
        await scheduler.reaches { $0.awaits == 1 }
        scheduler.change { $0.restarts += 1 }
        await scheduler.reaches { $0.awaits == 2 }
        #expect(try await handle.status().state == .open)
        scheduler.change { $0.holdsResults = false }
        #expect(try await result.jobs.map(\.text) == ["patience"])
        await client.close()
        scheduler.close()
    }

    @Test func aSilentSchedulerIsGivenUpAndFoundAgain() async throws {
        let client = try await Client(scheduler.endpoint)
        scheduler.change { $0.isSilent = true }
        async let handle = client.submit(Request(kind: "text", payload: .text("anybody?")))
        await scheduler.reaches { $0.hellos == 2 }
        scheduler.change { $0.isSilent = false }
        #expect(try await handle.jobCount == 1)
        await client.close()
        scheduler.close()
    }

    @Test func anotherProcessReadsAwaitsAndCancelsById() async throws {
        let first = try await Client(scheduler.endpoint)
        let id = try await first.submit(
            Request([JobSpec(kind: "text", payload: .text("a")), JobSpec(kind: "text", payload: .text("b"))])
        ).id
        await first.close()
        let second = try await Client(scheduler.endpoint)
        #expect(try await second.status(ofRequest: id).state == .succeeded)
        #expect(try await second.result(ofJob: JobID(rawValue: id.rawValue + 1)).text == "b")
        #expect(try await second.cancel(request: id) == 2)
        await #expect(throws: ClientError.unknown(JobID(rawValue: 5))) {
            try await second.result(ofJob: JobID(rawValue: 5))
        }
        #expect(try await second.schedulerStatus() == "{}")
        await second.close()
        scheduler.close()
    }

    @Test func aCancelledTaskStopsWaiting() async throws {
        let client = try await Client(scheduler.endpoint)
        scheduler.change { $0.holdsResults = true }
        let handle = try await client.submit(Request(kind: "text", payload: .text("x")))
        let waiting = Task { () throws(ClientError) in try await handle.result() }
        await scheduler.reaches { $0.awaits == 1 }
        waiting.cancel()
        await #expect(throws: ClientError.cancelled) { try await waiting.value }
        let cancelledBefore = Task { () throws(ClientError) in
            withUnsafeCurrentTask { $0?.cancel() }
            return try await handle.result()
        }
        await #expect(throws: ClientError.cancelled) { try await cancelledBefore.value }
        await client.close()
        scheduler.close()
    }

    @Test func closingEndsWhatWaitsAndWhatComesLater() async throws {
        let client = try await Client(scheduler.endpoint)
        scheduler.change { $0.holdsResults = true }
        let handle = try await client.submit(Request(kind: "text", payload: .text("x")))
        let waiting = Task { () throws(ClientError) in try await handle.result() }
        await scheduler.reaches { $0.awaits == 1 }
        await client.close()
        await #expect(throws: ClientError.closed) { try await waiting.value }
        await #expect(throws: ClientError.closed) { try await handle.result() }
        await client.close()
        scheduler.close()
    }

    @Test func whereNobodyListensTheConnectionFailsInTime() async throws {
        scheduler.close()
        var settings = ClientSettings()
        settings.connectTimeout = .milliseconds(200)
        await #expect(throws: ClientError.self) {
            try await Client("ipc:///tmp/statex-nobody-\(UInt64.random(in: 0 ... .max))", settings: settings)
        }
    }

    @Test func oneRefusedRequestDoesNotHideTheOthers() async throws {
        let client = try await Client(scheduler.endpoint)
        scheduler.change { $0.conflictingKey = Array("taken".utf8) }
        let answers = await client.submitEach([
            Request(kind: "text", payload: .text("a")),
            Request(kind: "text", payload: .text("b"), key: "taken"),
            Request(kind: "", payload: .text("c")),
            Request(kind: "text", payload: .text("d"), key: "free"),
        ])
        #expect(try answers[0].get().jobCount == 1)
        #expect(throws: ClientError.keyConflict("other content")) { try answers[1].get() }
        #expect(throws: ClientError.invalid("kind is \"\", it takes \(KindName.rule)")) {
            try answers[2].get()
        }
        #expect(try answers[3].get().id.rawValue == answers[0].get().id.rawValue + 1)
        await client.close()
        scheduler.close()
    }

    @Test func aLargePayloadGoesThroughTheObjectFolder() async throws {
        let settings = ClientSettings(objects: [scheduler.objectFolder])
        let client = try await Client(scheduler.endpoint, settings: settings)
        let large = [UInt8](repeating: 7, count: Limits.inlineBytes + 1)
        let handle = try await client.submit(Request(kind: "file", payload: .bytes(large)))
        let result = try #require(try await handle.result().jobs[0].result)
        #expect(scheduler.script.withLock { $0.encodings } == [Encoding.object.rawValue])
        #expect(try await client.bytes(of: result) == large)
        await client.close()
        scheduler.close()
    }

    @Test func aLargePayloadWithoutAFolderIsRefusedBeforeItIsSent() async throws {
        let client = try await Client(scheduler.endpoint)
        let large = [UInt8](repeating: 7, count: Limits.inlineBytes + 1)
        await #expect(throws: ClientError.self) {
            try await client.submit(Request(kind: "file", payload: .bytes(large)))
        }
        #expect(scheduler.script.withLock { $0.submits } == 0)
        await client.close()
        scheduler.close()
    }

    @Test func aBulkSubmitGivesRunsOfIdsAndCountsFinals() async throws {
        let client = try await Client(scheduler.endpoint)
        var jobs = BulkJobs(count: 10_000, kind: "noop") { job, payload in payload.append("job \(job)") }
        jobs.countsFinals = true
        scheduler.change { $0.busyAnswers = 2 }
        let receipt = try await client.submit(bulk: jobs)
        #expect(receipt.accepted.reduce(0) { $0 + Int($1.requests) } == 10_000)
        let counts = try await receipt.finals()
        #expect(counts.succeeded == 10_000)
        #expect(Set(scheduler.script.withLock { $0.jobs }).count == 10_000)
        await client.close()
        scheduler.close()
    }

    @Test func manyTasksShareOneClient() async throws {
        let client = try await Client(scheduler.endpoint)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<500 {
                group.addTask {
                    let handle = try await client.submit(Request(kind: "text", payload: .text("\(number)")))
                    return try await handle.result().jobs[0].text == "\(number)"
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
        await client.close()
        scheduler.close()
    }
}
