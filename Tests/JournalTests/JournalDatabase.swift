import Foundation
import StatexPostgres
import StatexProtocol
import StatexSchedulerCore
import StatexStack
import Testing

@testable import StatexJournal

/// One private Postgres for a suite; each test gets a database of its own in it.
struct WithPostgres: SuiteTrait, TestScoping {
    @TaskLocal static var url = ""

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        // Short, because sockets lie in it; open, because Postgres runs as an ordinary user.
        let path = "/tmp/statex-" + String(UInt64.random(in: .min ... .max), radix: 36)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: path) }
        var postgres = try EmbeddedPostgres(directory: path)
        try postgres.start()
        try await Self.$url.withValue(postgres.url) { try await function() }
        // Its directory goes: a checkpoint of dozens of databases would be written for nobody.
        try postgres.kill()
    }
}

/// The tests that need a Postgres are its parts, so that they share one.
@Suite("Journal", WithPostgres())
struct JournalTests {}

/// A database with the journal's schema.
struct JournalDatabase {
    let url: String

    /// - Parameter template: a database to copy; nobody may be connected to it.
    init(copying template: JournalDatabase? = nil) throws {
        let name = "t" + String(UInt64.random(in: .min ... .max), radix: 36)
        let server = try Connection(WithPostgres.url, name: "test")
        let copied = template.map { " TEMPLATE \($0.name)" } ?? ""
        try server.run("CREATE DATABASE \(name)\(copied)", doing: "create")
        url = WithPostgres.url.replacingOccurrences(of: "///statex?", with: "///\(name)?")
        guard template == nil else { return }
        try Migrator.run(on: try connect())
    }

    private var name: String { String(url.dropFirst("postgresql:///".count).prefix { $0 != "?" }) }

    func connect() throws -> Connection { try Session.open(url, name: "test") }

    /// What `sql` answers, rows by lines, columns by bars.
    @discardableResult
    func query(_ sql: String) throws -> String {
        let connection = try connect()
        let rows = try connection.query(sql, doing: "test")
        // PQnfields is not wrapped; a row as text says the same.
        return (0..<rows.rows).map { rows.text($0, 0) }.joined(separator: "\n")
    }

    func run(_ sql: String) throws {
        let connection = try connect()
        try connection.run(sql, doing: "test")
    }

    /// Waits until something holds in the database.
    func waitUntil(_ condition: String) throws {
        // No event tells it: it is asked again and again, a round trip each.
        let connection = try connect()
        let until = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < until {
            if try connection.query("SELECT \(condition)", doing: "test").text(0, 0) == "t" { return }
        }
        Issue.record("never true: \(condition)")
    }

    /// What a scheduler's journal is opened with.
    func settings(owner: UInt64, takesOver: Bool = true) -> JournalSettings {
        var settings = JournalSettings(url: url, owner: Owner(number: owner, name: "owner \(owner)"))
        settings.takesOver = takesOver
        settings.courtesySeconds = 0
        return settings
    }

    func verify() throws -> VerifyReport { try Verifier(url: url).run() }
}

/// Batches of one owner, made by hand.
struct BatchMaker {
    var head: ChainHead

    /// A commit of so many new jobs, each with its lease and its outcome.
    mutating func lives(_ count: Int, payload: [UInt8] = [1, 2, 3]) -> CommitBatch {
        let batch = CommitBatch()
        for index in 0..<UInt64(count) {
            let start = batch.payloads.buffer.count
            batch.payloads.buffer.append(payload)
            let id = head.nextID + index
            let token = head.nextToken + index
            batch.jobs.append(
                .init(
                    id: id,
                    opts: JobOpts.pack(index: 0, count: 1, priority: 5, attempts: 3, encoding: 0, hasOptions: false),
                    kind: 1, tenant: 2, payloadStart: start, payloadLength: payload.count))
            batch.leases.append(.init(id: id, token: token, worker: 3, attempt: 1, slot: 0, workerIndex: 0))
            batch.outcomes.append(
                .init(
                    id: id, token: token, started: 0.5, ended: 0.25, retry: -1, ending: .succeeded, final: .succeeded,
                    result: -1, slot: 0))
        }
        head.nextID += UInt64(count)
        head.nextToken += UInt64(count)
        number(batch)
        return batch
    }

    mutating func number(_ batch: CommitBatch) {
        head.batch += 1
        batch.head = CommitBatch.Head(head, shard: 0, at: Int64(head.nextID >> 43) * 3_600_000_000)
    }
}
