import CLinux
import StatexKeys
import StatexProtocol
import StatexZeroMQ

/// A connection to a scheduler. One suffices for a process: any number of tasks share it.
///
///     let client = try await Client("ipc:///run/statex/submit")
///     let handle = try await client.submit(Request(kind: "text", payload: .text("Hello")))
///     let result = try await handle.result()
///     print(result.jobs[0].text ?? "no result")
///     await client.close()
///
/// It reconnects by itself. What was not acknowledged is then submitted again with the same sequences,
/// so nothing is recorded twice; what is waited for is asked for again.
public final class Client: JobQueue {
    let calls: CallBox
    let settings: ClientSettings
    let objects: ObjectAccess

    /// Connects, and returns once the scheduler answered.
    /// - Parameter endpoint: where the scheduler takes submits, as ZeroMQ writes it.
    public convenience init(_ endpoint: String, settings: ClientSettings = ClientSettings()) async throws(ClientError) {
        try await self.init(endpoint, settings: settings, context: try ProcessContext.shared())
    }

    package init(_ endpoint: String, settings: ClientSettings, context: ZeroMQContext) async throws(ClientError) {
        try Self.check(settings)
        let keys = try PeerKeys.checked(settings.keyFile, settings.schedulerKeyFile, for: endpoint)
        self.settings = settings
        objects = ObjectAccess(settings.objects, settings.s3)
        do { calls = try CallBox() } catch { throw .unreachable(error.description) }
        var core = ClientCore.Settings()
        core.name = settings.name
        core.producer = settings.looksOnly ? Producer() : settings.producer
        core.incarnation = .random(in: 1 ... .max)
        core.seed = .random(in: 0 ... .max)
        core.windowBytes = settings.windowBytes
        core.windowRequests = settings.windowRequests
        let calls = calls
        NamedThread("statex-client") { [core] in
            ClientLoop(endpoint: endpoint, keys: keys, core: ClientCore(core), calls: calls, context: context).run()
        }.detach()
        let answer = await calls.ask(.connect(deadline: Self.deadline(in: settings.connectTimeout)))
        if case .failed(let error) = answer {
            calls.post(.close)
            if case .unreachable(let reason) = error { throw .unreachable("\(endpoint): \(reason)") }
            throw error
        }
    }

    deinit { calls.post(.close) }

    private static func check(_ settings: ClientSettings) throws(ClientError) {
        try RequestPacker.check(name: settings.name, "name")
        guard settings.windowBytes >= 0, settings.windowRequests >= 1 else {
            throw .invalid("windowBytes and windowRequests must not be negative")
        }
        guard settings.largestObject >= 0 else { throw .invalid("largestObject must not be negative") }
        guard settings.looksOnly || !settings.producer.isNone else { throw .invalid("producer must not be zeros") }
    }

    /// Before anything that changes what the scheduler holds.
    func checkMayAct() throws(ClientError) {
        guard !settings.looksOnly else { throw .invalid("this client only looks (looksOnly)") }
    }

    public func close() async { _ = await calls.ask(.close) }

    // MARK: Time and threads

    var patienceEnd: Int64 { settings.patience.map(Self.deadline) ?? .max }

    private static func deadline(in time: Duration) -> Int64 {
        // A century is for ever, and far from where sums overflow.
        let seconds = min(max(time.components.seconds, 0), 3_155_760_000)
        return ClientLoop.now + seconds * 1_000 + time.components.attoseconds / 1_000_000_000_000_000
    }
}

extension PeerKeys {
    /// Read once here, so that a wrong path is found at the start.
    static func checked(_ own: String?, _ scheduler: String?, for endpoint: String) throws(ClientError) -> PeerKeys? {
        do throws(KeyError) {
            let keys = try PeerKeys(own: own, scheduler: scheduler)
            if Door.takesKeys(endpoint) { try keys?.check() }
            return keys
        } catch {
            throw .invalid(error.description)
        }
    }
}

extension Answer {
    /// Why a call has not the answer that it should have.
    var error: ClientError {
        if case .failed(let error) = self { return error }
        return .closed
    }
}
