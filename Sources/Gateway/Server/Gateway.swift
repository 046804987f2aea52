// The HTTP gateway: what services that do not speak ZeroMQ, and people, use.
//
// It reads Postgres and speaks to the scheduler as a client; it never slows the scheduler, and any number of it may
// run. What comes in is checked here, at the border: sizes and times by the server, tokens and scopes before a route
// is entered, fields by the route.

import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import ServiceLifecycle
import StatexMetrics
import StatexOTLP
import StatexReads

package struct Gateway: Sendable {
    private let settings: GatewaySettings
    private let logger: Logger
    let tokens: TokensInForce
    private let rates: RateLimits
    private let scheduler: SchedulerLink
    private let reads: ReadPool
    private let readiness: Readiness
    private let objects: ObjectReader
    private let uploads: Uploads
    let bodies: BodyMemory
    private let memory = StatusMemory()
    private let hub: EventHub
    private let relay: WebhookRelay
    private let targets: WebhookTargets
    private let seats: StreamSeats
    private let downloads = StreamSeats(limit: GatewayLimits.downloadsOfSubject)
    private let letters: LetterOrders
    private let counts = RequestCounts()
    private let scaleMemory = ScaleMemory()

    package init(_ settings: GatewaySettings, logger: Logger) async throws(TokenKeyError) {
        self.settings = settings
        self.logger = logger
        let ticketsOfSubject = max(GatewayLimits.ticketsOfSubject, settings.streamsPerSubject)
        tokens = try await TokensInForce(
            settings.tokens, file: settings.tokenFile, used: UsedTickets(ofSubject: ticketsOfSubject), logger: logger)
        rates = RateLimits(perSecond: settings.requestsPerSecond)
        scheduler = SchedulerLink(
            endpoint: settings.submitEndpoint, keys: settings.keys, objects: settings.objects, s3: settings.s3,
            largestObject: settings.largestObject, memory: memory, logger: logger)
        reads = ReadPool(url: settings.journalURL, name: "gateway")
        readiness = Readiness(reads: reads, scheduler: scheduler)
        let places = ObjectPlaces(settings.objects ?? [], settings.s3, logger: logger)
        objects = ObjectReader(places: places)
        uploads = Uploads(settings, places)
        bodies = BodyMemory(bytes: settings.bodyMemory, largest: settings.bodyLimit)
        hub = EventHub(
            endpoint: settings.eventsEndpoint, keys: settings.keys, journalURL: settings.journalURL, memory: memory,
            logger: logger)
        relay = WebhookRelay(
            settings.webhooks, endpoint: settings.eventsEndpoint, keys: settings.keys, journalURL: settings.journalURL,
            scheduler: scheduler, logger: logger)
        targets = WebhookTargets(settings.webhooks, journalURL: settings.journalURL)
        seats = StreamSeats(limit: settings.streamsPerSubject)
        letters = LetterOrders(logger: logger)
    }

    /// Serves until SIGTERM or SIGINT; then lets what is under way finish.
    /// - Parameter onReady: is told where it listens, once it can do its work or after a while without that.
    package func run(onReady: @escaping @Sendable (String) -> Void) async throws {
        let address = AsyncStream.makeStream(of: String.self)
        let application = try application { address.continuation.yield($0) }
        // They end in the order from the last to the first.
        var services: [any Service] = [
            MemoryReturn(), TokenWatch(tokens: tokens), scheduler, hub, relay,
            Announcer(addresses: address.stream, readiness: readiness, relay: relay, announce: onReady), application,
        ]
        if let exporter = settings.exporter { services.insert(ExportService(exporter: exporter), at: 0) }
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = GatewayLimits.drain
        configuration.maximumCancellationDuration = GatewayLimits.patience
        defer {
            reads.close()
            targets.close()
        }
        do { try await ServiceGroup(configuration: configuration).run() } catch {
            throw (error as? IOError).map { ListenError($0, settings) } ?? error
        }
    }

    /// - Parameter idle: after how long a connection that asks nothing is closed.
    func application(
        idle: TimeAmount = .seconds(Int64(GatewayLimits.idleSeconds)),
        onAddress: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> Application<RouterResponder<GatewayContext>> {
        let scheme = settings.tls == nil ? "http" : "https"
        let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
        let logger = logger
        return Application(
            router: router(), server: try server(idle: idle),
            configuration: .init(
                address: .hostname(settings.host, port: settings.port), serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(GatewayLimits.connections, logger: logger)),
            onServerRunning: { channel in
                onAddress("\(scheme)://\(host):\(channel.localAddress?.port ?? 0)")
            }, logger: logger)
    }

    private func server(idle: TimeAmount) throws -> HTTPServerBuilder {
        let http = HTTPServerBuilder.http1(
            configuration: .init(
                additionalChannelHandlers: [
                    SlowBodyHandler(
                        window: .seconds(Int64(GatewayLimits.bodyWindowSeconds)),
                        bytesPerSecond: GatewayLimits.bodyBytesPerSecond),
                    UnwantedBodyHandler(limit: GatewayLimits.unwantedBytes),
                    UntakenAnswerHandler(patience: .seconds(Int64(GatewayLimits.untakenSeconds))),
                ],
                idleTimeout: idle,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: GatewayLimits.headerFieldBytes, maxHeaderListSize: GatewayLimits.headerBytes,
                    maxHeaderFieldCount: GatewayLimits.headerFields)))
        return try settings.tls.map { try .tls(http, tlsConfiguration: $0.configuration()) } ?? http
    }

    /// Everything that is served.
    var endpoints: [Endpoint] {
        DocumentRoutes(describing: page + health + requests + jobs + streams + status + scale + orders).endpoints
    }

    private var page: [Endpoint] { PageRoutes().endpoints }
    private var health: [Endpoint] {
        HealthRoutes(readiness: readiness).endpoints
            + MetricsRoutes(
                counts: counts, readiness: readiness, seats: seats, uploads: uploads, relay: relay,
                tls: settings.tls, spans: settings.spans, gate: gate, scheduler: scheduler, rule: settings.scale,
                memory: scaleMemory
            ).endpoints
    }
    private var requests: [Endpoint] {
        RequestRoutes(
            scheduler: scheduler, reads: reads, memory: memory, uploads: uploads, targets: targets,
            bodyLimit: settings.bodyLimit, tracer: SubmitTracer(spans: settings.spans, sampling: settings.sampling)
        ).endpoints
    }
    private var status: [Endpoint] { StatusRoutes(scheduler: scheduler, reads: reads).endpoints }
    private var scale: [Endpoint] {
        ScaleRoutes(scheduler: scheduler, rule: settings.scale, memory: scaleMemory).endpoints
    }
    private var orders: [Endpoint] {
        OrderRoutes(scheduler: scheduler, bodyLimit: settings.bodyLimit).endpoints
            + LetterRoutes(scheduler: scheduler, reads: reads, orders: letters, bodyLimit: settings.bodyLimit).endpoints
    }
    private var streams: [Endpoint] {
        TicketRoutes(tickets: tokens.tickets).endpoints
            + StreamRoutes(hub: hub, seats: seats, scheduler: scheduler, reads: reads, memory: memory).endpoints
    }
    private var jobs: [Endpoint] {
        JobRoutes(scheduler: scheduler, reads: reads, memory: memory, objects: objects, downloads: downloads).endpoints
    }

    private var gate: Gate { Gate(tokens: tokens, rates: rates) }

    private func router() -> Router<GatewayContext> {
        let router = Router(context: GatewayContext.self, options: .autoGenerateHeadEndpoints)
        let endpoints = endpoints
        router.add(middleware: MeterMiddleware(counts: counts))
        router.add(
            middleware: ProblemMiddleware(
                paths: PathTable(endpoints), headers: SecurityHeaders(tls: settings.tls != nil), counts: counts))
        let (gate, bodies) = (gate, bodies)
        for endpoint in endpoints {
            switch endpoint.answer {
            case .toAnybody(let answer):
                router.on(RouterPath(endpoint.path), method: endpoint.method) { try await answer($0, $1) }
            case .to(let scopes, let answer):
                router.on(RouterPath(endpoint.path), method: endpoint.method) { request, context in
                    let identity = try await gate.admit(request, to: scopes, takesTicket: endpoint.takesTicket)
                    let body = bodies.share(of: identity.subject)
                    defer { body.giveBack() }
                    return try await answer(Call(request: request, context: context, identity: identity, body: body))
                }
            }
        }
        return router
    }
}

/// Sends spans away until everything else has ended.
private struct ExportService: Service {
    let exporter: SpanExporter

    func run() async { await cancelWhenGracefulShutdown { await exporter.run() } }
}

/// Tells where the gateway listens, once it is of use.
private struct Announcer: Service {
    /// Without its scheduler it serves reads: better than nothing.
    private static let patience = Duration.seconds(10)
    private static let pause = Duration.milliseconds(20)

    let addresses: AsyncStream<String>
    let readiness: Readiness
    let relay: WebhookRelay
    let announce: @Sendable (String) -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await address in addresses {
                await waitUntilReady()
                announce(address)
            }
        }
        try? await gracefulShutdown()
    }

    private func waitUntilReady() async {
        let deadline = ContinuousClock.now + Self.patience
        while await !isReady(), ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: Self.pause)
        }
    }

    private func isReady() async -> Bool { await readiness.reasons(fresh: true).isEmpty && relay.isPlaced }
}

/// Why the gateway cannot listen where it should. Every other error of a socket is that of a connection, and ends it alone.
private struct ListenError: Error, CustomStringConvertible {
    let description: String

    init(_ error: IOError, _ settings: GatewaySettings) {
        let reason =
            error.errnoCode == EADDRINUSE ? "another program listens there" : String(cString: strerror(error.errnoCode))
        description = "it cannot listen on \(settings.host), port \(settings.port): \(reason); see the key gateway"
    }
}
