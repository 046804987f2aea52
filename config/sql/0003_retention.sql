-- Retention: finished history leaves by dropping partitions.
--
-- A job that is still wanted when its partition goes is carried: its rows, with all its leases and outcomes,
-- stand in a partition of each table that reaches from the beginning to the first day that is kept. So new
-- leases and outcomes of it have a place, and readers need not know.

CREATE OR REPLACE VIEW statex.all_jobs AS
SELECT id, batch, created, opts, kind, tenant, payload FROM statex.jobs;

DROP TABLE statex.carried;

-- One row a round: what left, so that the rest can still be added up.
CREATE TABLE statex.retired (
    at             bigint NOT NULL PRIMARY KEY,
    low_id         bigint NOT NULL,         -- of jobs below it only the carried ones are left
    through_batch  bigint NOT NULL,         -- no row of a later commit left
    jobs           bigint NOT NULL,         -- how many left of each
    leases         bigint NOT NULL,
    outcomes       bigint NOT NULL,
    results        bigint NOT NULL,
    first_batch    bigint NOT NULL,         -- commits before it left,
    said_jobs      bigint NOT NULL,         -- and how many of each those that left now said they hold
    said_leases    bigint NOT NULL,
    said_outcomes  bigint NOT NULL,
    said_results   bigint NOT NULL
);

-- Prepares the partitions of one day. Below the first day that is kept ids have their place in the carried
-- partitions (a clock may step back that far); keys go by the day of their commit.
CREATE OR REPLACE FUNCTION statex.add_day(day integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    low  bigint := (day::bigint * 24) << 43;
    high bigint := ((day::bigint + 1) * 24) << 43;
BEGIN
    PERFORM statex.add_partition('keys', day::text, day::bigint, day::bigint + 1);
    IF low < (SELECT coalesce(max(low_id), 0) FROM statex.retired) THEN
        RETURN;
    END IF;
    PERFORM statex.add_partition('jobs', day::text, low, high);
    PERFORM statex.add_partition('job_options', day::text, low, high);
    PERFORM statex.add_partition('results', day::text, low, high);
    PERFORM statex.add_partition('checkpoints', day::text, low, high);
    PERFORM statex.add_partition('lease_chunks', day::text, low >> 12, high >> 12);
    PERFORM statex.add_partition('outcome_chunks', day::text, low >> 12, high >> 12);
END $$;
