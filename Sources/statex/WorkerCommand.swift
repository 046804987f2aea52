import ArgumentParser
import StatexHandlerAPI
import StatexHandlers
import StatexObjects
import StatexStack
import StatexWorkerRuntime

/// `statex worker`: one worker process, until SIGTERM or SIGINT drains it.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Run one worker: slots that run jobs, until SIGTERM drains it.")

    @Option(help: "The scheduler's worker endpoint, such as ipc:///run/statex/worker.sock.") var endpoint: String
    @Option(help: "How many jobs run at the same time.") var slots = 4
    @Option(help: "The worker's name in status (default: host and process id).") var name: String?
    @Option(help: "The folder for results above 64 KiB (default: they are failures).") var objects: String?
    @Option(help: "How long running jobs may go on after SIGTERM, in seconds.") var drainSeconds = 20.0
    @Option(help: "Native handlers to serve, separated by commas (default: all).") var handlers: String?
    @Flag(help: "Log lines as JSON objects.") var logJson = false

    func run() async throws {
        var options = WorkerOptions()
        options.name = name
        options.drainSeconds = drainSeconds
        options.logsJSON = logJson
        options.objectSink = try objects.map(objectSink)
        options.onReady = { announceReady() }
        let worker = try Worker(endpoint: endpoint, slots: slots, handlers: try nativeHandlers(), options: options)
        Signals.onStop { worker.drain() }
        try await worker.run()
    }

    private func nativeHandlers() throws -> [any Handler] {
        guard let handlers else { return NativeHandlers.all }
        return try handlers.split(separator: ",").map { kind in
            guard let handler = NativeHandlers.named(String(kind)) else {
                let known = NativeHandlers.all.map(\.kind).joined(separator: ", ")
                throw ValidationError("handlers: there is no native handler \"\(kind)\"; there are \(known)")
            }
            return handler
        }
    }

    private func objectSink(_ path: String) throws -> ObjectSink {
        let folder = try ObjectFolder(root: path)
        return { bytes throws(HandlerError) in
            do throws(ObjectError) {
                return try folder.put(bytes).text
            } catch {
                throw HandlerError("objects", "the result could not be stored: \(error)")
            }
        }
    }
}
