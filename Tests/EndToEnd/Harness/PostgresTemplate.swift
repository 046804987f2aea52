import Foundation

@testable import StatexStack

/// An empty database that is made once; each test gets a copy, which takes a tenth of the time.
enum PostgresTemplate {
    private static let directory = Result { () throws -> String in
        let path = "/tmp/statex-template-\(getpid())"
        _ = try EmbeddedPostgres(directory: path)
        atexit { try? FileManager.default.removeItem(atPath: "/tmp/statex-template-\(getpid())") }
        return path
    }

    /// Makes `directory`, with a database in it that is not started.
    static func copy(to directory: String) throws -> EmbeddedPostgres {
        try makePath(directory, mode: 0o755)
        let template = try Self.directory.get()
        let copied = try ChildProcess.run(
            Command("/bin/cp", ["-a", "--reflink=auto", template + "/postgres", directory]), limit: .seconds(60))
        guard copied == .exited(0) else { throw HarnessError("copying the database ended with \(copied)") }
        return try EmbeddedPostgres(directory: directory)
    }
}
