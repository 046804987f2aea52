import Glibc
import StatexHandlerAPI
import StatexWorkerRuntime

/// A worker of a benchmark, in a process of its own: `statex bench worker` (hidden). It is a worker like any
/// other, with handlers that a benchmark can make fail.
package enum BenchWorker {
    /// Works until it is killed.
    /// - Parameters:
    ///   - kinds: what it serves.
    ///   - switchPath: each attempt at a job of the kind `faulty` fails while this file is there.
    package static func main(
        endpoint: String, slots: Int, name: String, kinds: [String], switchPath: String
    ) async throws {
        var options = WorkerOptions()
        options.name = name
        let handlers = kinds.map { BenchHandler(kind: $0, failsWhile: $0 == faultyKind ? switchPath : nil) }
        try await Worker(endpoint: endpoint, slots: slots, handlers: handlers, options: options).run()
    }

    static let faultyKind = "faulty"
}

/// Blocks its slot for as many milliseconds as its payload says, in digits; with another payload not at all.
struct BenchHandler: Handler {
    let kind: String
    /// Each attempt fails while this file is there.
    var failsWhile: String?

    func run(_ job: Job) async throws -> Payload {
        if case .bytes(let bytes) = job.payload, let milliseconds = UInt32(String(decoding: bytes, as: UTF8.self)) {
            usleep(milliseconds.multipliedReportingOverflow(by: 1_000).partialValue)
        }
        if let failsWhile, access(failsWhile, F_OK) == 0 { throw HandlerError("fault", "the benchmark's fault") }
        return .bytes([])
    }
}
