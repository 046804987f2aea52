import Foundation

/// What `--ready-file` gets: where everything is. Anybody who waits for the stack reads it.
package struct ReadyFile: Codable, Equatable, Sendable {
    package struct Processes: Codable, Equatable, Sendable {
        /// null: the database is somebody else's.
        package var postgres: Int32?
        /// null: it was fenced, or another one owns the shard.
        package var scheduler: Int32?
        package var workers: [Int32]
        /// null: none is configured.
        package var gateway: Int32?
    }

    /// Where `/metrics`, `/livez` and `/readyz` are, such as `127.0.0.1:40123`; null: nowhere.
    package struct Probes: Codable, Equatable, Sendable {
        package var scheduler: String?
        package var workers: [String?]
    }

    package var submitEndpoint: String
    package var workerEndpoint: String
    package var eventsEndpoint: String
    package var database: String
    /// Where the gateway listens, as a URL; null: none is configured.
    package var gateway: String?
    /// For development: a bearer token that allows everything; null: the operator's own keys are configured.
    package var token: String?
    package var pid: Int32
    package var pids: Processes
    package var probes: Probes

    enum CodingKeys: String, CodingKey {
        case submitEndpoint = "submit_endpoint"
        case workerEndpoint = "worker_endpoint"
        case eventsEndpoint = "events_endpoint"
        case database, gateway, token, pid, pids, probes
    }

    /// Whether it could be written there: found out before anything is started.
    static func check(_ path: String) throws(StackError) {
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        func refuse(_ problem: String) -> StackError {
            StackError(
                "--ready-file \(path): \(problem); name a file in a directory that is there", exitCode: StackError.usage
            )
        }
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG { throw refuse("it is there, and no file") }
        guard stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw refuse("\(directory) is no directory")
        }
        guard access(directory, W_OK | X_OK) == 0 else {
            throw refuse("\(directory) cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    /// By rename, so that a reader sees a whole one; for us alone, because the URL may hold a password.
    func write(to path: String) throws(StackError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { throw StackError("the ready file cannot be written as JSON") }
        try replaceFile(path, with: [UInt8](data) + [0x0A], mode: 0o600)
    }

    package static func read(_ path: String) throws(StackError) -> ReadyFile {
        guard let file = try? JSONDecoder().decode(ReadyFile.self, from: Data(ProcessTable.read(path, limit: 1 << 20)))
        else {
            throw StackError("\(path) is no ready file of `statex up`")
        }
        return file
    }
}

extension ReadyFile.Probes {
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(scheduler, forKey: .scheduler)
        try container.encode(workers, forKey: .workers)
    }
}

extension ReadyFile {
    package func encode(to encoder: any Encoder) throws {
        // Also what is nil is written: `null` says that it is not there.
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(submitEndpoint, forKey: .submitEndpoint)
        try container.encode(workerEndpoint, forKey: .workerEndpoint)
        try container.encode(eventsEndpoint, forKey: .eventsEndpoint)
        try container.encode(database, forKey: .database)
        try container.encode(gateway, forKey: .gateway)
        try container.encode(token, forKey: .token)
        try container.encode(pid, forKey: .pid)
        try container.encode(pids, forKey: .pids)
        try container.encode(probes, forKey: .probes)
    }
}

extension ReadyFile.Processes {
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(postgres, forKey: .postgres)
        try container.encode(scheduler, forKey: .scheduler)
        try container.encode(workers, forKey: .workers)
        try container.encode(gateway, forKey: .gateway)
    }
}
