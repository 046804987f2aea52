import Foundation
import Testing

@testable import StatexStack

/// Against the real Postgres of this machine.
@Suite(.serialized)
struct EmbeddedPostgresTests {
    let scratch: ScratchFolder

    init() throws { scratch = try ScratchFolder() }

    /// What `psql` answers, as whoever runs the tests.
    private func query(_ sql: String, _ postgres: borrowing EmbeddedPostgres) throws -> String {
        let log = scratch.path + "/answer"
        // An environment that would lead elsewhere, if the URL did not say everything.
        let misleading = [
            "PGPORT": "1", "PGUSER": "nobody", "PGDATABASE": "nothing", "PGHOST": "/nowhere", "PATH": "/usr/bin:/bin",
        ]
        var command = Command(
            postgres.cluster.installation.psql, ["-XAtq", "-c", sql, postgres.url], environment: misleading)
        command.log = log
        let status = try ChildProcess.run(command, limit: .seconds(30))
        let answer = try String(contentsOfFile: log, encoding: .utf8).trimmingCharacters(in: .newlines)
        try #require(status == .exited(0), "\(answer)")
        return answer
    }

    @Test func `starts from nothing, serves the user who started it, and keeps its data`() throws {
        var postgres = try EmbeddedPostgres(directory: scratch.path)
        try postgres.start()
        #expect(try query("SELECT current_user, current_database()", postgres) == "statex|statex")
        _ = try query("CREATE TABLE t AS SELECT 7 AS n", postgres)
        try postgres.restart()
        #expect(try query("SELECT n FROM t", postgres) == "7")
        try postgres.stop()
        #expect(postgres.cluster.leftovers().isEmpty)
    }

    @Test func `what it promises about durability is in force`() throws {
        var postgres = try EmbeddedPostgres(
            directory: scratch.path, changes: ["work_mem": "'5MB'", "max_connections": "17"])
        try postgres.start()
        let wanted = [
            "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
            "listen_addresses": "", "work_mem": "5MB",
            "max_connections": "17", "server_encoding": "UTF8", "lc_collate": "C", "jit": "off",
            "logging_collector": "on", "max_wal_size": "4GB",
        ]
        for (name, value) in wanted { #expect(try query("SHOW \(name)", postgres) == value, "\(name)") }
    }

    @Test(.enabled(if: geteuid() == 0, "only root has rights to drop"))
    func `runs as an ordinary user who keeps the data to himself`() throws {
        var postgres = try EmbeddedPostgres(directory: scratch.path)
        try postgres.start()
        var status = stat()
        let pid = postgres.pid
        #expect(stat("/proc/\(try #require(pid))", &status) == 0)
        #expect(status.st_uid == postgres.cluster.user.uid && status.st_uid != 0)
        #expect(stat(postgres.cluster.directory, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o700)
        #expect(status.st_uid == postgres.cluster.user.uid)
        let files = FileManager.default.enumerator(atPath: postgres.cluster.data)
        while let file = files?.nextObject() as? String {
            // Postgres removes files of its own while we look.
            guard lstat("\(postgres.cluster.data)/\(file)", &status) == 0 else { continue }
            #expect(status.st_uid == postgres.cluster.user.uid, "\(file)")
        }
    }

    @Test func `comes back after a crash, over a lock file whose pid is now somebody else's`() throws {
        var postgres = try EmbeddedPostgres(directory: scratch.path)
        for round in 0..<3 {
            try postgres.start()
            if round > 0 { #expect(try query("SELECT count(*) FROM t", postgres) == "\(round)") }
            _ = try query("CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (\(round))", postgres)
            let lock = "\(postgres.cluster.data)/postmaster.pid"
            let text = try String(contentsOfFile: lock, encoding: .utf8)
            try postgres.kill()
            let pid = try #require(text.split(separator: "\n").first)
            // Pid 1 lives for certain.
            try text.replacing(pid, with: "1", maxReplacements: 1).write(
                toFile: lock, atomically: false, encoding: .utf8)
        }
    }

    @Test func `an orphaned backend of a killed postmaster is waited for`() throws {
        var postgres = try EmbeddedPostgres(directory: scratch.path)
        try postgres.start()
        let psql = try ChildProcess.start(
            Command(
                postgres.cluster.installation.psql,
                ["-XAtqc", "CREATE TABLE t AS SELECT 7 AS n FROM pg_sleep(2)", postgres.url]))
        // Until its backend works: the postmaster's children, and one more.
        let busy =
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE t%' AND state = 'active' AND pid <> pg_backend_pid()"
        while try query(busy, postgres) != "1" {
            try #require(psql.reap() == nil, "the statement ended before it was seen")
        }
        try postgres.kill()
        #expect(postgres.cluster.leftovers().isEmpty)
        #expect(psql.wait(atMost: .seconds(30)) != nil)
        try postgres.start()
        #expect(try ["0", "1"].contains(query("SELECT count(*) FROM pg_class WHERE relname = 't'", postgres)))
    }

    @Test func `takes over from a postmaster that an earlier run left`() throws {
        let cluster = try EmbeddedPostgres(directory: scratch.path).cluster
        let abandoned = try ChildProcess.start(cluster.command)
        while !cluster.isReady(pid: abandoned.pid) { try #require(abandoned.wait(atMost: .milliseconds(10)) == nil) }
        var postgres = try EmbeddedPostgres(directory: scratch.path)
        try postgres.start()
        #expect(abandoned.wait(atMost: .seconds(1)) == .exited(0))
        #expect(try query("SELECT 1", postgres) == "1")
    }

    @Test func `a run that died while making the data is made again`() throws {
        let postgresDirectory = scratch.path + "/postgres"
        try makePath(postgresDirectory + "/\(PostgresCluster.freshPrefix)x/half", mode: 0o700)
        var postgres = try EmbeddedPostgres(directory: scratch.path)
        try postgres.start()
        #expect(try query("SELECT 1", postgres) == "1")
        #expect(!directoryNames(postgresDirectory).contains { $0.hasPrefix(PostgresCluster.freshPrefix) })
    }
}
