import StatexPostgres
import StatexProtocol
import StatexSchedulerCore

/// Reads what an operator's order needs of the journal: whether it was carried out before, jobs by their
/// tags, dead letters with their payloads.
struct OrderReader: ~Copyable {
    let connection: Link

    /// Payloads that one order takes into a commit: far below what a commit may gather.
    private static let payloadBytes = 16 << 20

    func findings(of lookup: OrderLookup) throws(PostgresError) -> OrderFindings {
        var findings = OrderFindings()
        findings.known = try known(lookup)
        guard findings.known == nil else { return findings }
        switch lookup.order.action {
        case .pause, .resume, .drain: break
        case .cancel:
            if !lookup.order.filter.tags.isEmpty { findings.tagged = try tagged(lookup) }
        case .retry: try readLetters(lookup.order.filter.jobs, withPayloads: true, into: &findings)
        case .drop: try readLetters(lookup.order.filter.jobs, withPayloads: false, into: &findings)
        }
        return findings
    }

    private func known(_ lookup: OrderLookup) throws(PostgresError) -> OrderReply? {
        let rows = try connection.connection.query(
            "SELECT reached, answer, more FROM statex.actions WHERE sender = $1::uuid AND number = $2::bigint",
            [Reader.uuid(lookup.sender), String(lookup.order.number)], doing: "known order")
        guard rows.rows > 0 else { return nil }
        var reply = OrderReply(number: lookup.order.number)
        reply.reached = UInt32(clamping: rows.integer(0, 0))
        reply.message = rows.text(0, 1)
        reply.hasMore = rows.text(0, 2) == "t"
        return reply
    }

    private func tagged(_ lookup: OrderLookup) throws(PostgresError) -> [UInt64] {
        let tags = lookup.order.filter.tags.enumerated().map { "$\($0.offset + 2)::text" }.joined(separator: ", ")
        let rows = try connection.connection.query(
            "SELECT id FROM statex.job_options WHERE id >= $1::bigint AND tags @> ARRAY[\(tags)]",
            [String(lookup.lowestOpen)] + lookup.order.filter.tags, doing: "tagged jobs")
        return (0..<rows.rows).map { UInt64(bitPattern: rows.integer($0, 0)) }
    }

    /// What it waits for must have succeeded meanwhile: itself, or by a retry.
    private static let mayRun = """
        \u{20}AND NOT EXISTS (
                        SELECT FROM statex.job_options o CROSS JOIN LATERAL unnest(o.after_jobs) AS a(packed)
                        WHERE o.id = d.id AND statex.succeeded_as(d.request + (a.packed & 4095)) IS NULL)
        """

    /// Those of the jobs that are failed or dead, and that nobody retried or dropped yet.
    private func readLetters(
        _ ids: [JobID], withPayloads: Bool, into findings: inout OrderFindings
    ) throws(PostgresError) {
        let list = idList(ids.map(\.rawValue))
        // As many as fit; the first in any case. What does not is the next order's.
        let rows = try connection.connection.query(
            """
            WITH letters AS (
                SELECT d.id, d.request, sum(length(j.payload)) OVER (ORDER BY d.id) - length(j.payload) AS before
                FROM statex.dead_letters d JOIN statex.all_jobs j ON j.id = d.id
                WHERE d.page = ANY($2::bigint[]) AND d.id = ANY($1::bigint[])
                    AND d.retried_as IS NULL AND NOT d.dropped\(withPayloads ? Self.mayRun : "")
            )
            SELECT l.id, l.request, l.before <= \(withPayloads ? Self.payloadBytes : .max), j.opts, j.kind, j.tenant,
                o.run_at, o.deadline, o.run_limit, o.traceparent,
                array_to_string(o.after_jobs, ' '), CASE WHEN \(withPayloads) THEN encode(j.payload, 'hex') ELSE '' END,
                convert_from(o.affinity, 'UTF8')
            FROM letters l JOIN statex.all_jobs j ON j.id = l.id LEFT JOIN statex.job_options o ON o.id = l.id
            ORDER BY l.id
            """, [list, idList(Set(ids.map(\.page)).sorted())], doing: "dead letters")
        for row in 0..<rows.rows {
            guard rows.text(row, 2) == "t" else {
                findings.hasMore = true
                break
            }
            var options = JobOptions()
            if !rows.isNull(row, 6) { options.runAt = rows.integer(row, 6) }
            if !rows.isNull(row, 7) { options.deadline = rows.integer(row, 7) }
            if !rows.isNull(row, 8) { options.runLimitMilliseconds = UInt32(truncatingIfNeeded: rows.integer(row, 8)) }
            if !rows.isNull(row, 9) { options.traceparent = TraceContext(rows.text(row, 9)) }
            options.after = dependencies(inList: rows.text(row, 10))
            if !rows.isNull(row, 12) { options.affinity = rows.text(row, 12) }
            findings.letters.append(
                DeadLetter(
                    id: UInt64(bitPattern: rows.integer(row, 0)), request: UInt64(bitPattern: rows.integer(row, 1)),
                    opts: UInt64(bitPattern: rows.integer(row, 3)),
                    kind: UInt32(truncatingIfNeeded: rows.integer(row, 4)),
                    tenant: UInt32(truncatingIfNeeded: rows.integer(row, 5)), options: options,
                    payload: Self.bytes(hex: rows.text(row, 11))))
        }
        try readWords(of: list, into: &findings)
    }

    /// Tags and labels of the letters, one row each: a text of either may hold anything.
    private func readWords(of list: String, into findings: inout OrderFindings) throws(PostgresError) {
        let rows = try connection.connection.query(
            """
            SELECT o.id, w.isTag, w.word FROM statex.job_options o
            CROSS JOIN LATERAL (
                SELECT true, t.word, t.place FROM unnest(o.tags) WITH ORDINALITY AS t(word, place)
                UNION ALL
                SELECT false, n.name, l.place FROM unnest(o.labels) WITH ORDINALITY AS l(number, place)
                JOIN statex.names n ON n.number = l.number
            ) AS w(isTag, word, place)
            WHERE o.id = ANY($1::bigint[]) ORDER BY o.id, w.place
            """, [list], doing: "tags and labels")
        for row in 0..<rows.rows {
            let id = UInt64(bitPattern: rows.integer(row, 0))
            guard let place = findings.letters.firstIndex(where: { $0.id == id }) else { continue }
            if rows.text(row, 1) == "t" {
                findings.letters[place].options.tags.append(rows.text(row, 2))
            } else {
                findings.letters[place].options.labels.append(rows.text(row, 2))
            }
        }
    }

    private static func bytes(hex text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 2)
        var high: UInt8?
        for digit in text.utf8 {
            let value = digit <= UInt8(ascii: "9") ? digit - UInt8(ascii: "0") : digit - UInt8(ascii: "a") + 10
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}
