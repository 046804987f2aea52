import CLinux
import Dispatch
import Glibc
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

/// Starts a detached thread that `top -H` and `perf` show under `name`.
func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(WorkerError) {
    final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let code = pthread_create(&thread, nil, { argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        clinux_name_thread(start.name)
        start.body()
        return nil
    }, start.toOpaque())
    guard code == 0 else {
        start.release()
        throw .system("the thread \(name) could not be started: \(String(cString: strerror(code)))")
    }
    pthread_detach(thread)
}
