import CLinux
import StatexPostgres
import StatexSchedulerCore

/// Where the journal is and who opens it.
package struct JournalSettings: Sendable {
    package var url: String
    package var shard: UInt8 = 0
    package var owner: Owner
    /// Take the shard from an owner that is still connected.
    package var takesOver = false
    /// How long another owner's lock is waited for, in seconds.
    package var courtesySeconds = 10

    package init(url: String, owner: Owner) {
        self.url = url
        self.owner = owner
    }
}

/// Why a journal could not be opened.
package enum JournalOpenError: Error, Sendable, CustomStringConvertible {
    case postgres(PostgresError)
    /// Another scheduler owns the shard and is connected.
    case held(by: String)
    /// The settings of this Postgres lose acknowledged jobs.
    case notDurable([String])

    /// Postgres is starting, or restarting.
    package var isWorthWaiting: Bool {
        if case .postgres(let error) = self { return error.isConnectionLoss }
        return false
    }

    package var description: String {
        switch self {
        case .postgres(let error): error.description
        case .held(let owner): "another scheduler owns the journal: \(owner); stop it, or insist with --take-over"
        case .notDurable(let faults): faults.joined(separator: "; ")
        }
    }
}

/// An opened journal: this process owns the shard, and its row stands at the chain's end.
package struct OpenedJournal: ~Copyable {
    package let connection: Connection
    package let head: ChainHead
    package let durability: Durability

    consuming func takeConnection() -> Connection { connection }
}

extension JournalSettings {
    /// Connects, migrates, takes the shard by appending to its chain.
    package func open() throws(JournalOpenError) -> OpenedJournal {
        let connection = try attempt { () throws(PostgresError) in try Session.open(url, name: "statex journal") }
        let durability = try attempt { () throws(PostgresError) in
            try Session.requireDurableCommits(connection)
            return try Session.durability(connection)
        }
        guard durability.faults.isEmpty else { throw .notDurable(durability.faults) }
        let holder = try attempt { () throws(PostgresError) in
            try Migrator.run(on: connection)
            return try waitForLock(connection)
        }
        if let holder, !takesOver { throw .held(by: holder) }
        let head = try attempt { () throws(PostgresError) in try append(to: connection) }
        return OpenedJournal(connection: connection, head: head, durability: durability)
    }

    private func attempt<T: ~Copyable>(_ body: () throws(PostgresError) -> T) throws(JournalOpenError) -> T {
        do throws(PostgresError) { return try body() } catch { throw .postgres(error) }
    }

    /// Courtesy before force: the owner's connection holds a session lock. The fence stays the chain.
    /// - Returns: who holds it, or nil if it is ours now.
    func waitForLock(_ connection: borrowing Connection) throws(PostgresError) -> String? {
        let until = clinux_monotonic_nanoseconds() + Int64(takesOver ? 0 : courtesySeconds) * 1_000_000_000
        while true {
            let row = try connection.query(
                "SELECT pg_try_advisory_lock(\(Self.lockClass), \(shard))", doing: "shard lock")
            if row.text(0, 0) == "t" { return nil }
            guard clinux_monotonic_nanoseconds() < until else { break }
            let nap = try connection.query("SELECT pg_sleep(0.2)", doing: "shard lock")
            _ = consume nap
        }
        let owner = try connection.query(
            """
            SELECT owner || ', backend ' || backend_pid FROM statex.commits
            WHERE shard = \(shard) AND owner IS NOT NULL ORDER BY batch DESC LIMIT 1
            """, doing: "shard lock")
        return owner.rows == 1 ? owner.text(0, 0) : "an unknown process"
    }

    /// Any number that nothing else uses: "stx" in ASCII.
    static let lockClass = 0x737478
    /// Held by who does retention.
    static let retentionLockClass = lockClass + 1

    /// Appends the first row of a new epoch: from then on every earlier owner's commit fails.
    private func append(to connection: borrowing Connection) throws(PostgresError) -> ChainHead {
        let incarnation = try Chain.incarnation(connection, new: UInt64.random(in: 1...UInt64.max))
        let now = clinux_wall_microseconds()
        // Another owner may append meanwhile: then ours is refused, and its row is the new end.
        for _ in 0..<100 {
            let end = try Chain.end(connection, shard: shard)
            let hour = UInt64(max(now, 0)) / 3_600_000_000
            let firstID = hour << 43 | UInt64(shard) << 35
            var head =
                end?.head
                ?? ChainHead(batch: 0, incarnation: incarnation, epoch: 0, nextID: firstID, nextToken: 1, nextName: 1)
            head.batch += 1
            head.epoch += 1
            try Partitions.prepare(on: connection, at: now, hour: head.nextID >> 43, batch: head.batch)
            let batch = CommitBatch()
            batch.head = CommitBatch.Head(head, shard: shard, at: now)
            var writer = CommitWriter(owner: owner)
            writer.encode(batch, takesOver: true)
            do throws(PostgresError) {
                try Statements.prepareCommit(on: connection)
                try writer.send(on: connection) { -1 }
                return head
            } catch {
                guard error.isUniqueViolation else { throw error }
                try connection.run("ROLLBACK; DEALLOCATE ALL", doing: "take over")
            }
        }
        throw PostgresError(doing: "take over", state: "40001", message: "other owners append all the time")
    }
}
