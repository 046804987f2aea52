import ArgumentParser
import Glibc
import Logging
import StatexClient
import StatexConfiguration
import StatexGateway
import StatexLog
import StatexStack

struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Run the HTTP gateway alone: requests, jobs and results for services that speak HTTP.",
        discussion: """
            It reads the journal and speaks to the scheduler as a client; any number may run. SIGTERM ends it in \
            order. Without gateway_tokens it makes a secret of its own, and listens on loopback only.
            """)

    @Option(help: "Where it listens (key gateway), for instance 127.0.0.1:8420.") var listen: String?
    @Option(help: "Where the scheduler takes submits (key submit_endpoint).") var endpoint: String?
    @Option(help: "Where the scheduler publishes events.") var eventsEndpoint: String?
    @Option(help: "Folders and buckets of objects, joined by `:`.") var objects: String?
    @Option(help: "How it writes its log: text or json.") var logFormat: String?
    @OptionGroup var place: JournalPlace
    @OptionGroup var keys: PeerKeyOptions
    @OptionGroup var options: ConfigurationOptions

    /// Of the token that development gets: a working week.
    private static let tokenLifetime = Duration.seconds(7 * 86_400)

    func run() async throws {
        let loaded = try options.load([
            "listen:gateway": listen, "endpoint:submit_endpoint": endpoint, "events_endpoint": eventsEndpoint,
            "objects": objects, "log_format": logFormat,
            "peer_key": keys.peerKey, "server_public_key": keys.serverPublicKey,
            "database": place.database, "data_dir": place.dataDir,
        ])
        let log = Log("gateway", json: loaded.configuration.logFormat == .json)
        let logger = Logger(label: "gateway") { _ in GatewayLog(log) }
        var settings = try settings(loaded, logger)
        let traces = try Traces(loaded.configuration, of: "gateway")
        (settings.spans, settings.exporter) = (traces.spans, traces.exporter)
        settings.sampling = loaded.configuration.tracing.sampling
        let token = try await developmentToken(loaded, settings.tokens)
        Diagnostics.begin("gateway", loaded.configuration)
        // A peer that went is an error of the write, not the end.
        signal(SIGPIPE, SIG_IGN)
        do {
            let gateway = try await Gateway(settings, logger: logger)
            try await gateway.run { address in
                complain("listening on \(address)", .info)
                announceReady([address] + (token.map { [$0] } ?? []))
            }
        } catch let error as TokenKeyError {
            throw ending(.usage, "gateway_tokens: \(error)")
        } catch {
            throw ending(.failed, "gateway: \(error)")
        }
    }

    private func settings(_ loaded: LoadedConfiguration, _ logger: Logger) throws -> GatewaySettings {
        let configuration = loaded.configuration
        guard let address = configuration.gateway.address else {
            throw ending(.usage, "gateway: it is off; give --listen")
        }
        do throws(BindError) {
            try checkBind(gateway: address, hasKeys: configuration.gateway.tokens != nil)
        } catch {
            throw ending(.usage, "gateway: \(error)")
        }
        // Before the keys are read: what is written meanwhile is found.
        let tokenFile = loaded.gatewayTokenFile
        var settings = GatewaySettings(
            host: address.host, port: address.port, tokens: try loaded.gatewayTokens(),
            submitEndpoint: configuration.submitEndpoint, eventsEndpoint: configuration.eventsEndpoint,
            journalURL: loaded.journalURL, largestObject: configuration.maximumObjectBytes,
            bodyLimit: configuration.gateway.bodyLimit, streamsPerSubject: configuration.gateway.streamsPerSubject)
        settings.tokenFile = tokenFile
        settings.keys = configuration.peerKeys
        settings.requestsPerSecond = configuration.gateway.requestsPerSecond
        settings.uploadLimit = configuration.gateway.uploadLimit
        settings.objects = configuration.objectRoots
        settings.scale = ScaleRule(
            targetWait: configuration.gateway.scaleTargetWait.inSeconds,
            mostWorkers: configuration.gateway.scaleMostWorkers, slotsPerWorker: configuration.slots,
            hold: configuration.gateway.scaleHold.inSeconds)
        try configuration.webhooks.checkSecrets()
        settings.webhooks = WebhookSettings(configuration.webhooks)
        settings.s3 = S3Access(configuration.s3)
        if let certificate = configuration.gateway.certificate, let key = configuration.gateway.key {
            do throws(CertificateError) {
                settings.tls = try ServerCertificate(certificate: certificate, key: key, logger: logger)
            } catch {
                throw ending(.usage, error.description)
            }
        }
        return settings
    }

    /// nil: the operator has keys, and makes tokens.
    private func developmentToken(_ loaded: LoadedConfiguration, _ tokens: TokenSettings) async throws -> String? {
        guard loaded.configuration.gateway.tokens == nil else { return nil }
        return try await TokenMaker(tokens).token(
            .init(subject: "development", scopes: Set(Scope.allCases), lifetime: Self.tokenLifetime))
    }
}
