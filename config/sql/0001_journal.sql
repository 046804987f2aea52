-- The journal: append-only tables, the only truth after a crash.
-- No row is ever updated or deleted one by one; finished history leaves by dropping partitions.
-- Times are microseconds since 1970. Every row carries the number of the commit ("batch") that wrote it.
-- docs/architecture.md says why jobs are rows while leases and outcomes are chunks.

CREATE SCHEMA IF NOT EXISTS statex;

CREATE TABLE statex.journal (
    incarnation bigint NOT NULL,          -- random; a restored journal gets a new one
    created     timestamptz NOT NULL DEFAULT now()
);

-- The chain: one row a commit; the next number can be appended once. It is the fence between owners.
CREATE TABLE statex.commits (
    shard         smallint NOT NULL,
    batch         bigint   NOT NULL,
    incarnation   bigint   NOT NULL,
    epoch         integer  NOT NULL,      -- one owner's term
    at            bigint   NOT NULL,
    next_id       bigint   NOT NULL,      -- the first job id that is not given yet
    next_token    bigint   NOT NULL,      -- the first token counter that is not given yet
    next_name     integer  NOT NULL,      -- the first number of a name that is not given yet
    owner_number  bigint   NOT NULL,      -- random, one a scheduler process
    backend_pid   integer  NOT NULL,
    jobs          integer  NOT NULL,      -- how many the commit holds of each
    leases        integer  NOT NULL,
    outcomes      integer  NOT NULL,
    results       integer  NOT NULL,
    checksum      bigint   NOT NULL,      -- over what the commit holds, see docs/architecture.md
    pages_closed  bigint[],               -- pages whose jobs are all final from here on
    owner         text,                   -- host and process of the owner; on the first row of an epoch
    PRIMARY KEY (shard, batch)
) PARTITION BY RANGE (batch);
CREATE INDEX commits_closed ON statex.commits (batch) WHERE pages_closed IS NOT NULL;

-- Numbers for texts that many rows repeat.
CREATE TABLE statex.names (
    number integer  PRIMARY KEY,
    family smallint NOT NULL,             -- 1 kind, 2 tenant, 3 worker incarnation ("name/hex"), 4 label
    name   text     NOT NULL,
    batch  bigint   NOT NULL
);
-- A worker incarnation that was forgotten and came back has another number.
CREATE UNIQUE INDEX names_name ON statex.names (family, name) WHERE family <> 3;

-- opts packs, from the lowest bit: index in the request (12 bits), jobs of the request (13),
-- priority (8), attempts allowed (8), encoding (4: 0 bytes, 1 object reference), has job_options (1).
CREATE TABLE statex.jobs (
    id      bigint  NOT NULL,
    batch   bigint  NOT NULL,
    created bigint  NOT NULL,
    opts    bigint  NOT NULL,
    kind    integer NOT NULL,
    tenant  integer NOT NULL,
    payload bytea   NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

-- What few jobs ask for: a row only for those that do, so that the others stay narrow.
CREATE TABLE statex.job_options (
    id              bigint NOT NULL,
    batch           bigint NOT NULL,
    run_at          bigint,
    deadline        bigint,
    run_limit       integer,              -- milliseconds
    policy          integer,
    labels          integer[],
    resources       integer[],
    affinity        bytea,
    unique_key      bytea,                -- 'u': not while one is unfinished, or 'o': once in a time; then the key
    after_jobs      smallint[],           -- jobs of the request that it waits for: index & 4095; 4096: its result
                                          -- is an input; 8192: this job fails with it (else it is skipped)
    tags            text[],
    traceparent     text,
    retry_of        bigint,               -- of a retry by hand: the dead letter
    request         bigint,               -- then also the request that both belong to
    key_id          integer,              -- 0 or NULL: the payload is in the clear
    retention_class smallint,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX job_options_retry_of ON statex.job_options (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX job_options_tags ON statex.job_options USING gin (tags) WHERE tags IS NOT NULL;

-- Leases given in one commit to jobs of one page (id >> 12). worker: a number of names.
CREATE TABLE statex.lease_chunks (
    batch    bigint     NOT NULL,
    page     bigint     NOT NULL,
    base     bigint     NOT NULL,         -- tokens are relative to it
    at       bigint     NOT NULL,
    offsets  smallint[] NOT NULL,         -- id & 4095, sorted
    tokens   integer[]  NOT NULL,
    attempts smallint[] NOT NULL,
    workers  integer[]  NOT NULL
) PARTITION BY RANGE (page);
-- Offsets are sorted: a chunk is found by the last and the first of its jobs, whatever else its page has.
CREATE INDEX lease_chunks_page ON statex.lease_chunks (page, (offsets[cardinality(offsets)]), (offsets[1]));

-- How attempts ended. ends packs the ending (low byte) and the final state (high byte, 0: not final).
-- Token 0: the job ended without a lease. started, ended: seconds before at. retry_at: seconds after at.
CREATE TABLE statex.outcome_chunks (
    batch         bigint     NOT NULL,
    page          bigint     NOT NULL,
    base          bigint     NOT NULL,
    at            bigint     NOT NULL,
    not_succeeded smallint   NOT NULL,
    with_result   smallint   NOT NULL,
    offsets       smallint[] NOT NULL,
    tokens        integer[]  NOT NULL,
    ends          smallint[] NOT NULL,
    started       real[]     NOT NULL,
    ended         real[]     NOT NULL,
    retry_at      real[]
) PARTITION BY RANGE (page);
CREATE INDEX outcome_chunks_page ON statex.outcome_chunks (page, (offsets[cardinality(offsets)]), (offsets[1]));
-- Lists of dead letters jump along it: most chunks hold successes alone.
CREATE INDEX outcome_chunks_not_succeeded ON statex.outcome_chunks (page) WHERE not_succeeded > 0;

-- Results and errors that are not empty. An error: length of its class (1 byte), class, message.
CREATE TABLE statex.results (
    job             bigint   NOT NULL,
    token           bigint   NOT NULL,
    batch           bigint   NOT NULL,
    ending          smallint NOT NULL,
    encoding        smallint NOT NULL,
    key_id          integer,
    retention_class smallint,
    body            bytea    NOT NULL
) PARTITION BY RANGE (job);
CREATE INDEX results_job ON statex.results (job);

-- What producers submitted: a repeat finds its first ids here. Runs are parallel arrays.
CREATE TABLE statex.submits (
    batch         bigint    NOT NULL,
    producer      uuid      NOT NULL,
    last_sequence bigint    NOT NULL,
    sequences     bigint[]  NOT NULL,     -- first of each run
    counts        integer[] NOT NULL,     -- requests in the run
    first_ids     bigint[]  NOT NULL,
    jobs_each     integer[] NOT NULL      -- jobs of each of its requests
) PARTITION BY RANGE (batch);
CREATE INDEX submits_producer ON statex.submits (producer, last_sequence);

-- Users' idempotency keys, by day.
CREATE TABLE statex.keys (
    day     integer NOT NULL,             -- days since 1970
    tenant  integer NOT NULL,
    key     bytea   NOT NULL,
    digest  bytea   NOT NULL,             -- SHA-256 of what was submitted
    request bigint  NOT NULL,
    jobs    integer NOT NULL,
    batch   bigint  NOT NULL,
    PRIMARY KEY (tenant, key, day)
) PARTITION BY RANGE (day);

-- Everything that an operator or a client ordered; the audit trail too.
CREATE TABLE statex.actions (
    batch   bigint   NOT NULL,
    at      bigint   NOT NULL,
    action  text     NOT NULL,            -- cancel, pause, resume, drain, retry, drop, configure
    who     text     NOT NULL,
    filter  jsonb,                        -- NULL: a CANCEL of ids alone
    note    text,                         -- why, or what changed
    ids     bigint[] NOT NULL,            -- jobs that it reached; of drain, worker incarnations
    reached integer  NOT NULL,
    sender  uuid,                         -- who numbered the order: a repeat is known by both
    number  bigint,
    answer  text,
    more    boolean  NOT NULL DEFAULT false
);
CREATE INDEX actions_batch ON statex.actions USING brin (batch);
CREATE INDEX actions_number ON statex.actions (sender, number) WHERE sender IS NOT NULL;
CREATE INDEX actions_standing ON statex.actions (batch) WHERE action IN ('pause', 'resume', 'drain');
CREATE INDEX actions_cancels ON statex.actions (batch) WHERE action = 'cancel';
CREATE INDEX actions_dropped ON statex.actions USING gin (ids) WHERE action = 'drop';

CREATE TABLE statex.checkpoints (
    job   bigint NOT NULL,
    token bigint NOT NULL,
    batch bigint NOT NULL,
    at    bigint NOT NULL,
    data  bytea  NOT NULL
) PARTITION BY RANGE (job);
CREATE INDEX checkpoints_job ON statex.checkpoints (job);

-- The due times of schedules that are settled.
CREATE TABLE statex.schedules_fired (
    schedule text   NOT NULL,
    due      bigint NOT NULL,
    job      bigint NOT NULL,             -- 0: none, because one was open; or the schedule was first seen then
    batch    bigint NOT NULL,
    PRIMARY KEY (schedule, due)
);

-- Jobs that outlived their partition; rebuilt whole when a partition goes.
CREATE TABLE statex.carried (
    id       bigint   PRIMARY KEY,
    batch    bigint   NOT NULL,
    created  bigint   NOT NULL,
    opts     bigint   NOT NULL,
    kind     integer  NOT NULL,
    tenant   integer  NOT NULL,
    payload  bytea    NOT NULL,
    failures smallint NOT NULL,
    losses   smallint NOT NULL
);

-- What names an object: a sweep of the stores reads them all, and they are few.
CREATE INDEX jobs_objects ON statex.jobs (id) WHERE (opts >> 41) & 15 = 1;
CREATE INDEX results_objects ON statex.results (job) WHERE encoding = 1;

CREATE INDEX jobs_batch ON statex.jobs USING brin (batch);
CREATE INDEX job_options_unique ON statex.job_options (unique_key, id) WHERE unique_key IS NOT NULL;
CREATE INDEX job_options_batch ON statex.job_options USING brin (batch);
CREATE INDEX lease_chunks_batch ON statex.lease_chunks USING brin (batch);
CREATE INDEX outcome_chunks_batch ON statex.outcome_chunks USING brin (batch);
CREATE INDEX results_batch ON statex.results USING brin (batch);
CREATE INDEX submits_batch ON statex.submits USING brin (batch);

-- Makes a partition as a plain table and attaches it: that lets readers and writers of the parent go on.
CREATE FUNCTION statex.add_partition(parent text, suffix text, low bigint, high bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    child text := parent || '_' || suffix;
BEGIN
    IF to_regclass('statex.' || child) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE statex.%I (LIKE statex.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
    -- Nothing is ever updated: pages are filled to the brim, and vacuum only has to freeze.
    EXECUTE format('ALTER TABLE statex.%I SET (fillfactor = 100)', child);
    EXECUTE format('ALTER TABLE statex.%I ATTACH PARTITION statex.%I FOR VALUES FROM (%s) TO (%s)', parent, child, low, high);
END $$;

-- Prepares the partitions of one day (days since 1970). A day's ids begin at (day * 24) << 43.
CREATE FUNCTION statex.add_day(day integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    low  bigint := (day::bigint * 24) << 43;
    high bigint := ((day::bigint + 1) * 24) << 43;
BEGIN
    PERFORM statex.add_partition('jobs', day::text, low, high);
    PERFORM statex.add_partition('job_options', day::text, low, high);
    PERFORM statex.add_partition('results', day::text, low, high);
    PERFORM statex.add_partition('checkpoints', day::text, low, high);
    PERFORM statex.add_partition('lease_chunks', day::text, low >> 12, high >> 12);
    PERFORM statex.add_partition('outcome_chunks', day::text, low >> 12, high >> 12);
    PERFORM statex.add_partition('keys', day::text, day::bigint, day::bigint + 1);
END $$;

-- Prepares the partitions of one range of commits (2^24 of them).
CREATE FUNCTION statex.add_commit_range(number bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM statex.add_partition('commits', number::text, number << 24, (number + 1) << 24);
    PERFORM statex.add_partition('submits', number::text, number << 24, (number + 1) << 24);
END $$;
