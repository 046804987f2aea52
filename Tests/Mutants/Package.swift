// swift-tools-version: 6.1
// The simulator and what it drives, and nothing else: a mutant of a core is built in seconds.

import PackageDescription

let settings: [SwiftSetting] = [.enableExperimentalFeature("Lifetimes")]

func library(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

let package = Package(
    name: "mutants",
    targets: [
        .target(name: "CLinux", path: "Sources/CLinux"),
        library("StatexThreads", "Sources/Threads", ["CLinux"]),
        library("StatexProtocol", "Sources/Protocol"),
        library("StatexSchedules", "Sources/Schedules"),
        library("StatexMetrics", "Sources/Metrics", ["StatexProtocol"]),
        library(
            "StatexSchedulerCore", "Sources/Scheduler/Core", ["StatexMetrics", "StatexProtocol", "StatexSchedules"]),
        library("StatexWorkerCore", "Sources/Worker/Core", ["StatexMetrics", "StatexProtocol"]),
        library(
            "StatexSimulation", "Sources/Simulation",
            ["StatexSchedulerCore", "StatexWorkerCore", "StatexProtocol", "StatexSchedules", "StatexThreads", "CLinux"]),
        .executableTarget(name: "hunt", dependencies: ["StatexSimulation"], path: "Hunt", swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
