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
