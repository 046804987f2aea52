import Foundation
import StatexProtocol
import StatexZeroMQ
import Testing

@testable import StatexWorkerRuntime

@Suite("A worker process", .timeLimit(.minutes(2)))
struct WorkerProcessTests {
    /// The executable that was built beside the tests.
    var program: URL { Bundle.main.bundleURL.appendingPathComponent("statex") }

    /// The data directory is the one that the endpoint is in, so that nothing stays behind.
    static func arguments(_ endpoint: String, handlers: String) -> [String] {
        let folder = URL(fileURLWithPath: String(endpoint.dropFirst("ipc://".count))).deletingLastPathComponent().path
        return [
            "worker", "--endpoint", endpoint, "--slots", "1", "--handlers", handlers, "--set", "data_dir=\(folder)",
        ]
    }

    @Test(
        "SIGTERM drains: what runs is finished, what waits is handed back, the exit code is 0",
        arguments: [SIGTERM, SIGINT])
    func drains(_ signal: Int32) async throws {
        let program = program
        try await withEndpoint { endpoint in
            let context = try ZeroMQContext()
            let status = try await onThread {
                let process = Process()
                process.executableURL = program
                process.arguments = Self.arguments(endpoint, handlers: "sleep")
                process.standardError = FileHandle.nullDevice
                try process.run()
                defer { process.terminate() }
                let scheduler = try FakeScheduler(endpoint, in: context)
                _ = try scheduler.greet(heartbeatMilliseconds: 20)
                try scheduler.lease(1...2, payload: #"{"ms":300}"#)
                while scheduler.heartbeats.last != Heartbeat(held: 2, running: 1) { try scheduler.awaitHeartbeats(1) }
                kill(process.processIdentifier, signal)
                let outcomes = try scheduler.serveUntilGoodbye()
                #expect(outcomes.map(\.token) == [2, 1])
                #expect(outcomes.map(\.ending) == [.returned, .succeeded])
                process.waitUntilExit()
                return process.terminationStatus
            }
            #expect(status == 0)
        }
    }

    @Test("A worker that is killed is back as another incarnation, without the leases of the first")
    func killed() async throws {
        let program = program
        try await withEndpoint { endpoint in
            let context = try ZeroMQContext()
            try await onThread {
                let scheduler = try FakeScheduler(endpoint, in: context)
                var incarnations = Set<UInt64>()
                for session in 1...2 as ClosedRange<UInt64> {
                    let process = Process()
                    process.executableURL = program
                    process.arguments = Self.arguments(endpoint, handlers: "crash")
                    process.standardError = FileHandle.nullDevice
                    try process.run()
                    scheduler.stamp.session = session
                    #expect(try scheduler.greet().claims.isEmpty)
                    incarnations.insert(try #require(scheduler.hello).incarnation)
                    try scheduler.lease([session])
                    process.waitUntilExit()
                    #expect(process.terminationReason == .uncaughtSignal)
                }
                #expect(incarnations.count == 2)
            }
        }
    }
}
