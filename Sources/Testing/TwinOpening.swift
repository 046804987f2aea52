import StatexClient
import StatexObjects
import StatexThreads
import StatexWorkerRuntime
import StatexZeroMQ
import Synchronization

/// What a twin is made of before its thread runs.
struct TwinOpening: Sendable {
    let letters: Mailbox<Letter>
    private let endpoint: String
    private let wakeup: Wakeup
    private let context: ZeroMQContext
    private let socket: Moved<Socket>
    private let objects: ObjectFolder?
    private let objectFolder: String?

    private static let lastNumber = Atomic<Int>(0)

    init(objectFolder: String?) throws(ClientError) {
        self.objectFolder = objectFolder
        do throws(ObjectError) {
            objects = try objectFolder.map { root throws(ObjectError) in try ObjectFolder(root: root) }
        } catch { throw .object(error.description) }
        endpoint = "inproc://statex-twin-\(Self.lastNumber.add(1, ordering: .relaxed).newValue)"
        context = try ProcessContext.shared()
        do {
            let socket = try Socket(.router, in: context)
            try socket.setLinkOptions(maximumMessageBytes: Limits.messageBytes)
            try socket.setMandatory()
            try socket.bind(endpoint)
            self.socket = Moved(socket)
            wakeup = try Wakeup()
        } catch { throw .unreachable("the twin could not be started: \(error)") }
        letters = Mailbox(wakeup: wakeup)
    }

    /// Asks the handlers what is available, starts the thread, and connects to it.
    func start(_ handlers: [any Handler], slots: Int, clock: TwinClock) async -> Result<Client, ClientError> {
        let hello = await TwinWorker.hello(handlers, slots: slots)
        NamedThread("statex-twin") { [self] in
            guard let socket = socket.take() else { return }
            let slots = (0..<slots).map { HandlerSlot($0, handlers, results: results, letters: letters) }
            let worker = TwinWorker(hello, slots: slots, reports: ReportDesk { letters.put(.reported) })
            var loop = TwinLoop(socket, worker: worker, clock: clock, letters: letters, wakeup: wakeup)
            loop.run()
        }.detach()
        do throws(ClientError) {
            let settings = ClientSettings(name: "twin", objects: objectFolder.map { [$0] } ?? [])
            return .success(try await Client(endpoint, settings: settings, context: context))
        } catch {
            return .failure(error)
        }
    }

    private var results: ResultRules {
        ResultRules(objectSink: objects.map(Self.sink), largestResultBytes: WorkerOptions().largestResultBytes)
    }

    private static func sink(_ folder: ObjectFolder) -> ObjectSink {
        { bytes throws(HandlerError) in
            do throws(ObjectError) {
                return try folder.put(bytes).text
            } catch {
                throw HandlerError("objects", "\(error)")
            }
        }
    }

    /// The same rules as for a worker.
    static func check(_ handlers: [any Handler], slots: Int) throws(ClientError) {
        guard (1...Limits.slots).contains(slots) else {
            throw .invalid("slots is \(slots), it takes 1 to \(Limits.slots)")
        }
        guard handlers.count <= Limits.kindsInWorker else {
            throw .invalid("\(handlers.count) handlers, a worker has at most \(Limits.kindsInWorker)")
        }
        var kinds = Set<String>()
        for handler in handlers {
            guard (1...Limits.nameBytes).contains(handler.kind.utf8.count), !handler.kind.utf8.contains(0) else {
                throw .invalid("a handler's kind takes 1 to \(Limits.nameBytes) bytes without NUL")
            }
            guard kinds.insert(handler.kind).inserted else {
                throw .invalid("two handlers are of the kind \"\(handler.kind)\"; there is one for each kind")
            }
        }
    }
}
