-- Webhooks: what their relay in the gateways keeps. Not the journal: these rows are updated and deleted, once a second
-- at most, and whoever loses them loses no job.

-- How far the events were turned into deliveries: everything before it was submitted, durably.
CREATE TABLE statex.webhook_cursor (
    shard       smallint PRIMARY KEY,
    incarnation bigint   NOT NULL,
    batch       bigint   NOT NULL,
    index       bigint   NOT NULL,           -- of the commit's events, the first that is left
    at          timestamptz NOT NULL         -- when it was looked after last
);

-- URLs that requests named. A row is there, durably, before the request is submitted; the request's first job has
-- the tag webhook:NAME.
CREATE TABLE statex.webhook_targets (
    name   text        PRIMARY KEY,          -- a digest of tenant and url
    tenant text        NOT NULL,
    url    text        NOT NULL,
    used   timestamptz NOT NULL              -- when a request named it last, to the hour
);
