// The database: what it promises, and who it is.

import Glibc
import StatexConfiguration
import StatexPostgres

extension Doctor {
    /// The database that is named, or that of an `up` that runs on the data directory.
    func examineDatabase() -> [Finding] {
        if let database = configuration.database { return examine(database: database) }
        let directory = ProcessTable.canonical(configuration.dataDirectory) + "/postgres"
        if access(PostgresCluster.socket(in: directory), F_OK) == 0, !ProcessTable.postgresProcesses(on: directory + "/data").isEmpty {
            return examine(database: PostgresCluster.url(of: directory))
        }
        let installed = PostgresInstallation.installed()
        guard let newest = installed.first, newest.major >= PostgresInstallation.minimumMajor else {
            return [
                .error(
                    "postgres", "no version from \(PostgresInstallation.minimumMajor) on is installed, and no database is named",
                    "run `apt-get install postgresql`, or set database")
            ]
        }
        return [.ok("postgres", "version \(newest.major) in \(newest.directory); not running on \(configuration.dataDirectory)")]
    }

    private func examine(database: String) -> [Finding] {
        do throws(PostgresError) {
            let connection = try Connection(database, name: "statex doctor")
            let major = connection.serverVersion / 10_000
            let version = "version \(major).\(connection.serverVersion % 10_000) at \(redactedURL(database))"
            var findings: [Finding] = [
                major < PostgresInstallation.minimumMajor
                    ? .error("postgres", version, "use \(PostgresInstallation.minimumMajor) or newer") : .ok("postgres", version)
            ]
            let answer = try connection.query("SELECT name, setting FROM pg_settings", doing: "reading the settings")
            var settings: [String: String] = [:]
            for row in 0..<answer.rows { settings[answer.text(row, 0)] = answer.text(row, 1) }
            findings += DatabaseRules.judge(settings)
            return findings
        } catch {
            return [.error("postgres", "\(redactedURL(database)): \(error)", "start it, or correct database")]
        }
    }
}

/// What settings must be for the promises to hold.
enum DatabaseRules {
    static func judge(_ settings: [String: String]) -> [Finding] {
        var findings: [Finding] = []
        func judge(_ name: String, good: (String) -> Bool, otherwise: (String) -> Finding) {
            guard let value = settings[name] else { return }
            findings.append(good(value) ? .ok(name, value) : otherwise(value))
        }
        judge("fsync", good: { $0 == "on" }) { .error("fsync", $0, "set it on: without it an acknowledged job may be lost, or the database broken") }
        judge("synchronous_commit", good: { $0 != "off" && $0 != "local" }) {
            .error("synchronous_commit", $0, "set it on (or remote_apply): otherwise acknowledged jobs may be lost")
        }
        judge("full_page_writes", good: { $0 == "on" }) { .error("full_page_writes", $0, "set it on, unless the file system writes 8 KiB whole") }
        judge("data_sync_retry", good: { $0 == "off" }) { .error("data_sync_retry", $0, "set it off: a failed fsync must not be tried again") }
        judge("data_checksums", good: { $0 == "on" }) {
            .warning("data_checksums", $0, "stop it and run pg_checksums --enable: otherwise a broken page goes unnoticed")
        }
        judge("autovacuum", good: { $0 == "on" }) { .error("autovacuum", $0, "set it on: without it transaction ids run out") }
        judge("transaction_read_only", good: { $0 == "off" }) { .error("transaction_read_only", $0, "connect to the primary; a standby takes no jobs") }
        judge("max_connections", good: { Int($0) ?? 0 >= 20 }) { .warning("max_connections", $0, "at least 20: the scheduler, the gateway and people share them") }
        judge("server_encoding", good: { $0 == "UTF8" }) { .error("server_encoding", $0, "create the database with ENCODING 'UTF8'") }
        return findings
    }
}
