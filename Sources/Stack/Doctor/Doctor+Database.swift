// The database: what it promises, and who it is.

import Glibc
import StatexConfiguration
import StatexPostgres

extension Doctor {
    /// The database that is named, or that of an `up` that runs on the data directory.
    func examineDatabase() -> [Finding] {
        if let database = configuration.database { return examine(database: database) }
        let directory = ProcessTable.canonical(configuration.dataDirectory) + "/postgres"
        if access(PostgresCluster.socket(in: directory), F_OK) == 0,
            !ProcessTable.postgresProcesses(on: directory + "/data").isEmpty
        {
            return examine(database: PostgresCluster.url(of: directory))
        }
        let installed = PostgresInstallation.installed()
        guard let newest = installed.first, newest.major >= PostgresInstallation.minimumMajor else {
            return [
                .error(
                    "postgres",
                    "no version from \(PostgresInstallation.minimumMajor) on is installed, and no database is named",
                    "run `apt-get install postgresql`, or set database")
            ]
        }
        return [
            .ok(
                "postgres",
                "version \(newest.major) in \(newest.directory); not running on \(configuration.dataDirectory)")
        ]
    }

    private func examine(database: String) -> [Finding] {
        do throws(PostgresError) {
            let connection = try Connection(database, name: "statex doctor")
            let major = connection.serverVersion / 10_000
            let version = "version \(major).\(connection.serverVersion % 10_000) at \(redactedURL(database))"
            var findings: [Finding] = [
                major < PostgresInstallation.minimumMajor
                    ? .error("postgres", version, "use \(PostgresInstallation.minimumMajor) or newer")
                    : .ok("postgres", version)
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
    private struct Rule {
        let name: String
        let isGood: @Sendable (String) -> Bool
        var breaksPromise = true
        let remedy: String
    }

    private static let rules = [
        Rule(
            name: "fsync", isGood: { $0 == "on" },
            remedy: "set it on: without it acknowledged jobs may be lost, and the database broken"),
        Rule(
            name: "synchronous_commit", isGood: { $0 != "off" && $0 != "local" },
            remedy: "set it on (or remote_apply): otherwise acknowledged jobs may be lost"),
        Rule(
            name: "full_page_writes", isGood: { $0 == "on" },
            remedy: "set it on, unless the file system writes 8 KiB whole"),
        Rule(
            name: "data_sync_retry", isGood: { $0 == "off" },
            remedy: "set it off: a failed fsync must not be tried again"),
        Rule(name: "autovacuum", isGood: { $0 == "on" }, remedy: "set it on: without it transaction ids run out"),
        Rule(
            name: "transaction_read_only", isGood: { $0 == "off" },
            remedy: "connect to the primary; a standby takes no jobs"),
        Rule(name: "server_encoding", isGood: { $0 == "UTF8" }, remedy: "create the database with ENCODING 'UTF8'"),
        Rule(
            name: "data_checksums", isGood: { $0 == "on" }, breaksPromise: false,
            remedy: "stop it and run pg_checksums --enable: otherwise a broken page goes unnoticed"),
        Rule(
            name: "max_connections", isGood: { (Int($0) ?? 0) >= 20 }, breaksPromise: false,
            remedy: "at least 20: the scheduler, the gateway and people share them"),
    ]

    static func judge(_ settings: [String: String]) -> [Finding] {
        rules.compactMap { rule in
            guard let value = settings[rule.name] else { return nil }
            if rule.isGood(value) { return .ok(rule.name, value) }
            return rule.breaksPromise ? .error(rule.name, value, rule.remedy) : .warning(rule.name, value, rule.remedy)
        }
    }
}
