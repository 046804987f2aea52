import Dispatch
import StatexHandlerAPI
import StatexHandlers
import StatexProtocol
import Synchronization
import Testing

@testable import StatexWorkerRuntime

@Suite("A worker and its scheduler", .timeLimit(.minutes(2)))
struct WorkerTests {
    @Test("HELLO names the slots, the kinds, and why a kind is not available")
    func hello() async throws {
        let handlers: [any Handler] = [
            EchoHandler(), ClosureHandler("audio", unavailable: "the model is missing") { $0.payload },
        ]
        try await withWorker(slots: 3, handlers, options: .with { $0.name = "w1" }) { _, scheduler in
            _ = try scheduler.greet()
            let hello = try #require(scheduler.hello)
            #expect(hello.role == .worker)
            #expect(hello.slots == 3)
            #expect(hello.name == "w1")
            #expect(hello.kinds == [Hello.Kind("echo"), Hello.Kind("audio", unavailable: "the model is missing")])
            #expect(hello.details.contains("\"isolation\":\"none\""))
            #expect(scheduler.credit == 3)
        }
    }

    @Test("Jobs are run, and each one has its own payload and outcome")
    func runs() async throws {
        try await withWorker(slots: 2, [EchoHandler()]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...1, payload: "first")
            try scheduler.lease(2...2, payload: "second")
            try scheduler.lease(3...3, payload: #"{"sum":"…"}"#, encoding: .object)
            let outcomes = try scheduler.outcomes(3).sorted { $0.token < $1.token }
            #expect(outcomes.map(\.id) == [1, 2, 3].map(FakeScheduler.id))
            #expect(outcomes.map(\.ending) == [.succeeded, .succeeded, .succeeded])
            #expect(outcomes.map { String(decoding: $0.body, as: UTF8.self) } == ["first", "second", #"{"sum":"…"}"#])
            #expect(outcomes.map(\.encoding) == [0, 0, 1])
        }
    }

    @Test("Many jobs in large messages all end, once")
    func many() async throws {
        try await withWorker(slots: 4, [NoopHandler()]) { _, scheduler in
            _ = try scheduler.greet()
            var seen = Set<UInt64>()
            for round in 0..<20 as Range<UInt64> {
                try scheduler.lease(
                    round * 1_000 + 1...round * 1_000 + 1_000, payload: String(repeating: "x", count: 256))
                let outcomes = try scheduler.outcomes(1_000)
                try scheduler.tell(.durable, outcomes.map(\.token))
                for outcome in outcomes { #expect(seen.insert(outcome.token).inserted) }
            }
            #expect(seen.count == 20_000)
        }
    }

    @Test("A handler that blocks every slot's thread stops no heartbeat")
    func blockingHandler() async throws {
        let release = DispatchSemaphore(value: 0)
        let handler = ClosureHandler("block") { _ in
            release.wait(forever: ())
            return .bytes([])
        }
        try await withWorker(slots: 2, [handler]) { _, scheduler in
            _ = try scheduler.greet(heartbeatMilliseconds: 20)
            try scheduler.lease(1...3)
            try scheduler.awaitHeartbeats(20)
            #expect(scheduler.heartbeats.last == Heartbeat(held: 3, running: 2))
            for _ in 0..<3 { release.signal() }
            #expect(try scheduler.outcomes(3).count == 3)
        }
    }

    @Test("What a handler does when it is told to stop cannot stop heartbeats either")
    func blockingCancellation() async throws {
        let release = DispatchSemaphore(value: 0)
        let stopped = DispatchSemaphore(value: 0)
        let handler = ClosureHandler("block") { job in
            job.cancellation.onCancel { _ in
                stopped.signal()
                release.wait(forever: ())
            }
            stopped.wait(forever: ())
            return .bytes([])
        }
        try await withWorker([handler]) { _, scheduler in
            _ = try scheduler.greet(heartbeatMilliseconds: 20)
            try scheduler.lease(1...1)
            try scheduler.awaitHeartbeats(2)
            try scheduler.tell(.revoke, [1], reason: .cancelled)
            #expect(try scheduler.outcomes(1).map(\.ending) == [.cancelled])
            try scheduler.awaitHeartbeats(10)
            release.signal()
        }
    }

    @Test("Failures carry their class, their words, and when to try again")
    func failures() async throws {
        try await withWorker([FailHandler(), ClosureHandler("odd") { _ in throw Odd() }]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...1, payload: #"{"message":"no\u0000t now","retry_after_ms":1500}"#)
            try scheduler.lease(2...2, payload: #"{"retryable":false}"#)
            try scheduler.lease(3...3, kind: 1)
            let outcomes = try scheduler.outcomes(3).sorted { $0.token < $1.token }
            #expect(outcomes[0].error == ErrorText("asked_to_fail", "no\u{FFFD}t now"))
            #expect(outcomes[0].retryable)
            #expect(outcomes[0].retryAfterMilliseconds == 1_500)
            #expect(!outcomes[1].retryable)
            #expect(outcomes[2].error?.errorClass == "error")
            #expect(outcomes[2].retryable)
        }
    }

    struct Odd: Error {}

    @Test("A job past its run limit is told to stop and fails as a timeout")
    func timeout() async throws {
        try await withWorker([SleepHandler()]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...1, payload: #"{"ms":60000}"#, limit: 50)
            let outcome = try scheduler.outcomes(1)[0]
            #expect(outcome.error?.errorClass == "timeout")
            #expect(outcome.retryable)
        }
    }

    @Test("A revoked job that waits never starts, and a running one ends without an outcome")
    func revoked() async throws {
        let started = Mutex<[JobID]>([])
        let handler = ClosureHandler("hang") { job in
            started.withLock { $0.append(job.id) }
            try await job.cancellation.cancelling { try await Task.sleep(for: .seconds(600)) }
            return .bytes([])
        }
        let late = try await withWorker([handler, EchoHandler()]) { _, scheduler in
            _ = try scheduler.greet(heartbeatMilliseconds: 20)
            try scheduler.lease(1...3)
            try scheduler.awaitHeartbeats(2)
            try scheduler.tell(.revoke, [2], reason: .notHeld)
            try scheduler.tell(.revoke, [3], reason: .cancelled)
            #expect(try scheduler.outcomes(1).map(\.token) == [3])
            try scheduler.tell(.revoke, [1], reason: .final)
            try scheduler.lease(4...4, kind: 1)
            #expect(try scheduler.outcomes(1).map(\.token) == [4])
            try scheduler.tell(.durable, [3, 4])
        }
        #expect(late.isEmpty)
        #expect(started.withLock { $0 } == [FakeScheduler.id(1)])
    }

    @Test("A large result goes to the object sink, and one past the maximum is a failure")
    func largeResults() async throws {
        let stored = Mutex<Int>(0)
        let handler = ClosureHandler("grow") { job in
            guard case .bytes(let bytes) = job.payload, let count = Int(String(decoding: bytes, as: UTF8.self)) else {
                return .bytes([])
            }
            return .bytes([UInt8](repeating: 7, count: count))
        }
        try await withWorker(
            [handler],
            options: .with {
                $0.largestResultBytes = 100_000
                $0.objectSink = { bytes in
                    stored.withLock { $0 = bytes.count }
                    return Array(#"{"object":1}"#.utf8)
                }
            }
        ) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...1, payload: "65536")
            try scheduler.lease(2...2, payload: "65537")
            try scheduler.lease(3...3, payload: "100001")
            let outcomes = try scheduler.outcomes(3).sorted { $0.token < $1.token }
            #expect(outcomes[0].body.count == 65_536 && outcomes[0].encoding == 0)
            #expect(outcomes[1].body == Array(#"{"object":1}"#.utf8) && outcomes[1].encoding == 1)
            #expect(outcomes[2].error?.errorClass == "result_too_large" && !outcomes[2].retryable)
            #expect(stored.withLock { $0 } == 65_537)
        }
    }

    @Test("A cancellation that a handler kept does not touch the next job")
    func keptCancellation() async throws {
        let kept = Mutex<Cancellation?>(nil)
        let handler = ClosureHandler("keep") { job in
            let former = kept.withLock { kept in
                defer { kept = job.cancellation }
                return kept
            }
            former?.cancel(.cancelled)
            if job.cancellation.isCancelled { throw HandlerError("wrong", "the former job's cancellation came here") }
            return .bytes([])
        }
        try await withWorker([handler]) { _, scheduler in
            _ = try scheduler.greet()
            try scheduler.lease(1...50)
            #expect(try scheduler.outcomes(50).allSatisfy { $0.ending == .succeeded })
        }
    }
}

extension DispatchSemaphore {
    /// For handlers that block their thread on purpose; `wait()` itself is not for async code.
    func wait(forever: Void) { wait() }
}
