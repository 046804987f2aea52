import CLinux
import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// The journal alone, for `statex bench limit`: commits that hold the whole life of a job (its row, its
/// lease, its outcome), as the scheduler writes them in steady state.
package enum JournalLoad {
    /// - Returns: jobs a second.
    package static func run(
        url: String, owner: Owner, jobs total: Int = 400_000, group: Int = 1_000, payloadBytes: Int = 256
    ) throws(JournalOpenError) -> Double {
        let opened = try JournalSettings(url: url, owner: owner).open()
        var head = opened.head
        let connection = opened.takeConnection()
        var writer = CommitWriter(owner: owner)
        let payload = [UInt8](repeating: 120, count: payloadBytes)
        let batch = CommitBatch()
        let groups = total / group
        let first = head.nextID
        let started = clinux_monotonic_nanoseconds()
        do throws(PostgresError) {
            // The lease of a group follows in the commit after its jobs, its outcome one later.
            for number in 0..<groups + 2 {
                batch.reset()
                let start = first + UInt64(number * group)
                if number < groups { addJobs(group, from: start, payload, to: batch) }
                if number > 0, number <= groups {
                    addLeases(group, from: start - UInt64(group), token: head.nextToken, to: batch)
                }
                if number > 1 {
                    addOutcomes(
                        group, from: start - UInt64(2 * group), token: head.nextToken - UInt64(group), to: batch)
                }
                head.batch += 1
                head.nextID = start + UInt64(group)
                head.nextToken += number > 0 && number <= groups ? UInt64(group) : 0
                batch.head = CommitBatch.Head(head, shard: 0, at: clinux_wall_microseconds())
                writer.encode(batch)
                try writer.send(on: connection) { -1 }
            }
        } catch {
            throw .postgres(error)
        }
        return Double(total) / (Double(clinux_monotonic_nanoseconds() - started) / 1_000_000_000)
    }

    fileprivate static func addJobs(_ count: Int, from start: UInt64, _ payload: [UInt8], to batch: CommitBatch) {
        for index in 0..<UInt64(count) {
            let from = batch.payloads.buffer.count
            batch.payloads.buffer.append(payload)
            let opts = JobOpts.pack(index: 0, count: 1, priority: 5, attempts: 3, encoding: 0, hasOptions: false)
            batch.jobs.append(
                CommitBatch.JobRow(
                    id: start + index, opts: opts, kind: 1, tenant: 2, payloadStart: from, payloadLength: payload.count)
            )
        }
    }

    fileprivate static func addLeases(_ count: Int, from start: UInt64, token: UInt64, to batch: CommitBatch) {
        for index in 0..<UInt64(count) {
            batch.leases.append(
                CommitBatch.LeaseRow(
                    id: start + index, token: token + index, worker: 3, attempt: 1, slot: 0, workerIndex: 0))
        }
    }

    fileprivate static func addOutcomes(_ count: Int, from start: UInt64, token: UInt64, to batch: CommitBatch) {
        for index in 0..<UInt64(count) {
            batch.outcomes.append(
                CommitBatch.OutcomeRow(
                    id: start + index, token: token + index, started: 0.002, ended: 0.001, retry: -1,
                    ending: .succeeded,
                    final: .succeeded, result: -1, slot: 0))
        }
    }
}

/// Commits one job's whole life at a time (chain row, job, lease, outcome) with the connection settings of
/// the journal, in a shard of its own: what `statex bench latency` compares with.
package struct JournalProbe: ~Copyable {
    private static let shard: UInt8 = 255
    private let connection: Connection
    private var head: ChainHead
    private var writer: CommitWriter
    private let batch = CommitBatch()
    private let payload: [UInt8]

    package init(url: String, owner: Owner, payloadBytes: Int) throws(JournalOpenError) {
        var settings = JournalSettings(url: url, owner: owner)
        settings.shard = Self.shard
        let opened = try settings.open()
        head = opened.head
        writer = CommitWriter(owner: owner)
        payload = [UInt8](repeating: 120, count: payloadBytes)
        connection = opened.takeConnection()
    }

    /// - Returns: how long the commit took, in nanoseconds.
    package mutating func commitOne() throws(PostgresError) -> Int64 {
        batch.reset()
        JournalLoad.addJobs(1, from: head.nextID, payload, to: batch)
        JournalLoad.addLeases(1, from: head.nextID, token: head.nextToken, to: batch)
        JournalLoad.addOutcomes(1, from: head.nextID, token: head.nextToken, to: batch)
        head.batch += 1
        head.nextID += 1
        head.nextToken += 1
        batch.head = CommitBatch.Head(head, shard: Self.shard, at: clinux_wall_microseconds())
        let started = clinux_monotonic_nanoseconds()
        writer.encode(batch)
        try writer.send(on: connection) { -1 }
        return clinux_monotonic_nanoseconds() - started
    }
}
