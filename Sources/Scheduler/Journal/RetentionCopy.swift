import StatexPostgres
import StatexProtocol

/// The tables whose rows are carried, each with the column that says whose they are.
enum CarriedTable: String, CaseIterable {
    case jobs, jobOptions = "job_options", leaseChunks = "lease_chunks", outcomeChunks = "outcome_chunks"
    case results, checkpoints

    /// Of the name of the partition that holds carried rows, before the day that it ends with.
    static let suffix = "carried_"

    var key: String {
        switch self {
        case .jobs, .jobOptions: "id"
        case .results, .checkpoints: "job"
        case .leaseChunks, .outcomeChunks: "page"
        }
    }

    /// Jobs that left are below this, in the column's unit.
    func bound(_ due: Retention.Due) -> Int64 { key == "page" ? due.low >> Int64(JobID.pageBits) : due.low }
}

extension Retention {
    /// The new carried partitions, filled as of one commit.
    struct Copy {
        let due: Due
        /// Rows of later commits are added at the exchange.
        var batch: Int64
        var retired: RetiredHistory

        /// As it is called until it is attached.
        func scratch(_ table: CarriedTable) -> String { "\(Retention.carrying)\(table.rawValue)_\(due.day)" }

        /// What commits wrote since: it all belongs to jobs that were open then, or are new. By batch alone:
        /// that index finds it, while one of the key would lead through the whole partition.
        func catchUp(_ table: CarriedTable, through last: Int64 = .max) -> String {
            let parts = due.partitions.filter { $0.table == table.rawValue }.map {
                "SELECT * FROM statex.\($0.name) WHERE batch > \(batch) AND batch <= \(last)"
            }
            guard !parts.isEmpty else { return "" }
            return "INSERT INTO statex.\(scratch(table)) \(parts.joined(separator: " UNION ALL "))"
        }

        func attach(_ table: CarriedTable) -> String {
            let name = "\(table.rawValue)_\(CarriedTable.suffix)\(due.day)"
            return """
                ALTER TABLE statex.\(scratch(table)) RENAME TO \(name);
                ALTER TABLE statex.\(table.rawValue) ATTACH PARTITION statex.\(name)
                    FOR VALUES FROM (MINVALUE) TO (\(table.bound(due)))
                """
        }
    }

    /// Copies what is to stay. The chain orders commits, so a batch number is a snapshot of all tables.
    func carry(_ due: Due) throws(PostgresError) -> Copy {
        let end = try connection.query("SELECT max(batch) FROM statex.commits", doing: "carry")
        let batch = end.integer(0, 0)
        let throughBatch = try listWanted(due, batch)
        for table in CarriedTable.allCases { try make(table, due) }
        var copy = Copy(
            due: due, batch: batch,
            retired: RetiredHistory(
                days: due.partitions.count { $0.table == "jobs" && !$0.name.contains(CarriedTable.suffix) }, jobs: 0,
                leases: 0, outcomes: 0, results: 0, carried: 0, throughBatch: throughBatch))
        for table in CarriedTable.allCases { try fill(table, copy) }
        try count(&copy)
        try summarize(due)
        // Once for what came while everything was copied, once for what came meanwhile: a moment's worth is
        // left for the exchange.
        for _ in 0..<2 { try catchUp(&copy) }
        return copy
    }

    private func catchUp(_ copy: inout Copy) throws(PostgresError) {
        let last = try connection.query("SELECT max(batch) FROM statex.commits", doing: "catch up").integer(0, 0)
        let work = CarriedTable.allCases.map { copy.catchUp($0, through: last) }
        try connection.run(
            "BEGIN; SET LOCAL enable_seqscan = off; \(work.joined(separator: ";\n")); COMMIT", doing: "catch up")
        copy.batch = last
    }

    /// Lets late commits be found without reading whole partitions, also where no vacuum has been yet.
    private func summarize(_ due: Due) throws(PostgresError) {
        let names = due.partitions.map { "'statex.\($0.name)'::regclass" }.joined(separator: ", ")
        let done = try connection.query(
            """
            SELECT sum(brin_summarize_new_values(i.indexrelid)) FROM pg_index i
            JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
            WHERE a.amname = 'brin' AND i.indrelid IN (\(names))
            """, doing: "summarize what is due")
        _ = consume done
    }

    /// Lists the jobs that stay: those of requests of which not every job ended before the cutoff, because a
    /// request completes as a whole.
    /// - Returns: the last commit that has a row of a job that leaves.
    private func listWanted(_ due: Due, _ batch: Int64) throws(PostgresError) -> Int64 {
        try connection.run(
            """
            CREATE TEMP TABLE ended AS
            SELECT c.page << 12 | e.slot AS id, c.batch FROM statex.outcome_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.ends) AS e(slot, ends)
            WHERE c.page < \(CarriedTable.outcomeChunks.bound(due)) AND c.batch <= \(batch) AND c.at < \(due.cutoff)
              AND e.ends >> 8 > 0;
            ANALYZE pg_temp.ended;
            CREATE TEMP TABLE wanted AS
            SELECT j.id FROM statex.jobs j WHERE j.id < \(due.low) AND j.batch <= \(batch)
              AND j.id - (j.opts & 4095) IN (
                SELECT o.id - (o.opts & 4095) FROM statex.jobs o WHERE o.id < \(due.low) AND o.batch <= \(batch)
                  AND NOT EXISTS (SELECT FROM pg_temp.ended e WHERE e.id = o.id));
            ANALYZE pg_temp.wanted
            """, doing: "list what stays")
        let last = try connection.query("SELECT coalesce(max(batch), 0) FROM pg_temp.ended", doing: "list what stays")
        return last.integer(0, 0)
    }

    /// Makes an empty table that can be attached without a look at its rows, nor the making of an index.
    private func make(_ table: CarriedTable, _ due: Due) throws(PostgresError) {
        let name = "\(Self.carrying)\(table.rawValue)_\(due.day)"
        try connection.run(
            """
            CREATE TABLE statex.\(name) (LIKE statex.\(table.rawValue) INCLUDING ALL,
                CHECK (\(table.key) IS NOT NULL AND \(table.key) < \(table.bound(due))));
            ALTER TABLE statex.\(name) SET (fillfactor = 100)
            """, doing: "make a carried partition")
    }

    private func fill(_ table: CarriedTable, _ copy: Copy) throws(PostgresError) {
        let range = "c.\(table.key) < \(table.bound(copy.due)) AND c.batch <= \(copy.batch)"
        let rows =
            switch table {
            case .jobs, .jobOptions, .results, .checkpoints:
                "SELECT c.* FROM statex.\(table.rawValue) c JOIN pg_temp.wanted w ON w.id = c.\(table.key) WHERE \(range)"
            // A chunk keeps the entries of wanted jobs, in their order.
            case .leaseChunks:
                """
                SELECT c.batch, c.page, c.base, c.at, array_agg(e.slot ORDER BY e.n), array_agg(e.token ORDER BY e.n),
                       array_agg(e.attempt ORDER BY e.n), array_agg(e.worker ORDER BY e.n)
                FROM statex.lease_chunks c
                CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.attempts, c.workers)
                    WITH ORDINALITY AS e(slot, token, attempt, worker, n)
                JOIN pg_temp.wanted w ON w.id = c.page << 12 | e.slot
                WHERE \(range) GROUP BY c.tableoid, c.ctid, c.batch, c.page, c.base, c.at
                """
            case .outcomeChunks:
                """
                SELECT c.batch, c.page, c.base, c.at, count(*) FILTER (WHERE e.ends & 255 <> 1),
                       count(*) FILTER (WHERE EXISTS (SELECT FROM statex.results r
                           WHERE r.job = w.id AND r.token = c.base + e.token AND r.batch = c.batch)),
                       array_agg(e.slot ORDER BY e.n), array_agg(e.token ORDER BY e.n), array_agg(e.ends ORDER BY e.n),
                       array_agg(e.started ORDER BY e.n), array_agg(e.ended ORDER BY e.n),
                       CASE WHEN c.has_retries THEN array_agg(e.retry ORDER BY e.n) END
                FROM (SELECT *, tableoid AS part, ctid AS place, retry_at IS NOT NULL AS has_retries
                      FROM statex.outcome_chunks) c
                CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.ends, c.started, c.ended, coalesce(c.retry_at, '{}'))
                    WITH ORDINALITY AS e(slot, token, ends, started, ended, retry, n)
                JOIN pg_temp.wanted w ON w.id = c.page << 12 | e.slot
                WHERE \(range) GROUP BY c.part, c.place, c.batch, c.page, c.base, c.at, c.has_retries
                """
            }
        try connection.run("INSERT INTO statex.\(copy.scratch(table)) \(rows)", doing: "carry \(table.rawValue)")
    }

    /// Counts what leaves: what is there less what is carried.
    private func count(_ copy: inout Copy) throws(PostgresError) {
        func left(_ table: CarriedTable, _ what: String) throws(PostgresError) -> (left: Int64, carried: Int64) {
            let rows = try connection.query(
                """
                SELECT (SELECT coalesce(\(what), 0) FROM statex.\(table.rawValue)
                        WHERE \(table.key) < \(table.bound(copy.due)) AND batch <= \(copy.batch)),
                       (SELECT coalesce(\(what), 0) FROM statex.\(copy.scratch(table)))
                """, doing: "count what leaves")
            return (rows.integer(0, 0) - rows.integer(0, 1), rows.integer(0, 1))
        }
        let jobs = try left(.jobs, "count(*)")
        (copy.retired.jobs, copy.retired.carried) = jobs
        copy.retired.leases = try left(.leaseChunks, "sum(cardinality(offsets))").left
        copy.retired.outcomes = try left(.outcomeChunks, "sum(cardinality(offsets))").left
        copy.retired.results = try left(.results, "count(*)").left
        guard copy.due.firstBatch > 0 else { return }
        let said = try connection.query(
            """
            SELECT coalesce(sum(jobs), 0), coalesce(sum(leases), 0), coalesce(sum(outcomes), 0), coalesce(sum(results), 0)
            FROM statex.commits WHERE batch < \(copy.due.firstBatch)
            """, doing: "count what leaves")
        copy.retired.said = (0..<4).map { said.integer(0, $0) }
    }
}
