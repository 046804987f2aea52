import Logging
import ServiceLifecycle
import StatexClient
import StatexProtocol
import Synchronization

/// The gateway's one client of the scheduler. It connects in the background and for as long as it takes: without a
/// scheduler, reads go on.
final class SchedulerLink: Service {
    private let endpoint: String
    private let settings: ClientSettings
    private let logger: Logger
    private let connected = Mutex<Client?>(nil)
    /// Of the orders of this process; the client's producer is one of its own.
    private let orders = Atomic<UInt64>(0)

    private static let retryPause = Duration.milliseconds(500)

    init(endpoint: String, objects: [String]?, s3: S3Access, largestObject: Int, logger: Logger) {
        self.endpoint = endpoint
        self.logger = logger
        var settings = ClientSettings(name: "gateway", objects: objects, patience: GatewayLimits.patience)
        settings.s3 = s3
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

    /// Gives an order, again and again until nothing is left that it reaches.
    /// - Returns: how far all of them reached.
    func order(_ action: OrderAction, _ filter: OrderFilter, by identity: Identity) async throws(Problem) -> Int {
        let client = try client()
        var reached = 0
        while true {
            let number = orders.add(1, ordering: .relaxed).newValue
            var order = Order(action, number: number, who: identity.name)
            order.filter = filter
            let sent = order
            let reply: OrderReply
            do throws(ClientError) { reply = try await client.order(sent) } catch { throw Problem(error) }
            reached += Int(reply.reached)
            guard reply.hasMore else { return reached }
        }
    }
}
