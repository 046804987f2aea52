import Foundation
import StatexConfiguration
import StatexObjects
import Testing

@testable import StatexStack

struct DoctorTests {
    let scratch: ScratchFolder

    init() throws { scratch = try ScratchFolder() }

    private func examine(_ text: String, environment: [String: String] = ["PATH": "/usr/bin:/bin"]) throws -> [Finding]
    {
        let file = scratch.path + "/statex.yaml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let loaded = try LoadedConfiguration.load(ConfigurationSources(file: file, environment: environment))
        return Doctor(
            loaded, environment: environment, versions: [("statex", "1.2.3")],
            others: [.ok("isolation", "strict")]
        ).examine()
    }

    @Test func `tells versions, isolation and each error with what to do`() throws {
        let findings = try examine("data_dir: \(scratch.path)\n")
        #expect(findings.contains { $0 == .ok("statex", "1.2.3") })
        #expect(findings.contains { $0 == .ok("isolation", "strict") })
        #expect(findings.contains { $0.name == "disk" && $0.detail.contains(" ms for 8 KiB") })
        #expect(findings.allSatisfy { ($0.status == .ok) == ($0.remedy == nil) })
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["statex.yaml"])
    }

    @Test func `a handler whose program or key is missing is an error`() throws {
        let findings = try examine(
            """
            data_dir: \(scratch.path)
            handlers:
              - {kind: good, process: {command: [sh]}}
              - {kind: gone, process: {command: [/no/such/program]}}
              - {kind: directory, process: {command: [/usr]}}
              - {kind: open, http: {url: 'http://127.0.0.1:1'}}
              - {kind: keyless, http: {url: 'http://127.0.0.1:1', key_environment: NO_SUCH_KEY}}
            """)
        func status(_ kind: String) -> Finding.Status? { findings.first { $0.name == "handler \(kind)" }?.status }
        #expect(status("good") == .ok)
        #expect(status("gone") == .error)
        #expect(status("directory") == .error)
        #expect(status("open") == .ok)
        #expect(status("keyless") == .error)
    }

    @Test(arguments: [
        ("fsync", "off"), ("synchronous_commit", "off"), ("synchronous_commit", "local"), ("full_page_writes", "off"),
        ("data_sync_retry", "on"),
        ("autovacuum", "off"), ("transaction_read_only", "on"), ("server_encoding", "SQL_ASCII"),
    ])
    func `a setting that breaks a promise is an error`(name: String, value: String) {
        let good = [
            "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_sync_retry": "off",
            "autovacuum": "on",
            "transaction_read_only": "off", "server_encoding": "UTF8", "data_checksums": "on", "max_connections": "100",
        ]
        #expect(DatabaseRules.judge(good).allSatisfy { $0.status == .ok })
        let findings = DatabaseRules.judge(good.merging([name: value]) { $1 })
        #expect(findings.filter { $0.status == .error }.map(\.name) == [name])
    }

    @Test func `the settings of a database that runs are read, and a password is not told`() throws {
        var postgres = try EmbeddedPostgres(directory: scratch.path, changes: ["full_page_writes": "off"])
        try postgres.start()
        // Found by the data directory alone.
        let found = try examine("data_dir: \(scratch.path)")
        #expect(found.first { $0.name == "postgres" }?.detail.hasPrefix("version 1") == true)
        #expect(found.first { $0.name == "fsync" && $0.detail == "on" }?.status == .ok)
        #expect(found.first { $0.name == "full_page_writes" }?.status == .error)
        let named = try examine("database: postgresql://u:hunter2@127.0.0.1:1/x")
        #expect(named.first { $0.name == "postgres" }?.status == .error)
        #expect(!"\(named)".contains("hunter2"))
    }
}
