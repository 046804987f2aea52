import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// The small HTTP server of a process that speaks no HTTP otherwise.
///
/// Its address being taken keeps nobody from working: it says so and tries again.
package final class ProbeListener: Sendable {
    /// What one peer may cost: a scrape or a probe is a line and a few headers, and there are few who ask.
    package enum Limits {
        package static let connections = 32
        package static let headerBytes = 8_192
        package static let headers = 64
        /// For a request to arrive whole, and for the next one on the same connection.
        package static let idle = TimeAmount.seconds(30)
        static let again = Duration.seconds(5)
    }

    private let task: Task<Void, Never>
    private let bound: Bound

    /// Where it listens, such as `127.0.0.1:40123`; nil: nowhere yet.
    package var address: String? { bound.address.withLock { $0 } }

    /// Starts it, and comes back when it listens or the first try has failed.
    ///
    /// - Parameters:
    ///   - port: 0: a free one.
    ///   - idle: see `Limits.idle`.
    ///   - complain: told once that it cannot listen, and why.
    package init(
        _ probes: Probes, host: String, port: Int, idle: TimeAmount = Limits.idle,
        complain: @escaping @Sendable (String) -> Void
    ) async {
        let (tried, first) = AsyncStream<Void>.makeStream()
        let bound = Bound()
        self.bound = bound
        task = Task.detached {
            // One thread for all of it, whatever the machine has.
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            var hasComplained = false
            while !Task.isCancelled {
                do {
                    try await Self.serve(probes, host, port, idle, on: group) { address in
                        bound.address.withLock { $0 = address }
                        first.finish()
                    }
                } catch {
                    if !hasComplained { complain("probes: cannot listen on \(host):\(port) (\(error)); trying again") }
                    hasComplained = true
                }
                bound.address.withLock { $0 = nil }
                first.finish()
                try? await Task.sleep(for: Limits.again)
            }
            try? await group.shutdownGracefully()
        }
        for await _ in tried {}
    }

    /// Closes it.
    package func stop() async {
        task.cancel()
        await task.value
    }

    private static func serve(
        _ probes: Probes, _ host: String, _ port: Int, _ idle: TimeAmount, on group: MultiThreadedEventLoopGroup,
        listening: @escaping @Sendable (String?) -> Void
    ) async throws {
        let router = Router()
        router.add(middleware: NoBodies())
        probes.add(to: router)
        let application = Application(
            router: router,
            server: .http1(
                configuration: HTTP1Channel.Configuration(
                    idleTimeout: idle,
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: Limits.headerBytes, maxHeaderListSize: Limits.headerBytes,
                        maxHeaderFieldCount: Limits.headers))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port),
                availableConnectionsDelegate: MaximumAvailableConnections(Limits.connections, logger: silence)),
            onServerRunning: { channel in listening(channel.localAddress.flatMap(text)) },
            eventLoopGroupProvider: .shared(group), logger: silence)
        try await application.run()
    }

    private static func text(_ address: SocketAddress) -> String? {
        guard let host = address.ipAddress, let port = address.port else { return nil }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// What strangers do to a probe is not for an operator's log.
    private static var silence: Logger { Logger(label: "probes", factory: { _ in SwiftLogNoOpLogHandler() }) }
}

/// Where a listener listens.
private final class Bound: Sendable {
    let address = Mutex<String?>(nil)
}

/// Nothing here takes a body: who sends one is not read to its end.
private struct NoBodies<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let length = request.headers[.contentLength]
        guard request.headers[.transferEncoding] == nil, length == nil || length == "0" else {
            // The one error that Hummingbird answers (400) and closes the connection after.
            throw HTTPParserError.unexpectedContentLength
        }
        return try await next(request, context)
    }
}
