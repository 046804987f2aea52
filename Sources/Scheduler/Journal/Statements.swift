import StatexPostgres

/// The prepared statements of a commit. `config/sql` says what the columns mean.
enum Statements {
    static let commit: [(name: String, sql: String)] = [
        ("begin", "BEGIN"),
        (
            "chain",
            """
            INSERT INTO statex.commits (shard, batch, incarnation, epoch, at, next_id, next_token, next_name, owner_number,
                backend_pid, jobs, leases, outcomes, results, checksum, pages_closed, owner)
            VALUES ($1::int2, $2::int8, $3::int8, $4::int4, $5::int8, $6::int8, $7::int8, $8::int4, $9::int8,
                pg_backend_pid(), $10::int4, $11::int4, $12::int4, $13::int4, $14::int8, $15::int8[], $16::text)
            """
        ),
        (
            "name",
            "INSERT INTO statex.names (number, family, name, batch) VALUES ($1::int4, $2::int2, $3::text, $4::int8)"
        ),
        (
            "jobs",
            """
            INSERT INTO statex.jobs (id, batch, created, opts, kind, tenant, payload)
            SELECT u.id, $1::int8, $2::int8, u.opts, u.kind, u.tenant, u.payload
            FROM unnest($3::int8[], $4::int8[], $5::int4[], $6::int4[], $7::bytea[]) AS u(id, opts, kind, tenant, payload)
            """
        ),
        (
            "options",
            """
            INSERT INTO statex.job_options (id, batch, run_at, deadline, run_limit, tags, traceparent, labels, retry_of,
                request, after_jobs, affinity, unique_key)
            VALUES ($1::int8, $2::int8, $3::int8, $4::int8, $5::int4, $6::text[], $7::text, $8::int4[], $9::int8, $10::int8,
                $11::int2[], $12::bytea, $13::bytea)
            """
        ),
        (
            "lease_chunk",
            """
            INSERT INTO statex.lease_chunks (batch, page, base, at, offsets, tokens, attempts, workers)
            VALUES ($1::int8, $2::int8, $3::int8, $4::int8, $5::int2[], $6::int4[], $7::int2[], $8::int4[])
            """
        ),
        (
            "outcome_chunk",
            """
            INSERT INTO statex.outcome_chunks (batch, page, base, at, not_succeeded, with_result, offsets, tokens, ends,
                started, ended, retry_at)
            VALUES ($1::int8, $2::int8, $3::int8, $4::int8, $5::int2, $6::int2, $7::int2[], $8::int4[], $9::int2[],
                $10::float4[], $11::float4[], $12::float4[])
            """
        ),
        (
            "results",
            """
            INSERT INTO statex.results (job, token, batch, ending, encoding, body)
            SELECT u.job, u.token, $1::int8, u.ending, u.encoding, u.body
            FROM unnest($2::int8[], $3::int8[], $4::int2[], $5::int2[], $6::bytea[]) AS u(job, token, ending, encoding, body)
            """
        ),
        (
            "checkpoints",
            """
            INSERT INTO statex.checkpoints (job, token, batch, at, data)
            SELECT u.job, u.token, $1::int8, $2::int8, u.data
            FROM unnest($3::int8[], $4::int8[], $5::bytea[]) AS u(job, token, data)
            """
        ),
        (
            "submits",
            """
            INSERT INTO statex.submits (batch, producer, last_sequence, sequences, counts, first_ids, jobs_each)
            VALUES ($1::int8, $2::uuid, $3::int8, $4::int8[], $5::int4[], $6::int8[], $7::int4[])
            """
        ),
        (
            "key",
            """
            INSERT INTO statex.keys (day, tenant, key, digest, request, jobs, batch)
            VALUES ($1::int4, $2::int4, $3::bytea, $4::bytea, $5::int8, $6::int4, $7::int8)
            """
        ),
        (
            "action",
            """
            INSERT INTO statex.actions (batch, at, action, who, ids, reached, filter, note, sender, number, answer, more)
            VALUES ($1::int8, $2::int8, $3::text, $4::text, $5::int8[], $6::int4, $7::text::jsonb, $8::text, $9::uuid,
                $10::int8, $11::text, $12::int4 <> 0)
            """
        ),
        (
            "schedule",
            """
            INSERT INTO statex.schedules_fired (schedule, due, job, batch)
            VALUES ($1::text, $2::int8, $3::int8, $4::int8)
            """
        ),
        ("commit", "COMMIT"),
        ("rollback", "ROLLBACK"),
    ]

    static func prepareCommit(on connection: borrowing Connection) throws(PostgresError) {
        for statement in commit { try connection.prepare(statement.name, statement.sql) }
    }
}
