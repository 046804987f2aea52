import Dispatch
import Synchronization

/// A thread of its own for one slot: what a handler does there, also blocking, holds up nobody else.
final class SlotExecutor: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
        work.signal()
    }

    /// The thread ends when what was enqueued has run.
    func close() {
        state.withLock { $0.isClosed = true }
        work.signal()
    }

    /// The thread's life.
    func run() {
        while true {
            work.wait()
            let (job, isClosed) = state.withLock { state in
                (state.jobs.isEmpty ? nil : state.jobs.removeFirst(), state.isClosed)
            }
            if let job {
                job.runSynchronously(on: asUnownedTaskExecutor())
            } else if isClosed {
                return
            }
        }
    }
}
