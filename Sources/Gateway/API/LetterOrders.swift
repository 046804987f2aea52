import Logging
import StatexClient
import StatexProtocol
import Synchronization

/// Orders about many dead letters, some of which take hours on purpose. They go on when who gave them has gone, and
/// end with the gateway: what is left then is a dead letter still, and the same order reaches it.
final class LetterOrders: Sendable {
    struct Progress: Sendable {
        var reached = 0
        var isOver = false
        var failure: ClientError?
        /// Why it did not reach all of them.
        var shortfall: String?
    }

    private let seats = LetterOrderSeats()
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// Gives an order, and returns when it is done or a moment later.
    /// - Parameter subject: who ordered it.
    func give(
        _ action: OrderAction, _ letters: [JobID], perSecond rate: Double?, by sender: OrderSender, of subject: String
    ) async throws(Problem) -> Progress {
        try seats.take(subject)
        let order = Underway()
        let (end, ended) = AsyncStream.makeStream(of: Never.self)
        Task { [self] in
            await order.run(action, letters, rate, sender)
            seats.free(subject)
            ended.finish()
            if let failure = order.progress.failure {
                logger.warning("\(action.name) of dead letters ended after \(order.progress.reached): \(failure)")
            }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in end {} }
            group.addTask { try? await Task.sleep(for: GatewayLimits.orderPatience) }
            await group.next()
            group.cancelAll()
        }
        let progress = order.progress
        if let failure = progress.failure, progress.reached == 0 { throw Problem(failure) }
        return progress
    }

    private final class Underway: Sendable {
        private let state = Mutex(Progress())
        var progress: Progress { state.withLock { $0 } }

        func run(_ action: OrderAction, _ letters: [JobID], _ rate: Double?, _ sender: OrderSender) async {
            var sender = sender
            do throws(ClientError) {
                let outcome = try await sender.give(action, letters: letters, perSecond: rate) { reached in
                    state.withLock { $0.reached = reached }
                }
                state.withLock { $0.shortfall = outcome.shortfall ?? outcome.unexplained }
            } catch {
                state.withLock { $0.failure = error }
            }
            state.withLock { $0.isOver = true }
        }
    }
}
