import Foundation
import StatexHandlerAPI
import StatexThreads
import StatexZeroMQ

@testable import StatexWorkerRuntime

/// Where a test plays the scheduler of a real worker.
struct Stage: Sendable {
    let endpoint: String
    let context: ZeroMQContext
    let worker: Worker

    func scheduler() throws -> FakeScheduler { try FakeScheduler(endpoint, in: context) }
}

/// Runs a worker, and `script` on a thread of its own, because it blocks. At the end the worker is drained.
/// - Returns: the outcomes that came only then.
@discardableResult
func withWorker(
    slots: Int = 1, _ handlers: [any Handler], options: WorkerOptions = WorkerOptions(),
    _ script: @escaping @Sendable (Stage, FakeScheduler) throws -> Void
) async throws -> [FakeScheduler.Outcome] {
    try await withEndpoint { endpoint in
        let worker = try Worker(endpoint: endpoint, slots: slots, handlers: handlers, options: options)
        let stage = Stage(endpoint: endpoint, context: try ZeroMQContext(), worker: worker)
        async let ended: Void = worker.run()
        let late = try await onThread {
            let scheduler = try stage.scheduler()
            do {
                try script(stage, scheduler)
            } catch {
                stage.worker.drain()
                stage.worker.drain()
                throw error
            }
            stage.worker.drain()
            return try scheduler.serveUntilGoodbye()
        }
        try await ended
        return late
    }
}

extension WorkerOptions {
    static func with(_ change: (inout WorkerOptions) -> Void) -> WorkerOptions {
        var options = WorkerOptions()
        change(&options)
        return options
    }
}

/// An endpoint in a directory of its own.
func withEndpoint<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("statex-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body("ipc://\(folder.path)/w")
}

/// Runs what blocks on a thread of its own, so that it never holds one of the pool.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        NamedThread("script", stackBytes: 8 << 20) { continuation.resume(with: Result(catching: body)) }.detach()
    }
}

/// A handler made of a closure.
struct ClosureHandler: Handler {
    let kind: String
    var reason: String?
    let body: @Sendable (Job) async throws -> Payload

    init(_ kind: String, unavailable reason: String? = nil, _ body: @escaping @Sendable (Job) async throws -> Payload) {
        self.kind = kind
        self.reason = reason
        self.body = body
    }

    func run(_ job: Job) async throws -> Payload { try await body(job) }
    func unavailable() async -> String? { reason }
}
