import StatexHandlerAPI
import StatexProtocol
import Synchronization
import Testing

@testable import StatexWorkerRuntime

/// Notes which jobs come together, and fails those whose payload says so.
private final class Together: BatchHandler {
    let kind = "model"
    let batchSize: Int
    let batchWaitMilliseconds: Int
    private let seen = Mutex<[[UInt64]]>([])

    init(size: Int, wait: Int) {
        batchSize = size
        batchWaitMilliseconds = wait
    }

    /// The tokens of each call, in the order of calls.
    var calls: [[UInt64]] { seen.withLock { $0 } }

    func run(_ jobs: [Job]) async throws -> [Result<Payload, HandlerError>] {
        seen.withLock { $0.append(jobs.map { $0.id.rawValue - FakeScheduler.id(0).rawValue }) }
        if jobs.contains(where: { $0.payload == .bytes(Array("all".utf8)) }) { return [] }
        return jobs.map { job in
            job.payload == .bytes(Array("fail".utf8)) ? .failure(HandlerError("asked", "")) : .success(job.payload)
        }
    }
}

@Suite("Batches", .timeLimit(.minutes(1)))
struct BatchTests {
    @Test("Jobs of one key run together as soon as they are enough, each with its own payload and outcome")
    func together() async throws {
        let handler = Together(size: 3, wait: 10_000)
        try await withWorker(slots: 1, [handler]) { _, scheduler in
            _ = try scheduler.greet()
            #expect(scheduler.hello?.kinds == [Hello.Kind("model", batchSize: 3, batchWaitMilliseconds: 10_000)])
            #expect(scheduler.credit == 1, "a batch is one job to credit; the scheduler fills it")
            try scheduler.lease(1...2, payload: "one", affinity: "tiny")
            try scheduler.lease(3...4, payload: "fail", affinity: "large")
            try scheduler.lease(5...5, payload: "two", affinity: "tiny")
            try scheduler.lease(6...6, payload: "three", affinity: "large")
            let outcomes = try scheduler.outcomes(6).sorted { $0.token < $1.token }
            #expect(handler.calls == [[1, 2, 5], [3, 4, 6]])
            #expect(outcomes.map(\.ending) == [.succeeded, .succeeded, .failed, .failed, .succeeded, .succeeded])
            #expect(
                outcomes.filter { $0.ending == .succeeded }.map { String(decoding: $0.body, as: UTF8.self) }
                    == ["one", "one", "two", "three"])
        }
    }

    @Test("A batch that stays small is run after its waiting time")
    func small() async throws {
        let handler = Together(size: 100, wait: 1)
        try await withWorker(slots: 1, [handler]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...2, payload: "x")
            #expect(try scheduler.outcomes(2).allSatisfy { $0.ending == .succeeded })
            #expect(handler.calls == [[1, 2]])
        }
    }

    @Test("A job of a second attempt is run alone, at once, and the batch that forms goes on forming")
    func retriedAlone() async throws {
        let handler = Together(size: 3, wait: 10_000)
        try await withWorker(slots: 1, [handler]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...2, payload: "x")
            try scheduler.lease(3...3, payload: "again", attempt: 2)
            #expect(try scheduler.outcomes(1).map { String(decoding: $0.body, as: UTF8.self) } == ["again"])
            try scheduler.lease(4...4, payload: "x")
            _ = try scheduler.outcomes(3)
            #expect(handler.calls == [[3], [1, 2, 4]])
        }
    }

    @Test("While a batch forms its jobs have not begun: they are given back")
    func givenBack() async throws {
        let handler = Together(size: 100, wait: 10_000)
        let late = try await withWorker(slots: 1, [handler]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...3, payload: "x")
            try scheduler.tell(.revoke, [2], reason: .stealing)
            #expect(try scheduler.outcomes(1).map(\.ending) == [.returned])
        }
        #expect(late.map(\.ending) == [.returned, .returned])
        #expect(handler.calls.isEmpty)
    }

    @Test("A handler that forgets an outcome fails all jobs of its call")
    func forgets() async throws {
        let handler = Together(size: 2, wait: 10_000)
        try await withWorker(slots: 1, [handler]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...2, payload: "all")
            let outcomes = try scheduler.outcomes(2)
            #expect(outcomes.allSatisfy { $0.ending == .failed && !$0.retryable })
        }
    }

    @Test("A worker refuses a batch of no size, or one that waits too long")
    func bounds() {
        for (size, wait) in [(0, 0), (1_025, 0), (2, -1), (2, 10_001)] {
            #expect(throws: WorkerError.self) {
                try Worker(endpoint: "ipc:///tmp/none", handlers: [Together(size: size, wait: wait)])
            }
        }
    }
}
