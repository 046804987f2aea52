import FoundationEssentials
import StatexHandlers
import StatexTesting
import Testing

/// Nothing here waits for time: it is moved.
@Suite(.timeLimit(.minutes(1))) struct ManualClockTests {
    private let notebook = Notebook()

    private func failing() -> TestHandler {
        TestHandler("failing") { [notebook] job in
            notebook.write("attempt \(job.attempt)")
            throw HandlerError("broken", "still broken")
        }
    }

    @Test func `a failed attempt is tried again when its backoff is over, and no sooner`() async throws {
        let statex = try InMemoryStatex(handlers: [failing()], clock: .manual)
        let handle = try await statex.submit(Request(kind: "failing", payload: .text("")))
        try await statex.advance(by: .zero)
        let delayed = try await handle.status().jobs[0]
        #expect(delayed.state == .delayed && delayed.attempts == 1)
        #expect(notebook.lines == ["attempt 1"])
        // The first backoff is up to 1 s, the second one up to 2 s.
        try await statex.advance(by: .seconds(1))
        #expect(notebook.lines.count >= 2)
        try await statex.advance(by: .seconds(2))
        let dead = try await handle.status().jobs[0]
        #expect(dead.state == .dead && dead.attempts == 3)
        #expect(notebook.lines == ["attempt 1", "attempt 2", "attempt 3"])
    }

    @Test func `one advance takes a job through all of its retries`() async throws {
        let statex = try InMemoryStatex(handlers: [failing()], clock: .manual)
        var job = JobSpec(kind: "failing", payload: .text(""))
        job.attempts = 20
        let before = statex.now
        let handle = try await statex.submit(Request([job]))
        try await statex.advance(by: .seconds(86_400))
        let dead = try await handle.status().jobs[0]
        #expect(dead.state == .dead && dead.attempts == 20)
        #expect(notebook.lines == (1...20).map { "attempt \($0)" })
        #expect(statex.now == before.addingTimeInterval(86_400))
    }

    @Test func `backoffs are the same in each run`() async throws {
        var ends: [TimeInterval] = []
        for _ in 0..<2 {
            let statex = try InMemoryStatex(handlers: [failing()], clock: .manual)
            let before = statex.now
            let handle = try await statex.submit(Request(kind: "failing", payload: .text("")))
            try await statex.advance(by: .seconds(60))
            let ended = try #require(try await handle.status().jobs[0].ended)
            ends.append(ended.timeIntervalSince(before))
        }
        #expect(abs(ends[0] - ends[1]) < 0.000_01)
    }

    @Test func `jobs start when they asked for, in the order of their times`() async throws {
        let echo = TestHandler("echo") { [notebook] job in
            notebook.write(job.payload == .text("late") ? "late" : "early")
            return job.payload
        }
        let statex = try InMemoryStatex(handlers: [echo], clock: .manual)
        var late = JobSpec(kind: "echo", payload: .text("late"))
        late.startAt = statex.now.addingTimeInterval(7_200)
        var early = JobSpec(kind: "echo", payload: .text("early"))
        early.startAt = statex.now.addingTimeInterval(3_600)
        let handle = try await statex.submit(Request([late, early]))
        try await statex.advance(by: .seconds(3_599))
        #expect(try await handle.status().jobs.map(\.state) == [.delayed, .delayed])
        try await statex.advance(by: .seconds(1))
        #expect(try await handle.status().jobs.map(\.state) == [.delayed, .succeeded])
        try await statex.advance(by: .seconds(86_400))
        #expect(try await handle.result().state == .succeeded)
        #expect(notebook.lines == ["early", "late"])
    }

    @Test func `a deadline passes for a queued job, and for one that runs`() async throws {
        let statex = try InMemoryStatex(handlers: NativeHandlers.all, clock: .manual)
        let kinds = ["nobody", "hang"]
        let handle = try await statex.submit(
            Request(
                kinds.map { kind in
                    var job = JobSpec(kind: kind, payload: .text("{}"))
                    job.deadline = statex.now.addingTimeInterval(10)
                    return job
                }))
        try await statex.advance(by: .seconds(9), waitsForHandlers: false)
        #expect(try await handle.status().jobs.map(\.state.isFinal) == [false, false])
        try await statex.advance(by: .seconds(1), waitsForHandlers: false)
        #expect(try await handle.result().jobs.map(\.state) == [.expired, .expired])
    }

    @Test func `a run-time limit ends an attempt by the manual clock`() async throws {
        let statex = try InMemoryStatex(handlers: NativeHandlers.all, clock: .manual)
        var job = JobSpec(kind: "hang", payload: .text("{}"))
        job.runLimit = .seconds(30)
        job.attempts = 1
        let handle = try await statex.submit(Request([job]))
        try await statex.advance(by: .seconds(29), waitsForHandlers: false)
        #expect(try await handle.status().jobs[0].state == .leased)
        try await statex.advance(by: .seconds(1), waitsForHandlers: false)
        let result = try await handle.result().jobs[0]
        #expect(result.state == .dead && result.error?.errorClass == "timeout")
    }

    @Test func `years pass in no time`() async throws {
        let statex = try InMemoryStatex(handlers: [failing()], clock: .manual)
        let before = statex.now
        for _ in 0..<5 { try await statex.advance(by: .seconds(3_650 * 86_400)) }
        // It stops 36 years on, where sums of nanoseconds would come near their end.
        #expect(statex.now > before.addingTimeInterval(36 * 365 * 86_400))
        let handle = try await statex.submit(Request(kind: "failing", payload: .text("")))
        try await statex.advance(by: .zero)
        #expect(try await handle.status().jobs[0].attempts == 1)
    }

    @Test func `steps out of range, and steps of a real clock, are refused`() async throws {
        let manual = try InMemoryStatex(handlers: [], clock: .manual)
        for step in [Duration.seconds(-1), .seconds(1 << 40)] {
            await #expect(throws: ClientError.self) { try await manual.advance(by: step) }
        }
        await manual.close()
        await #expect(throws: ClientError.closed) { try await manual.advance(by: .seconds(1)) }
        let real = try InMemoryStatex(handlers: [])
        await #expect(throws: ClientError.self) { try await real.advance(by: .seconds(1)) }
    }
}
