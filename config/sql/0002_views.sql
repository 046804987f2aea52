-- Plain rows for people and other services: nobody has to know about chunks to ask a question in SQL.

-- STABLE, as what it is made of: a function that promises more than its body is called, not written into the query, and
-- calls were a quarter of the time of a look at one job. (The same below.)
CREATE FUNCTION statex.time(microseconds bigint) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT 'epoch'::timestamptz + microseconds * interval '1 microsecond' $$;

CREATE FUNCTION statex.state_name(state integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE state WHEN 10 THEN 'succeeded' WHEN 11 THEN 'failed' WHEN 12 THEN 'dead'
                      WHEN 13 THEN 'cancelled' WHEN 14 THEN 'expired' END
$$;

CREATE FUNCTION statex.ending_name(ending integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE ending WHEN 1 THEN 'succeeded' WHEN 2 THEN 'failed' WHEN 3 THEN 'cancelled'
                       WHEN 4 THEN 'expired' WHEN 5 THEN 'lost' WHEN 6 THEN 'returned' END
$$;

-- The chunks that may speak of jobs with ids from low to high: of few ids those that do. On a page of thousands of
-- chunks, as a slow day makes them, all others are passed over in the index.
CREATE FUNCTION statex.first_slot(low bigint, high bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN low >> 12 = high >> 12 THEN low & 4095 ELSE 0 END
$$;
CREATE FUNCTION statex.last_slot(low bigint, high bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN low >> 12 = high >> 12 THEN high & 4095 ELSE 4095 END
$$;
CREATE FUNCTION statex.lease_chunks_of(low bigint, high bigint) RETURNS SETOF statex.lease_chunks LANGUAGE sql STABLE AS $$
    SELECT * FROM statex.lease_chunks c
    WHERE c.page BETWEEN low >> 12 AND high >> 12
        AND c.offsets[cardinality(c.offsets)] >= statex.first_slot(low, high) AND c.offsets[1] <= statex.last_slot(low, high)
        AND (high - low >= 64 OR c.offsets && ARRAY(SELECT (i & 4095)::smallint FROM generate_series(low, least(high, low + 63)) AS i))
$$;
CREATE FUNCTION statex.outcome_chunks_of(low bigint, high bigint) RETURNS SETOF statex.outcome_chunks LANGUAGE sql STABLE AS $$
    SELECT * FROM statex.outcome_chunks c
    WHERE c.page BETWEEN low >> 12 AND high >> 12
        AND c.offsets[cardinality(c.offsets)] >= statex.first_slot(low, high) AND c.offsets[1] <= statex.last_slot(low, high)
        AND (high - low >= 64 OR c.offsets && ARRAY(SELECT (i & 4095)::smallint FROM generate_series(low, least(high, low + 63)) AS i))
$$;

-- One row a lease. For a look at some jobs there is leases_of.
CREATE VIEW statex.leases AS
SELECT (c.page << 12) | e.slot AS job, c.base + e.token AS token, e.attempt::integer AS attempt, e.worker,
       n.name AS worker_name, statex.time(c.at) AS leased_at, c.batch, c.page
FROM statex.lease_chunks c
CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.attempts, c.workers) AS e(slot, token, attempt, worker)
LEFT JOIN statex.names n ON n.number = e.worker;

-- The same of jobs with ids from low to high.
CREATE FUNCTION statex.leases_of(low bigint, high bigint) RETURNS SETOF statex.leases LANGUAGE sql STABLE AS $$
    SELECT (c.page << 12) | e.slot, c.base + e.token, e.attempt::integer, e.worker, n.name, statex.time(c.at), c.batch, c.page
    FROM statex.lease_chunks_of(low, high) c
    CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.attempts, c.workers) AS e(slot, token, attempt, worker)
    LEFT JOIN statex.names n ON n.number = e.worker
    WHERE (c.page << 12) | e.slot BETWEEN low AND high
$$;

-- One row an ended attempt; final: the job's one final outcome. For a look at some jobs there is outcomes_of.
CREATE VIEW statex.outcomes AS
SELECT (c.page << 12) | e.slot AS job, c.base + e.token AS token, statex.ending_name(e.ends & 255) AS ending,
       (e.ends >> 8) > 0 AS final, statex.state_name(e.ends >> 8) AS state,
       statex.time(c.at - (e.started * 1000000)::bigint) AS started_at,
       statex.time(c.at - (e.ended * 1000000)::bigint) AS ended_at,
       statex.time(c.at + (e.retry_at * 1000000)::bigint) AS retry_at, c.batch, c.page
FROM statex.outcome_chunks c
CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.ends, c.started, c.ended, coalesce(c.retry_at, '{}')) AS e(slot, token, ends, started, ended, retry_at);

-- The same of jobs with ids from low to high.
CREATE FUNCTION statex.outcomes_of(low bigint, high bigint) RETURNS SETOF statex.outcomes LANGUAGE sql STABLE AS $$
    SELECT (c.page << 12) | e.slot, c.base + e.token, statex.ending_name(e.ends & 255), (e.ends >> 8) > 0,
           statex.state_name(e.ends >> 8), statex.time(c.at - (e.started * 1000000)::bigint),
           statex.time(c.at - (e.ended * 1000000)::bigint), statex.time(c.at + (e.retry_at * 1000000)::bigint), c.batch, c.page
    FROM statex.outcome_chunks_of(low, high) c
    CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.ends, c.started, c.ended, coalesce(c.retry_at, '{}'))
        AS e(slot, token, ends, started, ended, retry_at)
    WHERE (c.page << 12) | e.slot BETWEEN low AND high
$$;

CREATE VIEW statex.all_jobs AS
SELECT id, batch, created, opts, kind, tenant, payload FROM statex.jobs
UNION ALL
SELECT c.id, c.batch, c.created, c.opts, c.kind, c.tenant, c.payload FROM statex.carried c
WHERE NOT EXISTS (SELECT FROM statex.jobs j WHERE j.id = c.id);

-- Whether one of these jobs of the request did not succeed (yet).
CREATE FUNCTION statex.waits(request bigint, after_jobs smallint[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM unnest(after_jobs) AS a(packed) WHERE NOT EXISTS (
            SELECT FROM statex.outcomes_of(request + (a.packed & 4095), request + (a.packed & 4095)) o
            WHERE o.state = 'succeeded'))
$$;

-- How an open job stands, by its latest lease and outcome, and by what it waits for.
CREATE FUNCTION statex.open_state(
    lease bigint, outcome bigint, retry_at timestamptz, run_at bigint, request bigint, after_jobs smallint[]) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN lease IS NOT NULL AND outcome IS DISTINCT FROM lease THEN 'leased'
                WHEN lease IS NULL AND after_jobs IS NOT NULL AND statex.waits(request, after_jobs) THEN 'blocked'
                WHEN greatest(retry_at, statex.time(run_at)) > now() THEN 'delayed' ELSE 'queued' END
$$;

-- One row a job. Made for a look at some jobs; to judge all of them, join jobs with outcomes.
-- An open job is 'leased' when its latest lease has no outcome, else 'queued' (or delayed until retry_at).
CREATE VIEW statex.job_status AS
SELECT j.id, coalesce(x.request, j.id - (j.opts & 4095)) AS request, k.name AS kind, t.name AS tenant,
       coalesce(f.state, statex.open_state(l.token, r.token, r.retry_at, x.run_at, j.id - (j.opts & 4095),
           CASE WHEN x.retry_of IS NULL THEN x.after_jobs END)) AS state,
       coalesce(l.attempt, 0) AS attempts, ((j.opts >> 33) & 255)::integer AS attempts_allowed,
       statex.time(j.created) AS created_at, l.leased_at, f.started_at, f.ended_at, r.retry_at,
       l.worker_name AS worker, x.tags, x.retry_of
FROM statex.all_jobs j
LEFT JOIN statex.job_options x ON (j.opts >> 45) & 1 = 1 AND x.id = j.id
LEFT JOIN statex.names k ON k.number = j.kind
LEFT JOIN statex.names t ON t.number = j.tenant
LEFT JOIN LATERAL (SELECT * FROM statex.leases_of(j.id, j.id) x ORDER BY x.token DESC LIMIT 1) l ON true
LEFT JOIN LATERAL (SELECT * FROM statex.outcomes_of(j.id, j.id) x ORDER BY x.batch DESC, x.token DESC LIMIT 1) r ON true
LEFT JOIN LATERAL (SELECT * FROM statex.outcomes_of(j.id, j.id) x WHERE x.final LIMIT 1) f ON true;

-- How jobs stand that a client asks for by id: what RESULTS needs, in one row a job, however often its id is given.
-- A quiet day makes a page of thousands of chunks: each page is read once, not once a job of it, and of its chunks
-- only those that hold a wanted job are unnested. losses counts lost attempts; state 0 stands for an open job.
CREATE FUNCTION statex.job_results(ids bigint[])
RETURNS TABLE (id bigint, opts bigint, kind text, state integer, attempts integer, losses integer, ended bigint, encoding integer, body bytea)
LANGUAGE sql STABLE AS $$
    WITH wanted AS MATERIALIZED (
        SELECT DISTINCT unnest(ids) AS id
    ), pages AS MATERIALIZED (
        SELECT w.id >> 12 AS page, array_agg((w.id & 4095)::smallint) AS slots, min(w.id) AS low, max(w.id) AS high
        FROM wanted w GROUP BY 1
    ), leased AS MATERIALIZED (
        SELECT (p.page << 12) | l.slot AS id, l.attempt
        FROM pages p CROSS JOIN LATERAL (
            SELECT e.slot, max(e.attempt)::integer AS attempt
            FROM statex.lease_chunks_of(p.low, p.high) c CROSS JOIN LATERAL unnest(c.offsets, c.attempts) AS e(slot, attempt)
            WHERE c.offsets && p.slots
            GROUP BY e.slot
        ) l
    ), ended AS MATERIALIZED (
        SELECT (p.page << 12) | o.slot AS id, o.final_state, o.losses, o.ended, o.token
        FROM pages p CROSS JOIN LATERAL (
            SELECT e.slot, max(e.ends >> 8) AS final_state, count(*) FILTER (WHERE e.ends & 255 = 5)::integer AS losses,
                   max(c.at - (e.ended * 1000000)::bigint) FILTER (WHERE e.ends >> 8 > 0) AS ended,
                   max(c.base + e.token) FILTER (WHERE e.ends >> 8 > 0) AS token
            FROM statex.outcome_chunks_of(p.low, p.high) c
            CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.ends, c.ended) AS e(slot, token, ends, ended)
            WHERE c.offsets && p.slots
            GROUP BY e.slot
        ) o
    )
    SELECT j.id, j.opts, k.name, coalesce(f.final_state, 0), coalesce(l.attempt, 0), coalesce(f.losses, 0),
           coalesce(f.ended, 0), coalesce(r.encoding, 0)::integer, coalesce(r.body, '')
    FROM wanted w
    JOIN statex.all_jobs j ON j.id = w.id
    LEFT JOIN statex.names k ON k.number = j.kind
    LEFT JOIN leased l ON l.id = j.id
    LEFT JOIN ended f ON f.id = j.id
    LEFT JOIN LATERAL (
        SELECT x.encoding, x.body FROM statex.results x WHERE f.final_state > 0 AND x.job = j.id AND x.token = f.token LIMIT 1
    ) r ON true
$$;

-- The class and the message of an error's bytes; NULL if they hold none.
CREATE FUNCTION statex.error_class(body bytea) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length(body) > get_byte(body, 0) THEN convert_from(substring(body FROM 2 FOR get_byte(body, 0)), 'UTF8') END
$$;
CREATE FUNCTION statex.error_message(body bytea) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length(body) > get_byte(body, 0) THEN convert_from(substring(body FROM 2 + get_byte(body, 0)), 'UTF8') END
$$;

-- Everything about one job, as one JSON object.
CREATE FUNCTION statex.job(wanted bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'id', s.id::text, 'request', s.request::text, 'kind', s.kind, 'tenant', s.tenant, 'state', s.state,
        'attempts', s.attempts, 'attempts_allowed', s.attempts_allowed, 'created_at', s.created_at,
        'started_at', s.started_at, 'ended_at', s.ended_at, 'worker', s.worker, 'priority', (j.opts >> 25) & 255,
        'tags', coalesce(to_jsonb(s.tags), '[]'), 'run_at', statex.time(x.run_at), 'deadline', statex.time(x.deadline),
        'run_limit_ms', x.run_limit,
        'labels', coalesce((SELECT jsonb_agg(n.name) FROM statex.names n WHERE n.number = ANY (x.labels)), '[]'),
        'traceparent', x.traceparent,
        'retry_of', x.retry_of::text,
        'retried_as', (SELECT min(n.id)::text FROM statex.job_options n WHERE n.retry_of = wanted),
        'dropped', EXISTS (SELECT FROM statex.actions a WHERE a.action = 'drop' AND a.ids @> ARRAY[wanted]),
        'leases', coalesce((SELECT jsonb_agg(jsonb_build_object('token', l.token::text, 'attempt', l.attempt,
                'worker', l.worker_name, 'leased_at', l.leased_at) ORDER BY l.token)
            FROM statex.leases_of(wanted, wanted) l), '[]'),
        'outcomes', coalesce((SELECT jsonb_agg(jsonb_build_object('token', o.token::text, 'ending', o.ending, 'final', o.final,
                'state', o.state, 'started_at', o.started_at, 'ended_at', o.ended_at, 'retry_at', o.retry_at,
                'error_class', (SELECT statex.error_class(r.body) FROM statex.results r
                    WHERE r.job = o.job AND r.token = o.token AND r.encoding = 0 AND r.ending = 2 LIMIT 1),
                'error', (SELECT statex.error_message(r.body) FROM statex.results r
                    WHERE r.job = o.job AND r.token = o.token AND r.encoding = 0 AND r.ending = 2 LIMIT 1)) ORDER BY o.batch, o.token)
            FROM statex.outcomes_of(wanted, wanted) o), '[]'),
        'results', coalesce((SELECT jsonb_agg(jsonb_build_object('token', r.token::text, 'ending', statex.ending_name(r.ending),
                'encoding', r.encoding, 'bytes', length(r.body)) ORDER BY r.batch)
            FROM statex.results r WHERE r.job = wanted), '[]'))
    FROM statex.job_status s JOIN statex.all_jobs j ON j.id = s.id
    LEFT JOIN statex.job_options x ON (j.opts >> 45) & 1 = 1 AND x.id = j.id
    WHERE s.id = wanted
$$;

-- One row a job with an id from low to high, at most a few pages (id >> 12) of them: each chunk is read once, and of
-- few ids only those that hold some. LATERAL and LIMIT: whatever the planner knows, rows beside a job are found by key.
CREATE FUNCTION statex.jobs_between(low bigint, high bigint)
RETURNS TABLE (id bigint, request bigint, index integer, request_jobs integer, after integer[], kind text, tenant text, state text, priority integer,
               attempts integer, attempts_allowed integer, created_at timestamptz, run_at timestamptz,
               deadline timestamptz, leased_at timestamptz, started_at timestamptz, ended_at timestamptz,
               retry_at timestamptz, worker text, tags text[], labels text[], traceparent text, retry_of bigint,
               retried_as bigint, error_class text, error text, attempts_json json)
LANGUAGE sql STABLE AS $$
    WITH given AS (
        SELECT job, token, attempt, worker_name, leased_at FROM statex.leases_of(low, high)
    ), ended AS (
        SELECT job, token, ending, final, state, batch, started_at, ended_at, retry_at FROM statex.outcomes_of(low, high)
    ), leases AS (
        SELECT DISTINCT ON (job) job, token, attempt, worker_name, leased_at FROM given ORDER BY job, token DESC
    ), latest AS (
        -- The final one, if there is one.
        SELECT DISTINCT ON (job) job, token, final, state, started_at, ended_at, retry_at FROM ended
        ORDER BY job, final DESC, batch DESC, token DESC
    ), standing AS (
        -- A part of its own (OFFSET 0): beside what is found by key it is cheap whatever way it is joined, and a planner
        -- that knows little then chose a loop in a loop over a full page.
        SELECT j.*, l.token AS lease, l.attempt, l.leased_at, l.worker_name, o.token AS outcome, o.final, o.state,
               o.started_at, o.ended_at, o.retry_at
        FROM statex.all_jobs j
        LEFT JOIN leases l ON l.job = j.id
        LEFT JOIN latest o ON o.job = j.id
        WHERE j.id BETWEEN low AND high OFFSET 0
    )
    SELECT j.id, coalesce(x.request, j.id - (j.opts & 4095)), (j.opts & 4095)::integer,
           ((j.opts >> 12) & 8191)::integer, (SELECT array_agg(a & 4095 ORDER BY a & 4095) FROM unnest(x.after_jobs) AS a),
           k.name, t.name,
           coalesce(j.state, statex.open_state(j.lease, j.outcome, j.retry_at, x.run_at, j.id - (j.opts & 4095),
               CASE WHEN x.retry_of IS NULL THEN x.after_jobs END)),
           ((j.opts >> 25) & 255)::integer, coalesce(j.attempt, 0), ((j.opts >> 33) & 255)::integer,
           statex.time(j.created), statex.time(x.run_at), statex.time(x.deadline), j.leased_at,
           CASE WHEN j.final AND j.outcome > 0 THEN j.started_at END, CASE WHEN j.final THEN j.ended_at END,
           CASE WHEN NOT j.final THEN j.retry_at END, j.worker_name, x.tags,
           (SELECT array_agg(n.name ORDER BY n.name) FROM statex.names n WHERE n.number = ANY (x.labels)),
           x.traceparent, x.retry_of, CASE WHEN j.state IN ('failed', 'dead')
               THEN (SELECT min(n.id) FROM statex.job_options n WHERE n.retry_of = j.id AND n.id > low) END,
           statex.error_class(r.body), statex.error_message(r.body),
           (SELECT json_agg(json_build_object('attempt', g.attempt, 'worker', g.worker_name, 'leased_at', g.leased_at,
                   'started_at', e.started_at, 'ended_at', e.ended_at, 'ending', e.ending, 'retry_at', e.retry_at,
                   'error_class', statex.error_class(b.body), 'error', statex.error_message(b.body)) ORDER BY g.token)
            FROM given g LEFT JOIN ended e ON e.job = g.job AND e.token = g.token
            LEFT JOIN LATERAL (SELECT y.body FROM statex.results y WHERE e.ending = 'failed' AND y.job = g.job
                AND y.job BETWEEN low AND high AND y.token = g.token AND y.encoding = 0 AND y.ending = 2 LIMIT 1) b ON true
            WHERE g.job = j.id)
    FROM standing j
    LEFT JOIN LATERAL (SELECT * FROM statex.job_options y WHERE (j.opts >> 45) & 1 = 1 AND y.id = j.id
        AND y.id BETWEEN low AND high LIMIT 1) x ON true
    LEFT JOIN LATERAL (SELECT n.name FROM statex.names n WHERE n.number = j.kind LIMIT 1) k ON true
    LEFT JOIN LATERAL (SELECT n.name FROM statex.names n WHERE n.number = j.tenant LIMIT 1) t ON true
    LEFT JOIN LATERAL (SELECT y.body FROM statex.results y WHERE j.state <> 'succeeded' AND y.job = j.id
        AND y.job BETWEEN low AND high AND y.token = j.outcome AND y.encoding = 0 AND y.ending = 2
        LIMIT 1) r ON true
$$;

-- The job, or the retry by hand of it (or of that one, …), that succeeded; NULL: none did.
CREATE FUNCTION statex.succeeded_as(wanted bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE tries AS (
        SELECT wanted AS id
        UNION ALL
        SELECT x.id FROM tries t JOIN statex.job_options x ON x.retry_of = t.id
    )
    SELECT max(t.id) FROM tries t
    WHERE EXISTS (SELECT FROM statex.outcomes_of(t.id, t.id) o WHERE o.state = 'succeeded')
$$;

-- Jobs that are failed or dead: with what they ended, and what an operator did about them.
-- To look at some, give their page too: WHERE page = id >> 12 AND id = …. (LATERAL and LIMIT as above: asked for the newest
-- few, the planner would rather walk back through all jobs there ever were.)
CREATE VIEW statex.dead_letters AS
SELECT o.job AS id, coalesce(x.request, j.id - (j.opts & 4095)) AS request, k.name AS kind, t.name AS tenant, o.state,
       o.ended_at, coalesce(statex.error_class(r.body), o.ending) AS error_class,
       coalesce(statex.error_message(r.body), '') AS error, x.tags, x.retry_of,
       (SELECT min(n.id) FROM statex.job_options n WHERE n.retry_of = o.job) AS retried_as,
       EXISTS (SELECT FROM statex.actions a WHERE a.action = 'drop' AND a.ids @> ARRAY[o.job]) AS dropped, o.page
FROM (
    SELECT (c.page << 12) | e.slot AS job, c.base + e.token AS token, statex.ending_name(e.ends & 255) AS ending,
           statex.state_name(e.ends >> 8) AS state, statex.time(c.at - (e.ended * 1000000)::bigint) AS ended_at, c.page
    FROM statex.outcome_chunks c
    CROSS JOIN LATERAL unnest(c.offsets, c.tokens, c.ends, c.ended) AS e(slot, token, ends, ended)
    WHERE c.not_succeeded > 0 AND e.ends >> 8 IN (11, 12)
) o
JOIN LATERAL (SELECT * FROM statex.all_jobs a WHERE a.id = o.job LIMIT 1) j ON true
LEFT JOIN LATERAL (SELECT * FROM statex.job_options y WHERE (j.opts >> 45) & 1 = 1 AND y.id = j.id LIMIT 1) x ON true
LEFT JOIN LATERAL (SELECT n.name FROM statex.names n WHERE n.number = j.kind LIMIT 1) k ON true
LEFT JOIN LATERAL (SELECT n.name FROM statex.names n WHERE n.number = j.tenant LIMIT 1) t ON true
LEFT JOIN LATERAL (SELECT e.body FROM statex.results e
    WHERE e.job = o.job AND e.token = o.token AND e.encoding = 0 AND e.ending = 2 LIMIT 1) r ON true;
