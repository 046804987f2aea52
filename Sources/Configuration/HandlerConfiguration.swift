import StatexProtocol

/// How much a process handler is walled off; each level includes those before it.
package enum Isolation: String, Sendable, CaseIterable, Comparable {
    /// Limits, a session and a directory of its own.
    case basic
    /// And some of: no network, no files but its own.
    case partial
    /// And all of them, in namespaces of its own.
    case strict

    package static func < (left: Self, right: Self) -> Bool { left.level < right.level }

    private var level: Int {
        switch self {
        case .basic: 0
        case .partial: 1
        case .strict: 2
        }
    }
}

/// A handler that the operator added, or put in the place of a built-in one of the same kind.
package struct HandlerConfiguration: Sendable, Equatable {
    package enum Runner: Sendable, Equatable {
        case process(ProcessHandler)
        case http(HTTPHandler)
    }

    package var kind: String
    package var runner: Runner

    /// A program that speaks the handler protocol over stdin and stdout.
    package struct ProcessHandler: Sendable, Equatable {
        package var command: [String]
        /// The whole environment of the program besides `PATH`, `HOME` and what the launcher sets.
        package var environment: [String: String]
        /// Files and directories that it may read besides the system's.
        package var read: [String]
        package var memory: Int
        package var cpuTime: Duration
        package var timeLimit: Duration
        package var processes: Int
        package var openFiles: Int
        /// The largest file that it may write.
        package var fileSize: Int
        package var isolation: Isolation
        /// How many jobs of one key it runs in one call, and how long the first waits for others.
        package var batchSize: Int
        package var batchWait: Duration

        init(from values: inout ValueReader) {
            command = values.require("command", empty: [], .list(of: .text, count: 1...256))
            environment = values.takeMap("environment", names: .variableName, like: "LANG: C.UTF-8")
            read = values.take("read", default: [], .list(of: .path, count: 0...64))
            memory = values.take("memory", default: 2 << 30, .bytes(16 << 20...1 << 40))
            cpuTime = values.take("cpu_seconds", default: .seconds(600), .seconds(1...604_800))
            timeLimit = values.take("time_limit_seconds", default: .seconds(300), .seconds(0.1...604_800))
            processes = values.take("processes", default: 64, .integer(1...4096))
            openFiles = values.take("open_files", default: 256, .integer(16...65_536))
            fileSize = values.take("file_size", default: 1 << 30, .bytes(0...1 << 40))
            isolation = values.take("isolation", default: .basic, .choice())
            batchSize = values.take("batch_size", default: 1, .integer(1...Limits.jobsInBatch))
            let longest = Double(Limits.batchWaitMilliseconds) / 1_000
            batchWait = values.take("batch_wait_seconds", default: .milliseconds(20), .seconds(0...longest))
        }
    }

    /// A server that speaks the OpenAI HTTP API.
    package struct HTTPHandler: Sendable, Equatable {
        /// `http://host:port` or `https://…`, without the path.
        package var url: String
        package var path: String
        package var key: KeySource?
        package var timeout: Duration
        /// The authorities that sign the server's certificate, instead of the system's.
        package var authorities: String?
        /// What goes with each recording; only for an endpoint that takes recordings.
        package var fields: [String: String]

        init(from values: inout ValueReader) {
            url = values.require("url", empty: "", .httpURL)
            path = values.take("path", default: "/v1/chat/completions", .httpPath)
            let file = values.take("key_file", .path)
            let variable = values.take("key_environment", .variableName)
            if file != nil, variable != nil {
                values.refuse("key_environment", "stands beside key_file; give one of them")
            }
            key = file.map(KeySource.file) ?? variable.map(KeySource.environment)
            timeout = values.take("timeout_seconds", default: .seconds(120), .seconds(0.1...86_400))
            authorities = values.take("ca_file", .path)
            fields = values.takeMap("fields", names: .formField, like: "model: whisper-1")
            if !fields.isEmpty, !path.contains("/audio/") {
                values.refuse("fields", "go with recordings only; for \(path) they stand in the job's payload")
            }
        }
    }
}

/// Where a secret is read from, when it is needed. The secret itself is no part of the configuration,
/// so nothing that prints the configuration can show it.
package enum KeySource: Sendable, Equatable {
    case file(String)
    case environment(String)

    private static let maximumLength = 8 << 10

    /// Reads the key. Printable ASCII only: it goes into an HTTP header.
    package func read(environment: [String: String]) throws(ConfigurationError) -> String {
        let text: String
        let origin: String
        switch self {
        case .file(let path):
            origin = "key_file \(path)"
            text = try readSmallFile(path, limit: Self.maximumLength, for: "key_file", isSecret: true)
        case .environment(let name):
            origin = "key_environment \(name)"
            guard let value = environment[name] else { throw ConfigurationError("\(origin): the variable is not set") }
            text = value
        }
        let key = text.trimmed
        guard !key.isEmpty else { throw ConfigurationError("\(origin): it holds no key") }
        guard key.utf8.count <= Self.maximumLength, key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ConfigurationError(
                "\(origin): a key is at most \(Self.maximumLength) printable ASCII characters without spaces")
        }
        return key
    }
}
