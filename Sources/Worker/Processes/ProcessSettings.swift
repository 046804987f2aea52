// What an operator says about the processes of one kind of handler.

import StatexHandlerAPI

/// How well a handler is shut in; see docs/handlers.md.
package enum IsolationLevel: String, Sendable, Comparable, CaseIterable {
    case basic, partial, strict

    package static func < (left: IsolationLevel, right: IsolationLevel) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .basic: 0
        case .partial: 1
        case .strict: 2
        }
    }
}

/// What is in force on this machine, and what would make it stronger.
package struct IsolationReport: Sendable, Equatable {
    package let level: IsolationLevel
    package let missing: [String]

    package init(level: IsolationLevel, missing: [String]) {
        self.level = level
        self.missing = missing
    }
}

/// One of the walls that the launcher builds; named to leave it out.
package enum IsolationLayer: String, Sendable, CaseIterable { case namespaces, landlock, seccomp }

/// What the processes of one handler may use together; 0 lifts a limit.
package struct ProcessLimits: Sendable, Equatable {
    package var memoryBytes = 2 << 30
    /// CPU time of one job.
    package var cpuSeconds = 3_600
    /// Processes and threads.
    package var processes = 256
    /// Open descriptors of one process.
    package var files = 1_024
    /// The size of one file.
    package var fileBytes = 1 << 30
    /// All files in the private directory, the job's input too.
    package var diskBytes = 2 << 30
    /// How many files and directories.
    package var entries = 100_000
    /// One line of the handler's output, so one result. Never lifted.
    package var lineBytes = 16 << 20

    package init() {}
}

package struct ProcessSettings: Sendable {
    package var kind: String
    /// The program, an absolute path, and its arguments.
    package var program: [String]
    /// All of the handler's environment, but for `HOME`, `TMPDIR` and, unless given here, `PATH` and `LANG`.
    package var environment: [String: String] = [:]
    /// What it may read besides the system's programs and libraries: its scripts, models, a virtual environment.
    package var readPaths: [String] = []
    package var writePaths: [String] = []
    /// How many run at the same time: the worker's slots.
    package var processes = 1
    /// How many jobs one process runs in one call, of one key; 1: each alone, said with a `job` line.
    package var batchSize = 1
    /// How long the first job of a call waits for others.
    package var batchWaitMilliseconds = 0
    package var limits = ProcessLimits()
    /// The least isolation that is accepted.
    package var isolation = IsolationLevel.basic
    package var allowsNetwork = false
    package var leavesOut: Set<IsolationLayer> = []
    /// Its user id when the worker is root; nil: one that nobody else has.
    package var user: UInt32?
    /// From the start of the program to `ready`: the time to load a model.
    package var startMilliseconds = 120_000
    /// For one job, besides what the job says itself; 0: no limit.
    package var runMilliseconds = 0
    /// From SIGTERM to the end of all its processes.
    package var graceMilliseconds = 2_000
    /// The path of `statex-launch`.
    package var launcher: String
    /// Where private directories are made: a directory of Statex's own, not below `/tmp`, on a file
    /// system that may fill up.
    package var scratchRoot: String
    /// Opens an object reference for reading; the descriptor is closed here.
    package var openObject: @Sendable ([UInt8]) throws(HandlerError) -> CInt = { _ throws(HandlerError) in
        throw HandlerError("object", "this worker has no object folder", retryable: false)
    }

    package init(kind: String, program: [String], launcher: String, scratchRoot: String) {
        self.kind = kind
        self.program = program
        self.launcher = launcher
        self.scratchRoot = scratchRoot
    }

    /// What is wrong with these settings, in words for the operator; nil when nothing is.
    package func fault() -> String? {
        guard let first = program.first, first.hasPrefix("/") else { return "program must begin with an absolute path" }
        for path in readPaths + writePaths + [launcher, scratchRoot] where !path.hasPrefix("/") {
            return "\(path) must be an absolute path"
        }
        for text in program + readPaths + writePaths + [launcher, scratchRoot] where text.utf8.contains(0) {
            return "a path or argument contains a NUL byte"
        }
        for (name, value) in environment {
            if name.isEmpty || name.contains("=") || name.utf8.contains(0) || value.utf8.contains(0) {
                return "environment: \(name.debugDescription) is not a name with a value"
            }
        }
        if readPaths.count > Self.pathLimit || writePaths.count > Self.pathLimit {
            return "more than \(Self.pathLimit) read or write paths"
        }
        if !(1...Self.processLimit).contains(processes) { return "processes must be from 1 to \(Self.processLimit)" }
        if limits.lineBytes < 4_096 { return "lineBytes must be 4096 at least" }
        if allowsNetwork && isolation > .basic {
            return "isolation \(isolation.rawValue) and a network exclude each other"
        }
        return nil
    }

    /// As many as `statex-launch` takes.
    static let pathLimit = 128
    /// Far more than a machine has cores; a mistake in a configuration should not fork for ever.
    static let processLimit = 1_024
}
