import Logging
import ServiceLifecycle
import StatexClient
import StatexKeys
import StatexProtocol
import Synchronization

/// The gateway's one client of the scheduler. It connects in the background and for as long as it takes: without a
/// scheduler, reads go on.
final class SchedulerLink: Service {
    private let endpoint: String
    private let settings: ClientSettings
    let memory: StatusMemory
    /// Each costs the scheduler a look at all workers: lists must not keep it from its jobs.
    let explains = SecondBudget(GatewayLimits.explainsPerSecond)
    private let logger: Logger
    private let connected = Mutex<Client?>(nil)
    /// Of the orders of this process; the client's producer is one of its own.
    private let numbers = OrderNumbers()

    private static let retryPause = Duration.milliseconds(500)

    /// - Parameter memory: of what orders change.
    init(
        endpoint: String, keys: PeerKeys? = nil, objects: [String]?, s3: S3Access, largestObject: Int,
        memory: StatusMemory, logger: Logger
    ) {
        self.endpoint = endpoint
        self.memory = memory
        self.logger = logger
        var settings = ClientSettings(name: "gateway", objects: objects, patience: GatewayLimits.patience)
        settings.s3 = s3
        settings.keyFile = keys?.own
        settings.schedulerKeyFile = keys?.scheduler
        settings.connectTimeout = GatewayLimits.patience
        settings.largestObject = largestObject
        self.settings = settings
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { await self.connect() }
        try? await gracefulShutdown()
        await connected.withLock { $0 }?.close()
    }

    private func connect() async {
        var hasComplained = false
        while !Task.isCancelled {
            do throws(ClientError) {
                let client = try await Client(endpoint, settings: settings)
                connected.withLock { $0 = client }
                return
            } catch {
                if !hasComplained { logger.warning("waiting for the scheduler: \(error)") }
                hasComplained = true
                try? await Task.sleep(for: Self.retryPause)
            }
        }
    }

    func client() throws(Problem) -> Client {
        guard let client = connected.withLock({ $0 }) else { throw Problem(ClientError.unreachable("")) }
        return client
    }

    /// How the scheduler stands: its text, and what of it is understood here.
    func status() async throws(Problem) -> (text: String, status: SchedulerStatus) {
        let text: String
        let client = try client()
        do throws(ClientError) { text = try await client.schedulerStatus() } catch { throw Problem(error) }
        guard let status = SchedulerStatus(json: text) else {
            throw .unavailable("the scheduler is of another version", code: "scheduler_away")
        }
        return (text, status)
    }

    /// Gives an order, again and again until nothing is left that it reaches.
    /// - Returns: how far all of them reached, and what the first was answered.
    func order(
        _ action: OrderAction, _ filter: OrderFilter, note: String? = nil, by identity: Identity
    ) async throws(Problem) -> (reached: Int, message: String) {
        var sender = try sender(note: note, by: identity)
        defer { memory.forgetAll() }
        do throws(ClientError) {
            let message = try await sender.giveAll(action, filter).first.message
            return (sender.reached, message)
        } catch {
            throw Problem(error)
        }
    }

    func sender(note: String? = nil, by identity: Identity) throws(Problem) -> OrderSender {
        OrderSender(try client(), numbers: numbers, who: identity.name, note: note ?? "")
    }
}
