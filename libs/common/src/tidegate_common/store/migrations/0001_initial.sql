-- What happened, projected from the log by the recorder.
--
-- Rows are only ever added, and every key is made of (run, beat, account, sequence, ...), so that
-- a message that is read twice changes nothing. `payload` is the exact canonical JSON of one event.
-- Texts sort by code point (COLLATE "C"), as Python does.

CREATE TABLE runs (
    run_id        text COLLATE "C" PRIMARY KEY,
    spec          text        NOT NULL,
    trade_date    integer     NOT NULL,
    ts_event_ns   bigint      NOT NULL,
    is_complete   boolean     NOT NULL DEFAULT false,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN runs.spec IS 'JSON of the RunSpec, byte for byte as it came on beat 0';
COMMENT ON COLUMN runs.ts_event_ns IS 'market time of beat 0, UTC epoch';
COMMENT ON COLUMN runs.recorded_at IS 'wall time; the only column that is no function of the log';

CREATE INDEX runs_by_age ON runs (recorded_at DESC, run_id DESC);

CREATE TABLE beats (
    run_id        text COLLATE "C" NOT NULL,
    beat          bigint      NOT NULL,
    trade_date    integer     NOT NULL,
    ts_event_ns   bigint      NOT NULL,
    tick_count    bigint      NOT NULL,
    score_count   bigint      NOT NULL,
    is_last       boolean     NOT NULL,
    PRIMARY KEY (run_id, beat)
);

CREATE TABLE decisions (
    run_id          text COLLATE "C" NOT NULL,
    beat            bigint      NOT NULL,
    account_id      text COLLATE "C" NOT NULL,
    sequence        bigint      NOT NULL,
    decision_id     text        NOT NULL,
    instrument      bigint      NOT NULL,
    side            text        NOT NULL,
    price_e4        bigint      NOT NULL,
    quantity_shares bigint      NOT NULL,
    outcome         text        NOT NULL,
    layer           text        NOT NULL,
    reason          text        NOT NULL,
    cause_kind      text        NOT NULL,
    cause           text        NOT NULL,
    ts_event_ns     bigint      NOT NULL,
    payload         text        NOT NULL,
    PRIMARY KEY (run_id, beat, account_id, sequence)
);

CREATE TABLE orders (
    run_id          text COLLATE "C" NOT NULL,
    beat            bigint      NOT NULL,
    account_id      text COLLATE "C" NOT NULL,
    sequence        bigint      NOT NULL,
    order_id        text COLLATE "C" NOT NULL,
    instrument      bigint      NOT NULL,
    side            text        NOT NULL,
    order_type      text        NOT NULL,
    price_e4        bigint      NOT NULL,
    quantity_shares bigint      NOT NULL,
    ts_event_ns     bigint      NOT NULL,
    payload         text        NOT NULL,
    PRIMARY KEY (run_id, beat, account_id, sequence)
);

CREATE TABLE cancels (
    run_id        text COLLATE "C" NOT NULL,
    beat          bigint      NOT NULL,
    account_id    text COLLATE "C" NOT NULL,
    sequence      bigint      NOT NULL,
    order_id      text COLLATE "C" NOT NULL,
    ts_event_ns   bigint      NOT NULL,
    payload       text        NOT NULL,
    PRIMARY KEY (run_id, beat, account_id, sequence, order_id)
);

CREATE TABLE order_updates (
    run_id            text COLLATE "C" NOT NULL,
    order_id          text COLLATE "C" NOT NULL,
    beat              bigint      NOT NULL,
    account_id        text COLLATE "C" NOT NULL,
    sequence          bigint      NOT NULL,
    instrument        bigint      NOT NULL,
    status            text        NOT NULL,
    reason            text        NOT NULL,
    cumulative_shares bigint      NOT NULL,
    leaves_shares     bigint      NOT NULL,
    ts_event_ns       bigint      NOT NULL,
    payload           text        NOT NULL,
    PRIMARY KEY (run_id, order_id, beat)
);

CREATE TABLE fills (
    run_id          text COLLATE "C" NOT NULL,
    beat            bigint      NOT NULL,
    account_id      text COLLATE "C" NOT NULL,
    order_beat      bigint      NOT NULL,
    sequence        bigint      NOT NULL,
    fill_index      bigint      NOT NULL,
    fill_id         text        NOT NULL,
    order_id        text COLLATE "C" NOT NULL,
    decision_id     text        NOT NULL,
    instrument      bigint      NOT NULL,
    side            text        NOT NULL,
    price_e4        bigint      NOT NULL,
    quantity_shares bigint      NOT NULL,
    amount_fen      bigint      NOT NULL,
    fee_fen         bigint      NOT NULL,
    ts_event_ns     bigint      NOT NULL,
    payload         text        NOT NULL,
    PRIMARY KEY (run_id, beat, account_id, order_beat, sequence, fill_index)
);

CREATE INDEX fills_by_order ON fills (run_id, order_id);

CREATE TABLE equity (
    run_id        text COLLATE "C" NOT NULL,
    account_id    text COLLATE "C" NOT NULL,
    beat          bigint      NOT NULL,
    ts_event_ns   bigint      NOT NULL,
    cash_fen      bigint      NOT NULL,
    nav_fen       bigint      NOT NULL,
    PRIMARY KEY (run_id, account_id, beat)
);

CREATE TABLE portfolios (
    run_id        text COLLATE "C" NOT NULL,
    account_id    text COLLATE "C" NOT NULL,
    beat          bigint      NOT NULL,
    trade_date    integer     NOT NULL,
    nav_fen       bigint      NOT NULL,
    payload       text        NOT NULL,
    PRIMARY KEY (run_id, account_id, beat)
);

-- A chain of spans: an entry is taken only if it starts where the chain so far ends, both the
-- run's beats and the partition's requests.
CREATE TABLE journal (
    run_id                  text COLLATE "C" NOT NULL,
    risk_partition          bigint NOT NULL,
    from_beat               bigint NOT NULL,
    to_beat                 bigint NOT NULL,
    requests_from_offset    bigint NOT NULL,
    requests_through_offset bigint NOT NULL,
    log                     text COLLATE "C" NOT NULL,
    payload                 text   NOT NULL,
    PRIMARY KEY (run_id, risk_partition, from_beat)
);

CREATE INDEX journal_by_request ON journal (log, risk_partition, requests_through_offset);

-- One message has one dead letter, however many stages complain; a dead letter names no run.
-- `log` as in `progress`: an offset means nothing without the log that it is in.
CREATE TABLE dead_letters (
    log           text COLLATE "C" NOT NULL,
    topic         text COLLATE "C" NOT NULL,
    partition     bigint      NOT NULL,
    log_offset    bigint      NOT NULL,
    stage         text        NOT NULL,
    reason        text        NOT NULL,
    value_base64  text        NOT NULL,
    PRIMARY KEY (log, topic, partition, log_offset)
);

-- How far each producer has spoken on each partition: tells repeats, and when a run is whole.
CREATE TABLE streams (
    run_id        text COLLATE "C" NOT NULL,
    topic         text COLLATE "C" NOT NULL,
    partition     bigint      NOT NULL,
    producer      text COLLATE "C" NOT NULL,
    last_beat     bigint      NOT NULL,
    PRIMARY KEY (run_id, topic, partition, producer)
) WITH (fillfactor = 50);

-- Where to read on; written in the transaction that writes the rows. `log` names the broker's log:
-- offsets of one that keeps nothing over a restart mean nothing to the next.
CREATE TABLE progress (
    log           text COLLATE "C" NOT NULL,
    topic         text COLLATE "C" NOT NULL,
    partition     bigint      NOT NULL,
    next_offset   bigint      NOT NULL,
    PRIMARY KEY (log, topic, partition)
) WITH (fillfactor = 50);

-- An order with what the exchange said last about it.
CREATE VIEW order_states AS
SELECT
    orders.*,
    coalesce(latest.status, 'pending_new')  AS status,
    coalesce(latest.reason, 'none')         AS status_reason,
    coalesce(latest.cumulative_shares, 0)   AS cumulative_shares,
    coalesce(latest.leaves_shares, orders.quantity_shares) AS leaves_shares,
    coalesce(latest.beat, orders.beat)      AS status_beat
FROM orders
LEFT JOIN LATERAL (
    SELECT status, reason, cumulative_shares, leaves_shares, beat
    FROM order_updates
    WHERE order_updates.run_id = orders.run_id AND order_updates.order_id = orders.order_id
    ORDER BY beat DESC
    LIMIT 1
) AS latest ON true;
