import StatexHandOff
import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// Reads what leased jobs are handed: payloads that are no longer cached, and the results of other jobs that
/// some take as input; and the latest checkpoint.
enum PayloadReader {
    private struct Row {
        var payload: [UInt8]
        /// The jobs whose results the job takes, and the places in the request that they stand for.
        var inputs: [(index: UInt16, job: UInt64)] = []
        var trace: TraceContext?
    }

    static func read(_ wanted: [PayloadWanted], _ connection: borrowing Connection) throws(PostgresError)
        -> [FoundPayload]
    {
        let rows = try rows(of: wanted.map(\.id), connection)
        let jobs = rows.values.flatMap { $0.inputs.map(\.job) }
        let results = jobs.isEmpty ? [:] : try results(of: jobs, connection)
        let checkpoints = try checkpoints(of: wanted.filter(\.hasCheckpoint).map(\.id), connection)
        return wanted.compactMap { wanted in
            guard let row = rows[wanted.id] else { return nil }
            let inputs = row.inputs.map { place in
                // A result that is empty has no row.
                results[place.job].map { input in
                    var input = input
                    input.index = place.index
                    return input
                } ?? LeaseInput(index: place.index, encoding: .bytes, body: [])
            }
            return FoundPayload(
                wanted: wanted, payload: row.payload, inputs: inputs, checkpoint: checkpoints[wanted.id],
                trace: row.trace)
        }
    }

    private static func checkpoints(of ids: [UInt64], _ connection: borrowing Connection) throws(PostgresError)
        -> [UInt64: [UInt8]]
    {
        guard !ids.isEmpty else { return [:] }
        let rows = try connection.queryBinary(
            """
            SELECT DISTINCT ON (job) job, data FROM statex.checkpoints
            WHERE job = ANY($1::bigint[]) ORDER BY job, token DESC, batch DESC
            """, [idList(ids)], doing: "checkpoints")
        var checkpoints: [UInt64: [UInt8]] = [:]
        for row in 0..<rows.rows {
            checkpoints[UInt64(bitPattern: rows.binaryInteger(row, 0))] = rows.withBytes(row, 1) {
                $0.array(0..<$0.byteCount)
            }
        }
        return checkpoints
    }

    private static func rows(of ids: [UInt64], _ connection: borrowing Connection) throws(PostgresError) -> [UInt64:
        Row]
    {
        let found = try connection.queryBinary(
            """
            SELECT j.id, j.payload, j.id - (j.opts & 4095), array_to_string(o.after_jobs, ' '),
                -- What a retry by hand takes may be the result of a retry too.
                CASE WHEN o.retry_of IS NOT NULL THEN
                    (SELECT string_agg(coalesce(statex.succeeded_as(o.request + (a.packed & 4095)), 0)::text, ' '
                        ORDER BY a.place) FROM unnest(o.after_jobs) WITH ORDINALITY AS a(packed, place)) END,
                o.traceparent
            FROM statex.all_jobs j
            LEFT JOIN statex.job_options o ON j.opts >> 45 & 1 = 1 AND o.id = j.id
            WHERE j.id = ANY($1::bigint[])
            """, [idList(ids)], doing: "payloads")
        var rows: [UInt64: Row] = [:]
        rows.reserveCapacity(found.rows)
        for row in 0..<found.rows {
            let id = UInt64(bitPattern: found.binaryInteger(row, 0))
            rows[id] = Row(payload: found.withBytes(row, 1) { $0.array(0..<$0.byteCount) })
            if !found.isNull(row, 5) { rows[id]?.trace = TraceContext(found.text(row, 5)) }
            guard !found.isNull(row, 3) else { continue }
            let request = UInt64(bitPattern: found.binaryInteger(row, 2))
            let after = dependencies(inList: found.text(row, 3))
            let retried = found.text(row, 4).split(separator: " ").compactMap { UInt64($0) }
            for (place, dependency) in after.enumerated() where dependency.isInput {
                let job = retried.count == after.count ? retried[place] : request + UInt64(dependency.index)
                rows[id]?.inputs.append((dependency.index, job))
            }
        }
        return rows
    }

    /// The results of these jobs, which succeeded.
    private static func results(of ids: [UInt64], _ connection: borrowing Connection) throws(PostgresError) -> [UInt64:
        LeaseInput]
    {
        let found = try connection.queryBinary(
            """
            SELECT job, encoding, body FROM statex.results
            WHERE job = ANY($1::bigint[]) AND ending = \(Ending.succeeded.rawValue)
            """, [idList(ids)], doing: "inputs")
        var results: [UInt64: LeaseInput] = [:]
        for row in 0..<found.rows {
            let encoding = Encoding(rawValue: UInt8(truncatingIfNeeded: found.binaryInteger(row, 1))) ?? .bytes
            results[UInt64(bitPattern: found.binaryInteger(row, 0))] = LeaseInput(
                index: 0, encoding: encoding, body: found.withBytes(row, 2) { $0.array(0..<$0.byteCount) })
        }
        return results
    }
}

/// Ids as the text of a Postgres array.
func idList(_ ids: [UInt64]) -> String { "{" + ids.map { String($0) }.joined(separator: ",") + "}" }

/// What a job waits for, from `after_jobs` as text: numbers with a space between.
func dependencies(inList text: String) -> [JobDependency] {
    text.split(separator: " ").compactMap { UInt16($0).map(JobDependency.init(packed:)) }
}
