import ArgumentParser
import Dispatch
import Glibc
import StatexHandlerAPI
import StatexHandlers
import StatexWorkerRuntime

/// `statex worker`: one worker process, until it is told to drain.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Run one worker: slots that run jobs, until SIGTERM drains it.")

    @Option(help: "The scheduler's worker endpoint, such as ipc:///run/statex/worker.")
    var endpoint: String

    @Option(help: "How many jobs run at the same time.")
    var slots = 1

    @Option(help: "The worker's name in status (default: host and process id).")
    var name: String?

    @Option(help: "How long running jobs may go on after SIGTERM, in seconds.")
    var drainSeconds = 20.0

    @Option(help: "Native handlers to serve, separated by commas.")
    var handlers = "noop,echo,sleep"

    @Flag(help: "Log lines as JSON objects.")
    var logJson = false

    func run() async throws {
        var options = WorkerOptions()
        options.name = name
        options.drainSeconds = drainSeconds
        options.logsJSON = logJson
        options.onReady = announceReady
        let worker: Worker
        do {
            worker = try Worker(endpoint: endpoint, slots: slots, handlers: try nativeHandlers(), options: options)
        } catch let error as WorkerError {
            throw ValidationError(error.description)
        }
        let signals = [SIGTERM, SIGINT].map { drain(worker, on: $0) }
        defer { for signal in signals { signal.cancel() } }
        try await worker.run()
    }

    private func nativeHandlers() throws -> [any Handler] {
        try handlers.split(separator: ",").map { kind in
            guard let handler = NativeHandlers.named(String(kind)) else {
                let known = NativeHandlers.all.map(\.kind).joined(separator: ", ")
                throw ValidationError("handlers: there is no native handler \"\(kind)\"; there are \(known)")
            }
            return handler
        }
    }

    private func drain(_ worker: Worker, on number: Int32) -> any DispatchSourceSignal {
        // The source sees the signal; its default action must not come first.
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler { worker.drain() }
        source.resume()
        return source
    }
}

/// Tells whoever started this process that the scheduler has answered.
@Sendable private func announceReady() {
    guard let text = getenv("STATEX_READY_FD"), let descriptor = Int32(String(cString: text)), descriptor > 2 else {
        return
    }
    let line = Array("ready\n".utf8)
    _ = write(descriptor, line, line.count)
    close(descriptor)
}
