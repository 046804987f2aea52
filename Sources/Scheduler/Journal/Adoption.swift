import CLinux
import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// A journal that came back from a backup, or from a replica that lacked commits, is taken as it is: it
/// gets a new incarnation, so that what workers and clients still hold from before is known as such.
///
/// It also gets ids that were never given: those of after the restored point name other jobs, for ever.
package struct Adoption: Sendable {
    package let before: ChainHead
    /// When the last commit that is left was made, in microseconds since 1970.
    package let lastCommitAt: Int64
    /// The row that is appended.
    package let after: ChainHead
}

package enum AdoptError: Error, Sendable, CustomStringConvertible {
    case postgres(PostgresError)
    case held(by: String)
    /// There is no journal, or it has no commit: a scheduler that starts gives it an incarnation.
    case nothingToAdopt

    package var description: String {
        switch self {
        case .postgres(let error): error.description
        case .held(let owner): "a scheduler owns the journal: \(owner); stop it first"
        case .nothingToAdopt: "there is no journal here: start a scheduler, which makes one"
        }
    }
}

extension JournalSettings {
    /// Adopts the journal if `confirm` says so after a look at what will be done.
    /// - Returns: what was done, or would have been; whether it was.
    package func adopt(confirm: (Adoption) -> Bool) throws(AdoptError) -> (adoption: Adoption, isDone: Bool) {
        let connection = try attempt { () throws(PostgresError) in
            let connection = try Session.open(url, name: "statex adopt")
            try Session.requireDurableCommits(connection)
            return connection
        }
        let exists = try attempt { () throws(PostgresError) in
            try connection.query("SELECT to_regclass('statex.commits') IS NOT NULL", doing: "look for a journal")
                .text(0, 0)
        }
        guard exists == "t" else { throw .nothingToAdopt }
        // Held until the end: no scheduler starts between the look and the deed.
        if let holder = try attempt({ () throws(PostgresError) in try waitForLock(connection) }) {
            throw .held(by: holder)
        }
        guard let end = try attempt({ () throws(PostgresError) in try Chain.end(connection, shard: shard) }) else {
            throw .nothingToAdopt
        }
        let now = clinux_wall_microseconds()
        let adoption = Adoption(before: end.head, lastCommitAt: end.at, after: next(end.head, at: now))
        guard confirm(adoption) else { return (adoption, false) }
        try attempt { () throws(PostgresError) in try append(adoption.after, to: connection, at: now) }
        return (adoption, true)
    }

    private func attempt<T: ~Copyable>(_ body: () throws(PostgresError) -> T) throws(AdoptError) -> T {
        do throws(PostgresError) { return try body() } catch { throw .postgres(error) }
    }

    private func append(_ head: ChainHead, to connection: borrowing Connection, at now: Int64) throws(PostgresError) {
        try Migrator.run(on: connection)
        try Partitions.prepare(on: connection, at: now, hour: JobID(rawValue: head.nextID).hour, batch: head.batch)
        let batch = CommitBatch()
        batch.head = CommitBatch.Head(head, shard: shard, at: now)
        var writer = CommitWriter(owner: owner)
        writer.encode(batch, takesOver: true)
        try Statements.prepareCommit(on: connection)
        try writer.send(on: connection) { -1 }
    }

    private func next(_ end: ChainHead, at now: Int64) -> ChainHead {
        var incarnation = end.incarnation
        while incarnation == end.incarnation { incarnation = .random(in: 1...UInt64.max) }
        return end.adopted(as: incarnation, at: now)
    }
}
