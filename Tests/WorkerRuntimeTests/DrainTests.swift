import Dispatch
import StatexHandlerAPI
import StatexHandlers
import StatexProtocol
import StatexZeroMQ
import Testing

@testable import StatexWorkerRuntime

@Suite("A worker that drains", .timeLimit(.minutes(2)))
struct WorkerDrainTests {
    @Test("What has not started is handed back, what runs is finished, every outcome is delivered")
    func drains() async throws {
        let release = DispatchSemaphore(value: 0)
        let handler = ClosureHandler("block") { _ in
            release.wait(forever: ())
            return .bytes([1])
        }
        let late = try await withWorker([handler]) { stage, scheduler in
            _ = try scheduler.greet(heartbeatMilliseconds: 20)
            try scheduler.lease(1...5)
            while scheduler.heartbeats.last != Heartbeat(held: 5, running: 1) { try scheduler.awaitHeartbeats(1) }
            stage.worker.drain()
            let returned = try scheduler.outcomes(4)
            #expect(Set(returned.map(\.token)) == [2, 3, 4, 5])
            #expect(returned.allSatisfy { $0.ending == .returned })
            #expect(scheduler.credit == 0)
            try scheduler.tell(.durable, returned.map(\.token))
            release.signal()
            #expect(try scheduler.outcomes(1).map(\.ending) == [.succeeded])
            try scheduler.tell(.durable, [1])
        }
        #expect(late.isEmpty)
    }

    @Test("Past the limit a running job is stopped and handed back")
    func limit() async throws {
        let late = try await withWorker([HangHandler()], options: .with { $0.drainSeconds = 0 }) { _, scheduler in
            _ = try scheduler.greet(heartbeatMilliseconds: 20)
            try scheduler.lease(1...1)
            while scheduler.heartbeats.last?.running != 1 { try scheduler.awaitHeartbeats(1) }
        }
        #expect(late.map(\.ending) == [.returned])
    }

    @Test("A handler that ignores the order to stop does not keep the worker")
    func ignoresStop() async throws {
        let late = try await withWorker([HangHandler()], options: .with { $0.drainSeconds = 0 }) { _, scheduler in
            _ = try scheduler.greet(heartbeatMilliseconds: 20)
            try scheduler.lease(1...1, payload: #"{"ignore_cancel":true}"#)
            while scheduler.heartbeats.last?.running != 1 { try scheduler.awaitHeartbeats(1) }
        }
        #expect(late.map(\.ending) == [.returned])
    }

    @Test("Without a scheduler, draining ends with an error that counts what was not delivered")
    func undelivered() async throws {
        try await withEndpoint { endpoint in
            let context = try ZeroMQContext()
            var options = WorkerOptions()
            options.drainSeconds = 0
            let worker = try Worker(endpoint: endpoint, handlers: [EchoHandler()], options: options)
            let ended = Task { try await worker.run() }
            try await onThread {
                let scheduler = try FakeScheduler(endpoint, in: context)
                _ = try scheduler.greet()
                try scheduler.lease(1...2)
                _ = try scheduler.outcomes(2)
            }
            worker.drain()
            await #expect(throws: WorkerError.undelivered(outcomes: 2)) { try await ended.value }
        }
    }

    @Test("A worker that never met its scheduler ends at once")
    func neverConnected() async throws {
        try await withEndpoint { endpoint in
            let worker = try Worker(endpoint: endpoint, handlers: [EchoHandler()])
            async let ended: Void = worker.run()
            worker.drain()
            try await ended
        }
    }
}
