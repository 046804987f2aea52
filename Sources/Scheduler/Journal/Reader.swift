import CLinux
import Glibc
import StatexHandOff
import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// The thread that reads: payloads, results, producers, keys; and the maintenance of partitions. It has
/// a connection of its own, so it never delays a commit.
package struct Reader: ~Copyable {
    private let url: String
    private let keyDays: Int
    private let epoch: UInt32
    private let handOff: HandOff
    private let complain: @Sendable (String) -> Void
    private var link: Link?
    private var nextMaintenance: Int64 = 0
    private var nextWatch: Int64 = 0

    /// - Parameters:
    ///   - keyDays: how many days a user's key is remembered.
    ///   - epoch: of this owner.
    ///   - complain: hears what could not be read and why, for the log.
    package init(
        url: String, keyDays: Int, epoch: UInt32, handOff: HandOff, complain: @escaping @Sendable (String) -> Void
    ) {
        self.url = url
        self.keyDays = keyDays
        self.epoch = epoch
        self.handOff = handOff
        self.complain = complain
    }

    private static let maintenanceNanoseconds: Int64 = 60_000_000_000
    private static let watchNanoseconds: Int64 = 5_000_000_000

    package mutating func run() {
        while true {
            handOff.readWakeup.wait(milliseconds: Int(Self.watchNanoseconds / 1_000_000))
            for request in handOff.reads.takeAll() {
                if case .stop = request { return }
                answer(request)
            }
            maintain()
            watchChain()
        }
    }

    /// An owner that has nothing to commit would not notice that another took over, and would keep its
    /// idle workers from it for ever.
    private mutating func watchChain() {
        let now = clinux_monotonic_nanoseconds()
        guard now >= nextWatch else { return }
        nextWatch = now + Self.watchNanoseconds
        do throws(PostgresError) {
            if link == nil { link = Link(try Session.open(url, name: "statex reader")) }
            guard let link, let end = try Chain.end(link.connection, shard: 0), end.head.epoch > epoch else { return }
            handOff.events.put(.stepDown(.fenced(by: "\(end.owner), backend \(end.backendPID)")))
        } catch {
            link = nil
        }
    }

    /// Answers, however long Postgres takes to come back: who asked waits, and nothing else does. What it refuses
    /// for good is told to who asked.
    private mutating func answer(_ request: ReadRequest) {
        var pause = 50
        while true {
            do throws(PostgresError) {
                if link == nil { link = Link(try Session.open(url, name: "statex reader")) }
                guard let found = try read(request) else { return }
                handOff.events.put(.read(found))
                return
            } catch {
                guard !error.isReadRefusal else { return refused(request, error) }
                link = nil
                var nap = timespec(tv_sec: 0, tv_nsec: pause * 1_000_000)
                nanosleep(&nap, nil)
                pause = min(pause * 2, 900)
            }
        }
    }

    /// Halves what was refused until it stands alone: the rest is readable.
    private mutating func refused(_ request: ReadRequest, _ error: PostgresError) {
        let halves = request.halves
        guard halves.isEmpty else {
            for half in halves { answer(half) }
            return
        }
        complain("the journal refused to read: \(error)")
        handOff.events.put(.read(.refused(request, "the journal refused to read it: \(error)")))
    }

    private func read(_ request: ReadRequest) throws(PostgresError) -> ReadAnswer? {
        guard let link else { return nil }
        switch request {
        case .payloads(let wanted): return .payloads(try PayloadReader.read(wanted, link.connection))
        case .outcomes(let lookups): return try outcomes(lookups, link.connection)
        case .results(let lookups): return .results(try results(lookups, link.connection))
        case .producer(let producer, let tag):
            return .producer(producer, runs: try runs(of: producer, link.connection), tag: tag)
        case .keys(let keys, let unique, let tag):
            return .keys(
                try uses(of: keys, link.connection), unique: try UniqueReader.uses(of: unique, link.connection),
                tag: tag)
        case .order(let lookup): return .order(try OrderReader(connection: link).findings(of: lookup))
        case .stop: return nil
        }
    }

    private mutating func maintain() {
        let now = clinux_monotonic_nanoseconds()
        guard now >= nextMaintenance else { return }
        do throws(PostgresError) {
            if link == nil { link = Link(try Session.open(url, name: "statex reader")) }
            guard let link else { return }
            let end = try Chain.end(link.connection, shard: 0)
            try Partitions.prepare(
                on: link.connection, at: clinux_wall_microseconds(), hour: (end?.head.nextID ?? 0) >> 43,
                batch: end?.head.batch ?? 1)
            nextMaintenance = now + Self.maintenanceNanoseconds
        } catch {
            // The committer makes a partition that is missing by itself; this is tried again soon.
            link = nil
            nextMaintenance = now + Self.maintenanceNanoseconds / 10
        }
    }

    private func outcomes(_ lookups: [Outbox.OutcomeLookup], _ connection: borrowing Connection) throws(PostgresError)
        -> ReadAnswer
    {
        let rows = try connection.query(
            // Each page is read once, however many of its jobs are asked about.
            """
            WITH pages AS MATERIALIZED (
                SELECT w.job >> 12 AS page, array_agg((w.job & 4095)::smallint) AS slots,
                    array_agg(w.token) AS tokens, min(w.job) AS low, max(w.job) AS high
                FROM unnest($1::bigint[], $2::bigint[]) AS w(job, token) GROUP BY 1
            )
            SELECT (p.page << 12) | o.slot, o.token, o.ending FROM pages p CROSS JOIN LATERAL (
                SELECT e.slot, c.base + e.token AS token, max(e.ends & 255) AS ending
                FROM statex.outcome_chunks_of(p.low, p.high) c
                CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.ends) AS e(slot, token, ends)
                WHERE c.offsets && p.slots AND c.base + e.token = ANY (p.tokens)
                GROUP BY 1, 2
            ) o
            """, [idList(lookups.map(\.id)), idList(lookups.map(\.token))], doing: "outcomes")
        struct Lease: Hashable {
            var job: UInt64
            var token: UInt64
        }
        var recorded: [Lease: Ending] = [:]
        for row in 0..<rows.rows {
            let lease = Lease(
                job: UInt64(bitPattern: rows.integer(row, 0)), token: UInt64(bitPattern: rows.integer(row, 1)))
            recorded[lease] = Ending(rawValue: UInt8(truncatingIfNeeded: rows.integer(row, 2)))
        }
        return .outcomes(
            lookups.map { lookup in
                let ending = recorded[Lease(job: lookup.id, token: lookup.token)]
                return (lookup: lookup, isRecorded: ending.map(lookup.isAnswered) ?? false)
            })
    }

    private func results(_ lookups: [Outbox.ResultLookup], _ connection: borrowing Connection) throws(PostgresError)
        -> [FoundResult]
    {
        let rows = try connection.queryBinary(
            """
            SELECT id, opts, kind, state, attempts, losses, ended, encoding, body
            FROM statex.job_results($1::bigint[])
            """, [idList(lookups.map(\.record.id.rawValue))], doing: "results")
        var byID: [UInt64: Int] = [:]
        for row in 0..<rows.rows { byID[UInt64(bitPattern: rows.binaryInteger(row, 0))] = row }
        var found: [FoundResult] = []
        for lookup in lookups {
            guard let row = byID[lookup.record.id.rawValue] else {
                let record = ResultRecord(id: lookup.record.id, count: 0, state: nil)
                found.append(FoundResult(lookup: lookup, record: record, kind: "", body: []))
                continue
            }
            let opts = UInt64(bitPattern: rows.binaryInteger(row, 1))
            let number = UInt8(truncatingIfNeeded: rows.binaryInteger(row, 3))
            var record = ResultRecord(
                id: lookup.record.id, index: JobOpts.index(opts), count: JobOpts.count(opts),
                state: number == 0 ? .running : JobState(rawValue: number))
            record.attempts = UInt16(truncatingIfNeeded: rows.binaryInteger(row, 4))
            record.losses = UInt16(truncatingIfNeeded: rows.binaryInteger(row, 5))
            record.ended = rows.binaryInteger(row, 6)
            record.encoding = Encoding(rawValue: UInt8(truncatingIfNeeded: rows.binaryInteger(row, 7))) ?? .bytes
            let kind = rows.withBytes(row, 2) { (try? $0.text(0..<$0.byteCount, "kind")) ?? "" }
            let body = rows.withBytes(row, 8) { $0.array(0..<$0.byteCount) }
            record.bodyLength = UInt32(body.count)
            found.append(FoundResult(lookup: lookup, record: record, kind: kind, body: body))
        }
        return found
    }

    /// What a producer submitted, at least as far back as its window.
    private func runs(of producer: Producer, _ connection: borrowing Connection) throws(PostgresError) -> [Producers
        .Run]
    {
        let uuid = Self.uuid(producer)
        let rows = try connection.query(
            """
            SELECT r.sequence, r.count, r.first_id, r.jobs_each, s.batch FROM statex.submits s
            CROSS JOIN LATERAL unnest(s.sequences, s.counts, s.first_ids, s.jobs_each) AS r(sequence, count, first_id, jobs_each)
            WHERE s.producer = $1::uuid AND s.last_sequence >=
                (SELECT max(last_sequence) - \(Limits.producerWindow) FROM statex.submits WHERE producer = $1::uuid)
            ORDER BY 1
            """, [uuid], doing: "producer")
        return (0..<rows.rows).map { row in
            Producers.Run(
                sequence: UInt64(bitPattern: rows.integer(row, 0)), count: UInt64(bitPattern: rows.integer(row, 1)),
                firstID: UInt64(bitPattern: rows.integer(row, 2)), jobsEach: UInt64(bitPattern: rows.integer(row, 3)),
                batch: UInt64(bitPattern: rows.integer(row, 4)))
        }
    }

    static func uuid(_ producer: Producer) -> String {
        func hex(_ value: UInt64) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return hex(producer.high) + hex(producer.low)
    }

    private func uses(of keys: [UserKeys.Key], _ connection: borrowing Connection) throws(PostgresError) -> [UserKeys
        .Key: UserKeys.Use]
    {
        let today = clinux_wall_microseconds() / 86_400_000_000
        var uses: [UserKeys.Key: UserKeys.Use] = [:]
        for key in keys {
            let rows = try connection.queryBinary(
                """
                SELECT k.digest, k.request, k.jobs FROM statex.keys k
                JOIN statex.names n ON n.number = k.tenant AND n.family = 2 AND n.name = $1
                WHERE k.key = $2::bytea AND k.day > $3::int ORDER BY k.day DESC LIMIT 1
                """, [key.tenant, byteaText(key.key), String(today - Int64(keyDays))], doing: "keys")
            guard rows.rows == 1 else { continue }
            uses[key] = UserKeys.Use(
                digest: rows.withBytes(0, 0) { $0.array(0..<$0.byteCount) },
                request: UInt64(bitPattern: rows.binaryInteger(0, 1)),
                jobs: UInt16(truncatingIfNeeded: rows.binaryInteger(0, 2)), batch: 0)
        }
        return uses
    }
}
