import CLinux
import Glibc
import StatexHandOff
import StatexPostgres
import StatexSchedulerCore

/// The thread that commits: one connection, one commit at a time, and nothing is ever guessed.
///
/// After an error the same bytes are sent again under the same batch number until the chain says what
/// became of them. Only the chain decides whether this process is still the owner.
package struct Committer: ~Copyable {
    private let settings: JournalSettings
    private let handOff: HandOff
    private let say: @Sendable (String) -> Void
    private var link: Link?
    private var writer: CommitWriter
    private var isDown = false
    /// The end of the chain, as far as this owner made it.
    private var last: ChainHead
    private var acknowledged: AcknowledgedIDs

    /// So long the journal is not looked at when there is nothing to commit.
    private static let idleMilliseconds = 1_000

    /// - Parameter say: hears when the journal goes down, why, and when it is back, for the log.
    package init(
        _ opened: consuming OpenedJournal, settings: JournalSettings, handOff: HandOff,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.settings = settings
        self.handOff = handOff
        self.say = say
        writer = CommitWriter(owner: settings.owner)
        last = opened.head
        acknowledged = AcknowledgedIDs(from: opened.head.nextID)
        link = Link(opened.takeConnection())
    }

    /// Commits what it is told until it is told to stop, or must step down.
    package mutating func run() {
        while true {
            handOff.commitWakeup.wait(milliseconds: Self.idleMilliseconds)
            let orders = handOff.commits.takeAll()
            if orders.isEmpty, let reason = watch() {
                handOff.events.put(.stepDown(reason))
                return
            }
            for order in orders {
                switch order {
                case .stop: return
                case .commit(let lent):
                    let started = clinux_monotonic_nanoseconds()
                    if let reason = commit(lent.object) {
                        handOff.events.put(.stepDown(reason))
                        return
                    }
                    last.batch = lent.object.head.batch
                    acknowledged.committed(nextID: lent.object.head.nextID)
                    let took = clinux_monotonic_nanoseconds() - started
                    handOff.events.put(.committed(batch: last.batch, nanoseconds: took))
                }
            }
        }
    }

    /// Nothing is to be committed. An owner that was replaced must not go on talking to its peers, who
    /// would wait with it for ever; and that the journal is away is better known before a submit comes.
    private mutating func watch() -> StepDown? {
        var next = CommitBatch.Head()
        next.batch = last.batch + 1
        next.epoch = last.epoch
        next.incarnation = last.incarnation
        do throws(PostgresError) {
            let verdict: Attempt?
            if let link { verdict = try judge(next, on: link.connection) } else { verdict = try reconnect(next) }
            if case .stepDown(let reason) = verdict { return reason }
            isBack()
            handOff.events.put(.owned)
        } catch {
            link = nil
            if !isDown { isAway(error.description) }
        }
        return nil
    }

    private mutating func isAway(_ why: String) {
        handOff.events.put(.down(why))
        if !isDown { say("the journal is down: \(why)") }
        isDown = true
    }

    private mutating func isBack() {
        guard isDown else { return }
        handOff.events.put(.up)
        say("the journal is back")
        isDown = false
    }

    /// - Returns: nil once the batch is durable.
    private mutating func commit(_ batch: CommitBatch) -> StepDown? {
        writer.encode(batch)
        var pause: Int64 = 50
        while true {
            switch attempt(batch) {
            case .durable:
                isBack()
                return nil
            case .stepDown(let reason): return reason
            case .again(let why):
                isAway(why)
                var nap = timespec(tv_sec: Int(pause / 1_000), tv_nsec: Int(pause % 1_000) * 1_000_000)
                nanosleep(&nap, nil)
                pause = min(pause * 2, 1_000)
            }
        }
    }

    private enum Attempt {
        case durable
        case again(String)
        case stepDown(StepDown)
    }

    private mutating func attempt(_ batch: CommitBatch) -> Attempt {
        do throws(PostgresError) {
            if link == nil, let known = try reconnect(batch.head) { return known }
            guard let link else { return .again("no connection") }
            // A commit is waited for without a limit: its end must be known. Dead links end by keepalive.
            try writer.send(on: link.connection) { -1 }
            return .durable
        } catch {
            return afterFailure(error, batch)
        }
    }

    /// Connects anew and reads the chain's end: the batch that was sent, or the one before.
    /// - Returns: what that says about the batch; nil: it is not there, send it.
    private mutating func reconnect(_ head: CommitBatch.Head) throws(PostgresError) -> Attempt? {
        let fresh = try Session.open(settings.url, name: "statex journal")
        try Session.requireDurableCommits(fresh)
        try Statements.prepareCommit(on: fresh)
        let verdict = try judge(head, on: fresh)
        if verdict == nil {
            // Only the owner's lock tells other schedulers to be polite; losing it loses no data.
            let lock = try fresh.query(
                "SELECT pg_try_advisory_lock(\(JournalSettings.lockClass), \(settings.shard))", doing: "shard lock")
            _ = consume lock
        }
        link = Link(fresh)
        return verdict
    }

    /// What the chain says about a batch whose fate is unknown; nil: it did not happen (yet).
    private func judge(_ head: CommitBatch.Head, on connection: borrowing Connection) throws(PostgresError) -> Attempt?
    {
        let end = try Chain.end(connection, shard: settings.shard)
        if let end, isOurs(end) {
            if end.head.batch == head.batch { return .durable }
            if end.head.batch == head.batch - 1 { return nil }
        }
        if let end, try holdsOurs(connection, upTo: end) {
            return .stepDown(.fenced(by: "\(end.owner), backend \(end.backendPID)"))
        }
        let left = try Chain.common(
            connection, shard: settings.shard, owner: settings.owner.number, before: last.epoch)?.head
        return .stepDown(
            .wentBackwards(
                LostCommits(
                    acknowledged: last.batch, left: left?.batch ?? 0,
                    jobs: acknowledged.missing(from: left?.nextID ?? 0))))
    }

    private func isOurs(_ row: ChainEnd) -> Bool {
        row.ownerNumber == settings.owner.number && row.head.epoch == last.epoch
            && row.head.incarnation == last.incarnation
    }

    /// Whether a chain that another owner went on with still has our last commit below.
    private func holdsOurs(_ connection: borrowing Connection, upTo end: ChainEnd) throws(PostgresError) -> Bool {
        if let row = try Chain.row(connection, shard: settings.shard, batch: last.batch) { return isOurs(row) }
        // Or retention took it: then nothing older is there either.
        guard end.head.batch > last.batch, let start = try Chain.start(connection, shard: settings.shard) else {
            return false
        }
        return start > last.batch
    }

    private mutating func afterFailure(_ error: PostgresError, _ batch: CommitBatch) -> Attempt {
        guard !error.isConnectionLoss, let link else {
            link = nil
            return .again(error.description)
        }
        do throws(PostgresError) {
            try link.connection.run("ROLLBACK", doing: "roll back")
            if error.isUniqueViolation {
                if let known = try judge(batch.head, on: link.connection) { return known }
                return .stepDown(.broken("a unique key other than the chain's was violated: \(error)"))
            }
            if error.isLockTimeout {
                // An earlier try of this batch may still be under way in a backend that lost its client.
                try endOrphans(link.connection)
                return .again(error.description)
            }
            if error.isMissingPartition {
                try Partitions.prepare(
                    on: link.connection, at: batch.head.at, hour: batch.head.nextID >> 43, batch: batch.head.batch)
                return .again(error.description)
            }
            if error.isDataError {
                var poison = Poison(link, owner: settings.owner)
                guard try poison.remove(from: batch, because: error) > 0 else {
                    return .stepDown(.broken(error.description))
                }
                writer.encode(batch)
                return .again(error.description)
            }
            if error.isResourceShortage || error.state?.hasPrefix("40") == true { return .again(error.description) }
            return .stepDown(.broken(error.description))
        } catch let later {
            self.link = nil
            return .again(later.description)
        }
    }

    /// Ends this shard's older journal backends, which can only be this process' own former ones or a
    /// fenced owner's.
    private func endOrphans(_ connection: borrowing Connection) throws(PostgresError) {
        let ended = try connection.query(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'statex journal' AND pid <> pg_backend_pid() AND usename = current_user
              AND datname = current_database() AND state <> 'idle'
            """, doing: "end orphans")
        _ = consume ended
    }
}
