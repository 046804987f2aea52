import Dispatch
import StatexConfiguration
import StatexHandlerAPI
import StatexMetrics
import StatexProbes
import StatexProcesses
import StatexThreads
import StatexTracing
import StatexWorkerRuntime

/// What a scheduler answers on its probes: also while it waits for the journal, that it is not ready.
struct SchedulerProbes {
    let figures = Published<SchedulerSnapshot>()
    private let listener: ProbeListener?

    /// Blocks the calling thread, which must be none of a task, until it listens or the first try has failed.
    init(at place: ListenAddress) {
        let figures = figures
        let started = Published<ProbeListener>()
        let tried = DispatchSemaphore(value: 0)
        Task.detached {
            started.publish(await ProbeListener(.scheduler(figures), at: place))
            tried.signal()
        }
        tried.wait()
        listener = started.latest
    }

    var address: String? { listener?.address }
}

/// The same of a worker.
struct WorkerProbes {
    let figures = Published<WorkerSnapshot>()
    private let listener: ProbeListener

    init(at place: ListenAddress, handlers: [any Handler], spans: SpanQueue?) async {
        let processes = handlers.compactMap { $0 as? ProcessHandler }
        listener = await ProbeListener(
            .worker(
                figures, handlerStarts: { processes.map { ($0.kind, $0.starts) } },
                more: { spans?.write(to: &$0) }), at: place)
    }

    var address: String? { listener.address }
}

extension ProbeListener {
    fileprivate convenience init(_ probes: Probes, at place: ListenAddress) async {
        await self.init(probes, host: place.host, port: place.port, complain: { complain($0) })
    }
}
