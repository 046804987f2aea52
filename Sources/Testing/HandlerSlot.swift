import Dispatch
import StatexHandlerAPI
import StatexThreads
import StatexWorkerCore
import StatexWorkerRuntime

/// One concurrent execution: lets a handler run, on a thread that it may block, and says how it ended.
final class HandlerSlot: Sendable {
    private let index: Int
    private let handlers: [any Handler]
    private let results: ResultRules
    private let letters: Mailbox<Letter>
    private let executor = QueueExecutor()

    init(_ index: Int, _ handlers: [any Handler], results: ResultRules, letters: Mailbox<Letter>) {
        self.index = index
        self.handlers = handlers
        self.results = results
        self.letters = letters
    }

    /// - Parameters:
    ///   - kind: the handler's place.
    ///   - attempt: as it begins; it comes back as it ended.
    func run(_ job: Job, kind: Int, _ attempt: EndedAttempt) {
        Task(executorPreference: executor) { [index, handlers, results, letters] in
            var attempt = attempt
            do {
                try results.report(try await handlers[kind].run(job), in: &attempt)
            } catch {
                results.report(error, in: &attempt)
            }
            letters.put(.ended(slot: index, attempt))
        }
    }
}

/// A thread for one slot, while it has something to run.
private final class QueueExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "statex-twin-slot")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
