// swift-tools-version: 6.1
// Folders carry plain names, modules carry the prefix: in Swift a module may not share its name
// with a type inside it. A nested target is a wall that the compiler keeps.

import PackageDescription

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

// Lifetimes: a buffer lends its bytes as a `RawSpan` that cannot outlive it.
let settings: [SwiftSetting] = [.enableExperimentalFeature("Lifetimes")]

func library(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target
{
    .target(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: settings)
}

func test(
    _ name: String, _ dependencies: [Target.Dependency], folder: String? = nil, exclude: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(folder ?? name)", exclude: exclude,
        swiftSettings: settings)
}

let package = Package(
    name: "statex",
    products: [
        .executable(name: "statex", targets: ["statex"]),
        .executable(name: "statex-launch", targets: ["StatexLaunch"]),
        .library(name: "StatexClient", targets: ["StatexClient"]),
        .library(name: "StatexTesting", targets: ["StatexTesting"]),
        .library(name: "StatexWorker", targets: ["StatexWorkerRuntime", "StatexHandlerAPI"]),
        .library(name: "StatexWorkerTraces", targets: ["StatexWorkerTraces"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        // The object store in S3 alone.
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        // The gateway, the probes, and some of it S3 too. (swift-nio 2.100.0 is the first without known holes; Hummingbird asks for no older
        // swift-nio-http2 than 1.45.)
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.1"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // C: a module map and a shim header, nothing else. The include paths are Debian's defaults.
        .systemLibrary(name: "CZeroMQ", path: "Sources/CZeroMQ"),
        .systemLibrary(name: "CLibPQ", path: "Sources/CLibPQ"),
        .systemLibrary(name: "CCrypto", path: "Sources/CCrypto"),
        .systemLibrary(name: "CTLS", path: "Sources/CTLS"),
        .target(name: "CLinux", path: "Sources/CLinux"),

        // What processes say that run for long.
        library("StatexLog", "Sources/Log", ["CLinux", "StatexProtocol"]),

        // Thin, safe wrappers of the C libraries.
        library("StatexThreads", "Sources/Threads", ["CLinux"]),
        library("StatexZeroMQ", "Sources/ZeroMQ", ["CZeroMQ", "StatexKeys", "StatexThreads"]),
        library("StatexPostgres", "Sources/Postgres", ["CLibPQ"]),

        // The words and the wire.
        library("StatexProtocol", "Sources/Protocol"),
        library("StatexSchedules", "Sources/Schedules"),
        // Who may speak over TCP, and what: keys, the list of those allowed, roles and messages.
        library("StatexKeys", "Sources/Keys", ["StatexProtocol"]),
        // What webhooks are, sign and may reach: pure.
        library(
            "StatexWebhooks", "Sources/Webhooks",
            ["StatexProtocol", .product(name: "Crypto", package: "swift-crypto")]),
        // Counts and histograms as plain values, and the text that Prometheus reads.
        library("StatexMetrics", "Sources/Metrics", ["StatexProtocol"]),

        // What happened to requests and jobs, as spans; and how they go to a collector.
        library("StatexTracing", "Sources/Tracing", ["StatexMetrics", "StatexProtocol"], exclude: ["OTLP"]),
        library(
            "StatexOTLP", "Sources/Tracing/OTLP",
            [
                "StatexTracing", "StatexProtocol",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),

        // The scheduler: a pure core in two thin shells that never import each other.
        library(
            "StatexSchedulerCore", "Sources/Scheduler/Core", ["StatexProtocol", "StatexSchedules", "StatexMetrics"]),
        library(
            "StatexHandOff", "Sources/Scheduler/HandOff",
            ["StatexSchedulerCore", "StatexKeys", "StatexProtocol", "StatexThreads"]),
        .target(
            name: "StatexMigrations", path: "config/sql",
            resources: [
                .embedInCode("0001_journal.sql"), .embedInCode("0002_views.sql"), .embedInCode("0003_retention.sql"),
                .embedInCode("0004_webhooks.sql"),
            ]),
        library(
            "StatexJournal", "Sources/Scheduler/Journal",
            ["StatexHandOff", "StatexSchedulerCore", "StatexProtocol", "StatexPostgres", "StatexMigrations", "CLinux"]),
        library(
            "StatexBroker", "Sources/Scheduler/Broker",
            [
                "StatexHandOff", "StatexSchedulerCore", "StatexKeys", "StatexMetrics", "StatexProtocol",
                "StatexThreads", "StatexZeroMQ", "CLinux", "CCrypto",
            ]),

        // The event stream, and what the journal has of it.
        library(
            "StatexEvents", "Sources/Events",
            [
                "StatexClient", "StatexSchedulerCore", "StatexKeys", "StatexProtocol", "StatexPostgres",
                "StatexZeroMQ", "CLinux",
            ]),

        // The client and the worker.
        library("StatexObjects", "Sources/Objects", ["CCrypto", "CLinux"]),
        library(
            "StatexS3", "Sources/S3",
            [
                "StatexKeys", "StatexObjects",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        library(
            "StatexClient", "Sources/Client",
            [
                "CLinux", "StatexKeys", "StatexProtocol", "StatexZeroMQ", "StatexObjects", "StatexS3",
                "StatexSchedulerCore",
                "StatexWorkerCore", "StatexHandlerAPI",
            ]),
        library("StatexWorkerCore", "Sources/Worker/Core", ["StatexMetrics", "StatexProtocol"]),
        library("StatexHandlerAPI", "Sources/Worker/API", ["StatexProtocol"]),
        library(
            "StatexProcesses", "Sources/Worker/Processes",
            ["StatexHandlerAPI", "StatexProtocol", "StatexThreads", "CLinux"]),
        library(
            "StatexHTTPHandler", "Sources/Worker/HTTP",
            ["StatexHandlerAPI", "StatexProtocol", "StatexThreads", "StatexWebhooks", "CTLS"]),
        .target(
            name: "StatexHandlers", dependencies: ["StatexHandlerAPI", "StatexProcesses"],
            path: "Sources/Worker/Handlers",
            resources: [.copy("python")], swiftSettings: settings),
        library(
            "StatexWorkerRuntime", "Sources/Worker/Runtime",
            [
                "StatexWorkerCore", "StatexHandlerAPI", "StatexKeys", "StatexLog", "StatexMetrics", "StatexProtocol",
                "StatexTracing", "StatexZeroMQ", "CLinux",
            ]),
        library(
            "StatexWorkerTraces", "Sources/Worker/Traces",
            ["StatexLog", "StatexOTLP", "StatexTracing", "StatexWorkerRuntime"]),

        // Statex in memory, for the tests of services.
        library(
            "StatexTesting", "Sources/Testing",
            [
                "StatexClient", "StatexProtocol", "StatexSchedulerCore", "StatexWorkerCore", "StatexHandlerAPI",
                "StatexWorkerRuntime", "StatexObjects", "StatexThreads", "StatexZeroMQ", "CLinux",
            ]),
        // The real cores in a simulated world.
        library(
            "StatexSimulation", "Sources/Simulation",
            [
                "StatexSchedulerCore", "StatexWorkerCore", "StatexProtocol", "StatexSchedules", "StatexThreads",
                "CLinux",
            ]),

        // What a supervisor and a Prometheus ask of scheduler and worker, over HTTP.
        library(
            "StatexProbes", "Sources/Probes",
            [
                "StatexMetrics", "StatexProtocol", "StatexThreads", "CLinux",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        // What people are shown: reads of the journal, and the gateway.
        library("StatexReads", "Sources/Reads", ["StatexPostgres", "StatexProtocol", "StatexThreads"]),
        .target(
            name: "StatexPage", path: "Sources/Gateway/Page",
            resources: [
                .embedInCode("index.html"), .embedInCode("app.css"), .embedInCode("icon.svg"), .embedInCode("app"),
            ]),
        library(
            "StatexGateway", "Sources/Gateway",
            [
                "StatexReads", "StatexClient", "StatexEvents", "StatexKeys", "StatexMetrics", "StatexProbes",
                "StatexProtocol", "StatexLog", "StatexTracing", "StatexOTLP", "CLinux", "StatexObjects", "StatexPage",
                "StatexPostgres", "StatexS3", "StatexThreads", "StatexWebhooks", "StatexZeroMQ",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "JWTKit", package: "jwt-kit"),
            ], exclude: ["Page"]),

        // Operating it.
        library(
            "StatexConfiguration", "Sources/Configuration",
            ["Yams", "StatexKeys", "StatexProtocol", "StatexSchedules", "StatexObjects", "StatexWebhooks"]),
        library(
            "StatexStack", "Sources/Stack",
            ["StatexPostgres", "StatexConfiguration", "StatexObjects", "StatexWebhooks", "CLinux"]),

        .executableTarget(
            name: "statex",
            dependencies: [
                argumentParser, "CLinux", "StatexThreads", "StatexZeroMQ", "StatexHandOff", "StatexSchedulerCore",
                "StatexConfiguration", "StatexKeys", "StatexStack", "StatexClient", "StatexJournal", "StatexBroker",
                "StatexWorkerRuntime", "StatexHandlers", "StatexProcesses", "StatexHTTPHandler", "StatexObjects",
                "StatexS3", "StatexProtocol", "StatexPostgres", "StatexBenchmarks", "StatexSimulation",
                "StatexReads", "StatexGateway", "StatexEvents", "StatexLog", "StatexMetrics", "StatexProbes",
                "StatexTracing", "StatexOTLP", "StatexWebhooks",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/statex"
        ),
        library(
            "StatexBenchmarks", "Benchmarks",
            [
                "StatexJournal", "StatexSchedulerCore", "StatexPostgres", "StatexProtocol", "StatexClient",
                "StatexStack", "StatexHandlerAPI", "StatexWorkerRuntime", "StatexZeroMQ", "CLinux",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            exclude: ["README.md", "Worker"]),
        // What a worker costs by itself: it leases no-op jobs to one as a scheduler would.
        .executableTarget(
            name: "worker-bench", dependencies: ["StatexProtocol", "StatexZeroMQ", "CLinux"], path: "Benchmarks/Worker"),
        // The supervisor of one handler process: C, because it runs between fork and exec.
        .executableTarget(name: "StatexLaunch", path: "Sources/Launcher"),

        test("LogTests", ["StatexLog"]),
        test("KeysTests", ["StatexKeys", "StatexProtocol", "StatexZeroMQ"]),
        test("MetricsTests", ["StatexMetrics", "StatexProtocol", "StatexTracing"]),
        // A collector of spans, for these and end to end.
        library("CollectorTestServer", "Tests/TracingTests/Collector", ["S3TestServer"], exclude: ["collector.py"]),
        test(
            "TracingTests",
            ["StatexOTLP", "StatexTracing", "StatexMetrics", "StatexProtocol", "CollectorTestServer"],
            exclude: ["Collector"]),
        test(
            "ProbesTests",
            [
                "StatexProbes", "StatexMetrics", "StatexThreads", .product(name: "NIOCore", package: "swift-nio"),
            ]),
        test("ProtocolTests", ["StatexProtocol"], exclude: ["Vectors"]),
        test("ObjectsTests", ["StatexObjects"]),
        // A real S3 server, for these and end to end.
        library("S3TestServer", "Tests/S3Tests/Server", exclude: ["s3_server.py"]),
        test("S3Tests", ["StatexS3", "StatexObjects", "S3TestServer"], exclude: ["Server", "sign.py"]),
        test("ConfigurationTests", ["StatexConfiguration", "StatexSchedules", "StatexWebhooks"]),
        test("SchedulesTests", ["StatexSchedules", "StatexConfiguration"]),
        test("CommandTests", ["statex", "StatexConfiguration", "StatexHandlers", "StatexProtocol", "StatexStack"]),
        library("EventPublisher", "Tests/EventPublisher", ["StatexProtocol", "StatexZeroMQ"]),
        test(
            "ClientTests", ["EventPublisher", "StatexClient", "StatexProtocol", "StatexZeroMQ"], exclude: ["Python"]),
        test("SchedulerCoreTests", ["StatexSchedulerCore", "StatexSchedules", "StatexMetrics", "StatexProtocol"]),
        test("BrokerTests", ["StatexBroker", "StatexProtocol"]),
        .testTarget(
            name: "SimulationTests", dependencies: ["StatexSimulation"], path: "Tests/Simulation",
            swiftSettings: settings),
        // The program of docs/workers.md: built, so that the page stays true.
        .executableTarget(
            name: "example-worker", dependencies: ["StatexHandlerAPI", "StatexWorkerRuntime"], path: "Examples/Worker"),
        test(
            "JournalTests",
            [
                "StatexJournal", "StatexHandOff", "StatexSchedulerCore", "StatexSimulation", "StatexStack",
                "StatexPostgres", "StatexProtocol", "StatexThreads", "StatexBenchmarks", "StatexEvents", "StatexClient",
                "StatexReads", "StatexZeroMQ", "EventPublisher",
            ]),
        // What every job queue does: run on the twin here, and on a real client end to end.
        library("JobQueueConformance", "Tests/TestingTests/Conformance", ["StatexClient"]),
        test(
            "TestingTests", ["StatexTesting", "JobQueueConformance", "StatexHandlers"], exclude: ["Conformance"]),
        test("BenchmarkTests", ["StatexBenchmarks", "StatexProtocol"]),
        test("ReadsTests", ["StatexReads", "StatexProtocol"]),
        test(
            "GatewayTests",
            [
                "StatexGateway", "StatexPage", "StatexReads", "StatexClient", "StatexProtocol", "StatexObjects",
                "StatexEvents", "StatexWebhooks", .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "JWTKit", package: "jwt-kit"), .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        test("WorkerCoreTests", ["StatexWorkerCore", "StatexMetrics", "StatexProtocol"]),
        test(
            "WorkerRuntimeTests",
            [
                "StatexWorkerRuntime", "StatexWorkerCore", "StatexHandlers", "StatexHandlerAPI", "StatexProtocol",
                "StatexZeroMQ", "StatexTracing", "StatexWorkerTraces", "CollectorTestServer", "CLinux",
            ]),
        test("HandlersTests", ["StatexHandlers", "StatexHandlerAPI", "StatexProtocol"]),
        test("LauncherTests", ["StatexProcesses", "StatexHandlerAPI"]),
        test("ProcessesTests", ["StatexProcesses", "StatexHandlerAPI", "StatexProtocol"]),
        test(
            "HTTPHandlerTests",
            ["StatexHTTPHandler", "StatexHandlerAPI", "StatexProtocol", "StatexThreads", "StatexWebhooks"],
            exclude: ["tls_server.py", "ssrf-urls.txt"]),
        test("WebhooksTests", ["StatexWebhooks", "StatexProtocol"]),
        // A parent that tests kill, to see what becomes of its children.
        .executableTarget(
            name: "StackHost", dependencies: ["StatexStack", "StatexConfiguration"], path: "Tests/StackHost"),
        // A worker whose jobs a test holds in its hand.
        .executableTarget(
            name: "GateWorker",
            dependencies: ["StatexWorkerRuntime", "StatexHandlerAPI", "StatexHandlers", "StatexStack"],
            path: "Tests/GateWorker"),
        test(
            "EndToEndTests",
            [
                "statex", "GateWorker", "JobQueueConformance", "StatexClient", "StatexProtocol", "StatexStack",
                "StatexPostgres",
                "StatexObjects", "StatexSchedulerCore", "StatexKeys", "StatexThreads", "StatexWebhooks", "StatexZeroMQ",
                "CLinux", "S3TestServer", "CollectorTestServer",
            ], folder: "EndToEnd", exclude: ["Page", "endless.py"]),
        test("StackTests", ["StackHost", "StatexStack", "StatexConfiguration", "StatexObjects", "CLinux"]),
    ],
    swiftLanguageModes: [.v6]
)
