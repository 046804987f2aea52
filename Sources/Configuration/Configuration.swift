// What an operator may set, as plain typed values for the other rooms.
//
// Every key has one home: the line here that takes it. `config/statex.yaml` documents it for people;
// a test holds the two together.

import Glibc
import StatexProtocol
import StatexWebhooks

/// All settings of one process.
package struct Configuration: Sendable, Equatable {
    package var dataDirectory: String
    package var submitEndpoint: String
    package var workerEndpoint: String
    /// Where the scheduler publishes events.
    package var eventsEndpoint: String
    /// The scheduler's own secret key, for `tcp://` endpoints; nil: it has none.
    package var serverKey: String?
    /// The list of keys that it lets in.
    package var allowedKeys: String
    /// What a process connects to `tcp://` endpoints with: its own key, and the scheduler's public one.
    package var peerKey: String?
    package var serverPublicKey: String?
    /// nil: `statex up` starts a private Postgres.
    package var database: String?

    /// Who the embedded Postgres runs as when we are root; nil: `postgres`, else `nobody`.
    package var postgresUser: String?
    /// Where its programs are; nil: the newest version that is installed.
    package var postgresBinaries: String?

    package var workers: Int
    package var slots: Int
    /// What this machine's workers have; jobs may require some of them.
    package var labels: [String]
    /// What it has amounts of; kinds may need some of it.
    package var resources: [ResourceAmount]
    package var drainTime: Duration

    /// Where `/metrics`, `/livez` and `/readyz` of scheduler and workers are; nil: nowhere.
    package var schedulerProbes: ListenAddress?
    package var workerProbes: ListenAddress?

    package var logFormat: LogFormat
    package var tracing: TracingConfiguration

    package var leaseTime: Duration
    package var heartbeatInterval: Duration
    package var disconnectGrace: Duration

    package var maximumOpenJobs: Int
    package var maximumOpenBytes: Int
    package var payloadCache: Int
    /// Of the scheduler's process, where tcp:// endpoints have keys.
    package var maximumMemory: Int
    package var idempotencyDays: Int
    /// Whether idle workers get jobs that wait unstarted in others.
    package var stealing: Bool
    /// How long a job may wait for a worker that has its affinity warm.
    package var affinityWait: Duration
    /// How long the history of a job stays after its end.
    package var retentionDays: Int

    /// For kinds that do not say otherwise.
    package var retry: RetryConfiguration
    package var kinds: [String: KindConfiguration]
    package var tenants: [String: TenantConfiguration]
    package var schedules: [String: ScheduleConfiguration]

    /// Folders, and buckets as `s3://BUCKET/PREFIX`. New objects are put into the first; all are where objects are
    /// opened.
    package var objectRoots: [String]
    /// How the buckets are reached.
    package var s3: S3Configuration
    /// How long objects stay that no job in the journal names.
    package var objectRetentionDays: Int
    /// The largest object that `statex submit` stores or reads.
    package var maximumObjectBytes: Int
    /// nil: those of the checkout.
    package var modelsDirectory: String?
    package var python: String?
    /// The least isolation that process handlers accept.
    package var isolation: Isolation
    /// Whether workers serve the handlers that fail, hang and kill their worker when asked.
    package var faultHandlers: Bool
    package var handlers: [HandlerConfiguration]

    package var gateway: GatewayConfiguration
    package var webhooks: WebhooksConfiguration

    init(from values: inout ValueReader, environment: [String: String]) {
        let dataDirectory = values.take("data_dir", default: Self.defaultDataDirectory(environment), .path)
        self.dataDirectory = dataDirectory
        submitEndpoint = values.take("submit_endpoint", default: "ipc://\(dataDirectory)/run/submit.sock", .endpoint)
        workerEndpoint = values.take("worker_endpoint", default: "ipc://\(dataDirectory)/run/worker.sock", .endpoint)
        eventsEndpoint = values.take("events_endpoint", default: "ipc://\(dataDirectory)/run/events.sock", .endpoint)
        serverKey = values.take("server_key", .path)
        allowedKeys = values.take("allowed_keys", default: "\(dataDirectory)/keys/allowed", .path)
        peerKey = values.take("peer_key", .path)
        serverPublicKey = values.take("server_public_key", .path)
        database = values.take("database", .databaseURL)

        postgresUser = values.take("postgres_user", .text)
        postgresBinaries = values.take("postgres_bin", .path)

        workers = values.take("workers", default: 1, .integer(0...1024))
        slots = values.take("slots", default: 2, .integer(1...1024))
        labels = values.take("labels", default: [], .list(of: .text, count: 0...64))
        resources = values.take("resources", default: [], .amounts)
        drainTime = values.take("drain_seconds", default: .seconds(30), .seconds(0...86_400))

        schedulerProbes = values.take("scheduler_probes", default: nil, .listenAddress)
        workerProbes = values.take("worker_probes", default: nil, .listenAddress)
        logFormat = values.take("log_format", default: .text, .choice())
        tracing = TracingConfiguration(from: &values)

        leaseTime = values.take("lease_seconds", default: .seconds(10), .seconds(1...3600))
        heartbeatInterval = values.take(
            "heartbeat_seconds", default: min(.seconds(1), leaseTime / 4), .seconds(0.1...600))
        disconnectGrace = values.take(
            "disconnect_grace_seconds", default: min(.seconds(2), leaseTime), .seconds(0...600))

        maximumOpenJobs = values.take("max_open_jobs", default: 4_000_000, .integer(1_000...100_000_000))
        maximumOpenBytes = values.take("max_open_bytes", default: 64 << 30, .bytes(1 << 20...1 << 50))
        payloadCache = values.take("payload_cache", default: 64 << 20, .bytes(1 << 20...1 << 40))
        // What the limits explain (400 bytes a job) and half a GiB for the rest, in steps of 256 MiB.
        let explained = maximumOpenJobs * 400 + payloadCache + 512 << 20
        maximumMemory = values.take(
            "max_memory", default: ((explained >> 28) + 1) << 28, .bytes(64 << 20...1 << 50))
        idempotencyDays = values.take("idempotency_days", default: 7, .integer(1...365))
        retentionDays = values.take("retention_days", default: max(7, idempotencyDays), .integer(1...36_500))

        stealing = values.take("stealing", default: true, .yesOrNo)
        affinityWait = values.take("affinity_wait_seconds", default: .milliseconds(250), .seconds(0...3_600))

        let retry = RetryConfiguration(from: &values, others: nil)
        self.retry = retry
        kinds = values.takeGroups("kinds", names: .name, like: "transcribe: {limit: {running: 8}}") {
            KindConfiguration(from: &$1, others: $0 == WebhookDelivery.kind ? retry.ofWebhooks() : retry)
        }
        tenants = values.takeGroups("tenants", names: .name, like: "acme: {weight: 3}") {
            TenantConfiguration(from: &$1)
        }
        schedules = values.takeGroups("schedules", names: .name, like: "nightly: {cron: '0 2 * * *', kind: report}") {
            ScheduleConfiguration(from: &$1)
        }

        objectRoots = values.take("objects", default: ["\(dataDirectory)/objects"], .objectRoots)
        s3 = S3Configuration(from: &values)
        objectRetentionDays = values.take(
            "object_retention_days", default: min(36_500, retentionDays + 1), .integer(1...36_500))
        maximumObjectBytes = values.take("max_object_bytes", default: 256 << 20, .bytes(1 << 20...1 << 40))
        modelsDirectory = values.take("models", .path)
        python = values.take("python", .program)
        isolation = values.take("isolation", default: .basic, .choice())
        faultHandlers = values.take("fault_handlers", default: false, .yesOrNo)
        handlers = values.takeHandlers()
        gateway = GatewayConfiguration(from: &values)
        webhooks = WebhooksConfiguration(from: &values)
        checkPairs(&values)
    }

    /// Values that are right alone and wrong together.
    private func checkPairs(_ values: inout ValueReader) {
        if heartbeatInterval * 3 > leaseTime {
            values.refuse(
                "heartbeat_seconds",
                "must be at most a third of lease_seconds (\(leaseTime.text)), so that two lost heartbeats do not cost a lease"
            )
        }
        if disconnectGrace > leaseTime {
            values.refuse(
                "disconnect_grace_seconds",
                "must be at most lease_seconds (\(leaseTime.text)): a lease ends by then anyway")
        }
        if (peerKey == nil) != (serverPublicKey == nil) {
            values.refuse(
                peerKey == nil ? "peer_key" : "server_public_key",
                "goes with \(peerKey == nil ? "server_public_key" : "peer_key"): who connects shows a key and knows whose it expects"
            )
        }
        if retentionDays < idempotencyDays {
            values.refuse(
                "retention_days",
                "must be at least idempotency_days (\(idempotencyDays)): a user key that is known names a request that is there"
            )
        }
        if eventsEndpoint == submitEndpoint || eventsEndpoint == workerEndpoint {
            values.refuse(
                "events_endpoint", "must differ from submit_endpoint and worker_endpoint: it is a socket of its own")
        }
        if submitEndpoint == workerEndpoint {
            values.refuse(
                "worker_endpoint", "must differ from submit_endpoint: services and workers speak to different sockets")
        }
    }

    private static func defaultDataDirectory(_ environment: [String: String]) -> String {
        if geteuid() == 0 { return "/var/lib/statex" }
        if let home = environment["XDG_DATA_HOME"], home.hasPrefix("/") { return home + "/statex" }
        if let home = environment["HOME"], home.hasPrefix("/") { return home + "/.local/share/statex" }
        return "/var/lib/statex"
    }
}
