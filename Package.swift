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

let package = Package(
    name: "statex",
    products: [
        .executable(name: "statex", targets: ["statex"]),
        .executable(name: "statex-launch", targets: ["StatexLaunch"]),
        .library(name: "StatexClient", targets: ["StatexClient"]),
        .library(name: "StatexWorker", targets: ["StatexWorkerRuntime", "StatexHandlerAPI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // C: a module map and a shim header, nothing else. The include paths are Debian's defaults.
        .systemLibrary(name: "CZeroMQ", path: "Sources/CZeroMQ"),
        .systemLibrary(name: "CLibPQ", path: "Sources/CLibPQ"),
        .systemLibrary(name: "CCrypto", path: "Sources/CCrypto"),
        .target(name: "CLinux", path: "Sources/CLinux"),

        // Thin, safe wrappers of the C libraries.
        library("StatexZeroMQ", "Sources/ZeroMQ", ["CZeroMQ", "CLinux"]),
        library("StatexPostgres", "Sources/Postgres", ["CLibPQ"]),

        // The words and the wire.
        library("StatexProtocol", "Sources/Protocol"),

        // The scheduler: a pure core in two thin shells that never import each other.
        library("StatexSchedulerCore", "Sources/Scheduler/Core", ["StatexProtocol"]),
        library(
            "StatexJournal", "Sources/Scheduler/Journal",
            ["StatexSchedulerCore", "StatexProtocol", "StatexPostgres", "CLinux"]),
        library(
            "StatexBroker", "Sources/Scheduler/Broker",
            ["StatexSchedulerCore", "StatexProtocol", "StatexZeroMQ", "CLinux", "CCrypto"]),

        // The client and the worker.
        library("StatexObjects", "Sources/Objects", ["CCrypto", "CLinux"]),
        library(
            "StatexClient", "Sources/Client",
            [
                "CLinux", "StatexProtocol", "StatexZeroMQ", "StatexObjects", "StatexSchedulerCore", "StatexWorkerCore",
                "StatexHandlerAPI",
            ]),
        library("StatexWorkerCore", "Sources/Worker/Core", ["StatexProtocol"]),
        library("StatexHandlerAPI", "Sources/Worker/API", ["StatexProtocol"]),
        library("StatexProcesses", "Sources/Worker/Processes", ["StatexHandlerAPI", "StatexObjects", "CLinux"]),
        library(
            "StatexHandlers", "Sources/Worker/Handlers", ["StatexHandlerAPI", "StatexProcesses"], exclude: ["python"]),
        library(
            "StatexWorkerRuntime", "Sources/Worker/Runtime",
            ["StatexWorkerCore", "StatexHandlerAPI", "StatexProtocol", "StatexZeroMQ", "StatexObjects", "CLinux"]),

        // Operating it.
        library("StatexConfiguration", "Sources/Configuration"),
        library("StatexStack", "Sources/Stack", ["StatexPostgres", "StatexConfiguration", "CLinux"]),

        .executableTarget(
            name: "statex",
            dependencies: [
                argumentParser, "StatexConfiguration", "StatexStack", "StatexClient", "StatexJournal", "StatexBroker",
                "StatexWorkerRuntime", "StatexHandlers", "StatexProcesses", "StatexObjects", "StatexProtocol",
                "StatexPostgres",
            ],
            path: "Sources/statex"
        ),
        // The supervisor of one handler process: C, because it runs between fork and exec.
        .executableTarget(name: "StatexLaunch", path: "Sources/Launcher"),

        .testTarget(
            name: "LauncherTests", dependencies: ["StatexProcesses", "StatexHandlerAPI"], path: "Tests/LauncherTests"),
        .testTarget(
            name: "ProcessesTests", dependencies: ["StatexProcesses", "StatexHandlerAPI"], path: "Tests/ProcessesTests"),
    ],
    swiftLanguageModes: [.v6]
)
