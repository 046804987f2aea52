import CLinux
import Glibc
import StatexHandlerAPI
import StatexKeys
import StatexLog
import StatexMetrics
import StatexProtocol
import StatexTracing
import StatexWorkerCore
import StatexZeroMQ
import Synchronization

/// What a worker may be told beyond its handlers.
public struct WorkerOptions: Sendable {
    /// For people, in status: at most 128 bytes; host and process id if nil.
    public var name: String?
    /// What this worker has (`gpu`, a region): jobs that require labels go only where all of them are. Up to
    /// 64 of 1 to 64 bytes.
    public var labels: [String] = []
    /// What this worker has an amount of (GPUs, GiB of memory), up to 16: of kinds that need some of it the scheduler
    /// leases no more jobs here at once than fit.
    public var resources: [ResourceAmount] = []
    /// How long running jobs may go on after the order to drain, in seconds.
    public var drainSeconds: Double = 20
    /// Results above it are failures of class `result_too_large`.
    public var largestResultBytes = 64 << 20
    /// Where results above 64 KiB go; nil: they are failures.
    public var objectSink: ObjectSink?
    /// How handlers are isolated, for status: `strict`, `partial`, `basic` or `none`.
    public var isolation = "none"
    /// This worker's key, as `statex keys new` writes it, and the scheduler's public one: for `tcp://` endpoints. Read
    /// again for each connection.
    public var keyFile: String?
    public var schedulerKeyFile: String?
    /// Log lines as JSON objects.
    public var logsJSON = false
    /// Called once, when the scheduler has first answered. It must not block.
    public var onReady: (@Sendable () -> Void)?
    /// Where figures are published each second; nil: nobody looks at any.
    package var figures: Published<WorkerSnapshot>?
    /// Where spans go of attempts at jobs that belong to a trace; nil: none are recorded.
    package var spans: SpanQueue?

    public init() {}
}

/// A worker: slots that run handlers, and one thread that talks to the scheduler.
///
///     try await Worker(endpoint: "ipc:///run/statex/worker", slots: 4, handlers: [MyHandler()]).run()
public final class Worker: Sendable {
    private let endpoint: String
    private let slots: Int
    private let handlers: [any Handler]
    private let options: WorkerOptions
    private let keys: PeerKeys?
    private let log: Log
    private let shared: WorkerShared
    /// Of this worker, for its life: leases, credit and claims belong to it.
    private let incarnation: UInt64

    public init(endpoint: String, slots: Int = 1, handlers: [any Handler], options: WorkerOptions = WorkerOptions())
        throws(WorkerError)
    {
        try Self.check(endpoint: endpoint, slots: slots, handlers: handlers, options: options)
        keys = try Self.keys(options, for: endpoint)
        self.endpoint = endpoint
        self.slots = slots
        self.handlers = handlers
        self.options = options
        log = Log("worker", json: options.logsJSON)
        // The system's generator draws from the kernel.
        incarnation = UInt64.random(in: 1...UInt64.max)
        do throws(WakeupError) {
            shared = try WorkerShared(slots: slots, figures: options.figures, spans: options.spans)
        } catch {
            throw .system("\(error)")
        }
    }

    /// Works until it is drained, which the cancellation of its task orders too.
    /// - Throws: when it could not start, when the scheduler refused it, or when outcomes could not be
    ///   delivered before the drain's limit.
    public func run() async throws(WorkerError) {
        let hello = await greeting()
        let executors = start()
        let result = await withTaskCancellationHandler {
            await runLoop(hello)
        } onCancel: {
            drain()
        }
        // Slots whose handler never came back stay behind; the process is about to end.
        shared.handOff.close()
        for executor in executors { executor.close() }
        for handler in handlers { await handler.close() }
        try result.get()
    }

    /// Takes no more jobs, finishes what runs within the limit, hands back what has not started, delivers
    /// every outcome; then `run` returns. Called again, it cuts the limit short.
    public func drain() {
        shared.drainOrders.add(1, ordering: .acquiringAndReleasing)
        shared.wakeup.signal()
    }

    private func start() -> [SlotExecutor] {
        let rules = ResultRules(objectSink: options.objectSink, largestResultBytes: options.largestResultBytes)
        let kinds = handlers.map(\.kind)
        let failures = FailureLog(log)
        let name = name
        return (0..<slots).map { index in
            let executor = SlotExecutor()
            // As much stack as a program's first thread has: handlers are anybody's code.
            NamedThread("slot-\(index)", stackBytes: 8 << 20) { executor.run() }.detach()
            let slot = Slot(
                index: index, handOff: shared.handOff, handlers: handlers, kinds: kinds, results: rules,
                reports: shared.reports, failures: failures, worker: name, spans: shared.spans)
            Task(executorPreference: executor) { await slot.work() }
            return executor
        }
    }

    private func runLoop(_ hello: Hello) async -> Result<Void, WorkerError> {
        var settings = WorkerSettings(slots: slots, kinds: handlers.count)
        settings.batchSizes = handlers.map { ($0 as? any BatchHandler)?.batchSize ?? 1 }
        settings.drainLimit = Int64(options.drainSeconds * Double(second))
        let former = BatchFormer(handlers)
        let (endpoint, keys, shared, log, onReady) = (endpoint, keys, shared, log, options.onReady)
        return await withCheckedContinuation { done in
            NamedThread("worker-io") { [settings] in
                let result = Self.ownLoop(
                    endpoint: endpoint, keys: keys, hello: hello, settings: settings, former: former, shared: shared,
                    log: log, onReady: onReady)
                done.resume(returning: result)
            }.detach()
        }
    }

    /// The life of the thread that talks to the scheduler. The socket lives and ends on it.
    private static func ownLoop(
        endpoint: String, keys: PeerKeys?, hello: Hello, settings: WorkerSettings, former: BatchFormer,
        shared: WorkerShared, log: Log, onReady: (@Sendable () -> Void)?
    ) -> Result<Void, WorkerError> {
        do throws(WorkerError) {
            let context: ZeroMQContext
            do throws(ZeroMQError) { context = try ZeroMQContext() } catch { throw .system("\(error)") }
            var loop = WorkerLoop(
                endpoint: endpoint, keys: keys, hello: hello, settings: settings, former: former, context: context,
                shared: shared, log: log, onReady: onReady)
            try loop.run()
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    private func greeting() async -> Hello {
        let host = hostName()
        var hello = Hello(role: .worker, incarnation: incarnation, name: name)
        hello.slots = UInt16(slots)
        hello.labels = options.labels
        hello.resources = options.resources
        hello.details = """
            {"host":\(JSONText.quoted(host)),"pid":\(getpid()),"isolation":\(JSONText.quoted(options.isolation)),\
            "zeromq":\(JSONText.quoted(zeroMQVersion()))}
            """
        for handler in handlers {
            let reason = await handler.unavailable()
            if let reason {
                log.warning("kind is unavailable", ["kind": handler.kind, "reason": reason])
            } else {
                log.info("kind is available", ["kind": handler.kind])
            }
            let words = reason.map { $0.isEmpty ? "no reason was given" : $0 } ?? ""
            var kind = Hello.Kind(handler.kind, unavailable: ResultRules.text(words, 1_024))
            if let handler = handler as? any BatchHandler {
                kind.batchSize = UInt16(handler.batchSize)
                kind.batchWaitMilliseconds = UInt16(handler.batchWaitMilliseconds)
            }
            hello.kinds.append(kind)
        }
        return hello
    }

    private var name: String {
        ResultRules.text(options.name ?? "\(hostName()):\(getpid())", Limits.nameBytes)
    }

    private func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Read once here, so that a wrong path is found at the start.
    private static func keys(_ options: WorkerOptions, for endpoint: String) throws(WorkerError) -> PeerKeys? {
        do throws(KeyError) {
            let keys = try PeerKeys(own: options.keyFile, scheduler: options.schedulerKeyFile)
            if Door.takesKeys(endpoint) { try keys?.check() }
            return keys
        } catch {
            throw .argument(error.description)
        }
    }

    private static func check(endpoint: String, slots: Int, handlers: [any Handler], options: WorkerOptions)
        throws(WorkerError)
    {
        guard endpoint.contains("://"), !endpoint.utf8.contains(0) else {
            throw .argument("endpoint is \"\(endpoint)\", it takes an address such as ipc:///run/statex/worker")
        }
        guard (1...Limits.slots).contains(slots) else {
            throw .argument("slots is \(slots), it takes 1 to \(Limits.slots)")
        }
        guard (1...Limits.kindsInWorker).contains(handlers.count) else {
            throw .argument("\(handlers.count) handlers, a worker has 1 to \(Limits.kindsInWorker)")
        }
        guard (0...86_400).contains(options.drainSeconds) else {
            throw .argument("drain seconds is \(options.drainSeconds), it takes 0 to 86400")
        }
        if let name = options.name {
            guard (1...Limits.nameBytes).contains(name.utf8.count), !name.utf8.contains(0) else {
                throw .argument("name takes 1 to \(Limits.nameBytes) bytes without NUL")
            }
        }
        guard options.labels.count <= Limits.labelsInWorker else {
            throw .argument("\(options.labels.count) labels, a worker has at most \(Limits.labelsInWorker)")
        }
        for label in options.labels {
            guard (1...Limits.labelBytes).contains(label.utf8.count), !label.utf8.contains(0) else {
                throw .argument("a label takes 1 to \(Limits.labelBytes) bytes without NUL")
            }
        }
        guard options.resources.count <= Limits.resourcesInWorker,
            Set(options.resources.map(\.name)).count == options.resources.count
        else { throw .argument("resources are at most \(Limits.resourcesInWorker), each named once") }
        for name in options.resources.map(\.name) {
            guard (1...Limits.labelBytes).contains(name.utf8.count), !name.utf8.contains(0) else {
                throw .argument("a resource's name takes 1 to \(Limits.labelBytes) bytes without NUL")
            }
        }
        var kinds = Set<String>()
        for handler in handlers {
            guard (1...Limits.nameBytes).contains(handler.kind.utf8.count), !handler.kind.utf8.contains(0) else {
                throw .argument("a handler's kind takes 1 to \(Limits.nameBytes) bytes without NUL")
            }
            if let handler = handler as? any BatchHandler {
                guard (1...Limits.jobsInBatch).contains(handler.batchSize),
                    (0...Limits.batchWaitMilliseconds).contains(handler.batchWaitMilliseconds)
                else {
                    throw .argument(
                        "\(handler.kind): a batch takes 1 to \(Limits.jobsInBatch) jobs and waits 0 to "
                            + "\(Limits.batchWaitMilliseconds) ms; it has \(handler.batchSize) and "
                            + "\(handler.batchWaitMilliseconds)")
                }
            }
            guard kinds.insert(handler.kind).inserted else {
                throw .argument("two handlers are of the kind \"\(handler.kind)\"; a worker has one for each kind")
            }
        }
    }
}

/// What the worker's threads share.
final class WorkerShared: Sendable {
    let wakeup: Wakeup
    let handOff: HandOff
    let reports: ReportDesk
    /// How often a drain was ordered.
    let drainOrders = Atomic<Int>(0)
    let figures: Published<WorkerSnapshot>?
    let spans: SpanQueue?

    init(slots: Int, figures: Published<WorkerSnapshot>?, spans: SpanQueue?) throws(WakeupError) {
        self.figures = figures
        self.spans = spans
        wakeup = try Wakeup()
        handOff = HandOff(slots: slots, wakeup: wakeup)
        reports = ReportDesk { [wakeup] in wakeup.signal() }
    }
}
