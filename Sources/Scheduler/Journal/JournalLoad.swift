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
                if number > 0, number <= groups { addLeases(group, from: start - UInt64(group), token: head.nextToken, to: batch) }
                if number > 1 { addOutcomes(group, from: start - UInt64(2 * group), token: head.nextToken - UInt64(group), to: batch) }
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

    private static func addJobs(_ count: Int, from start: UInt64, _ payload: [UInt8], to batch: CommitBatch) {
        for index in 0..<UInt64(count) {
            let from = batch.payloads.buffer.count
            batch.payloads.buffer.append(payload)
            let opts = JobOpts.pack(index: 0, count: 1, priority: 5, attempts: 3, encoding: 0, hasOptions: false)
            batch.jobs.append(
                CommitBatch.JobRow(
                    id: start + index, opts: opts, kind: 1, tenant: 2, payloadStart: from, payloadLength: payload.count))
        }
    }

    private static func addLeases(_ count: Int, from start: UInt64, token: UInt64, to batch: CommitBatch) {
        for index in 0..<UInt64(count) {
            batch.leases.append(
                CommitBatch.LeaseRow(
                    id: start + index, token: token + index, worker: 3, attempt: 1, slot: 0, workerIndex: 0))
        }
    }

    private static func addOutcomes(_ count: Int, from start: UInt64, token: UInt64, to batch: CommitBatch) {
        for index in 0..<UInt64(count) {
            batch.outcomes.append(
                CommitBatch.OutcomeRow(
                    id: start + index, token: token + index, started: 0.002, ended: 0.001, retry: -1, ending: .succeeded,
                    final: .succeeded, result: -1, slot: 0))
        }
    }
}
