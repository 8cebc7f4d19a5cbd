-- What the gateway keeps: keys, the audit of writes, backtests.

CREATE TABLE api_keys (
    key_id        text COLLATE "C" PRIMARY KEY,
    name          text        NOT NULL,
    role          text        NOT NULL CHECK (role IN ('read', 'trade', 'admin')),
    accounts      text[]      NOT NULL,
    key_sha256    bytea       NOT NULL CHECK (length(key_sha256) = 32),
    created_ns    bigint      NOT NULL,
    expires_ns    bigint,
    revoked_ns    bigint
);
COMMENT ON COLUMN api_keys.accounts IS 'on which it may act; empty for all';

CREATE TABLE audits (
    audit_id      text COLLATE "C" PRIMARY KEY,
    ts_ns         bigint      NOT NULL,
    caller        text        NOT NULL,
    key_id        text        NOT NULL,
    role          text        NOT NULL,
    peer          text        NOT NULL,
    method        text        NOT NULL,
    path          text        NOT NULL,
    request_id    text COLLATE "C" NOT NULL,
    status        bigint      NOT NULL,
    body          text        NOT NULL
);
COMMENT ON TABLE audits IS 'what known callers wrote, or tried to; one row an answer';

CREATE INDEX audits_by_request ON audits (request_id, ts_ns);
CREATE INDEX audits_by_time ON audits (ts_ns);

-- What became of a request: a decision names it as its cause, a command's outcome by its id.
CREATE INDEX controls_by_request ON controls (run_id, request_id);
CREATE INDEX cancels_by_order ON cancels (run_id, order_id);

CREATE TABLE backtests (
    job_id        text COLLATE "C" PRIMARY KEY,
    requested_ns  bigint      NOT NULL,
    state         text        NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    reason        text        NOT NULL DEFAULT '',
    started_ns    bigint,
    ended_ns      bigint,
    job           text        NOT NULL,
    result        text
);
COMMENT ON COLUMN backtests.job IS 'JSON of the BacktestJob';
COMMENT ON COLUMN backtests.result IS 'JSON of the BacktestResult of one that is done';

CREATE INDEX backtests_by_time ON backtests (requested_ns, job_id);
CREATE INDEX backtests_waiting ON backtests (requested_ns, job_id)
    WHERE state IN ('queued', 'running');
