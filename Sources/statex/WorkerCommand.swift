import ArgumentParser
import StatexHandlers
import StatexStack
import StatexWorkerRuntime

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "worker", abstract: "Run one worker.")
    @Option var endpoint: String
    @Option var slots = 4
    @Option var name: String?

    func run() async throws {
        var options = WorkerOptions()
        options.name = name
        options.onReady = { announceReady() }
        let worker = try Worker(endpoint: endpoint, slots: slots, handlers: NativeHandlers.all, options: options)
        Signals.onStop { worker.drain() }
        try await worker.run()
    }
}
