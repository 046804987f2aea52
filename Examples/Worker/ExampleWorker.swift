// A worker program of one's own: everything there is to it.

import StatexHandlerAPI
import StatexWorkerRuntime

/// Reverses its payload.
struct Reverse: Handler {
    let kind = "reverse"

    func run(_ job: Job) async throws -> Payload {
        guard case .bytes(let bytes) = job.payload else {
            throw HandlerError("bad_payload", "reverse takes an inline payload", retryable: false)
        }
        return .bytes(bytes.reversed())
    }
}

@main
struct ExampleWorker {
    static func main() async throws {
        let endpoint = CommandLine.arguments.dropFirst().first ?? "ipc:///var/lib/statex/run/worker.sock"
        try await Worker(endpoint: endpoint, slots: 2, handlers: [Reverse()]).run()
    }
}
