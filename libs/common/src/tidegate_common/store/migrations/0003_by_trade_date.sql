-- The large tables by trade date: a partition a month, made when its first row comes, dropped when
-- it is older than the retention. `trade_date` is the Shanghai date of the row's market time, so
-- every key is as unique with it as without.

-- Adds the partition of a month (YYYYMM) unless it is there. Attaching what was made apart lets
-- readers and writers of the other months go on. Callers take turns by a lock of their own.
CREATE FUNCTION add_partition(parent text, month integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    child text := parent || '_' || month;
    next_month integer := month + CASE WHEN month % 100 = 12 THEN 89 ELSE 1 END;
BEGIN
    IF to_regclass(quote_ident(child)) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
            parent, child, month * 100, next_month * 100
        );
    END IF;
END
$$;

CREATE FUNCTION shanghai_date(ts_event_ns bigint) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT to_char(
        to_timestamp(ts_event_ns / 1000000000) AT TIME ZONE INTERVAL '8 hours', 'YYYYMMDD'
    )::integer
$$;

-- A database of before keeps its rows: the tables step aside until theirs are copied.
DROP VIEW order_states;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'decisions', 'orders', 'cancels', 'order_updates', 'fills', 'equity', 'portfolios'
    ] LOOP
        EXECUTE format('ALTER TABLE %I RENAME TO %I', name, name || '_before');
        EXECUTE format('ALTER INDEX %I RENAME TO %I', name || '_pkey', name || '_before_pkey');
    END LOOP;
END
$$;
DROP INDEX fills_by_order;

CREATE TABLE decisions (
    run_id          text COLLATE "C" NOT NULL,
    trade_date      integer     NOT NULL,
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
    PRIMARY KEY (run_id, beat, account_id, sequence, trade_date)
) PARTITION BY RANGE (trade_date);
COMMENT ON COLUMN decisions.cause IS 'name of the strategy where cause_kind is score';

CREATE INDEX decisions_by_account ON decisions (run_id, account_id, beat, sequence);
CREATE INDEX decisions_by_instrument ON decisions (run_id, instrument, beat, account_id, sequence);
CREATE INDEX decisions_by_cause ON decisions (run_id, cause, beat, account_id, sequence);
CREATE INDEX decisions_by_reason ON decisions (run_id, reason, beat, account_id, sequence);

-- An order has the key of its decision, and its id is that key.
CREATE TABLE orders (
    run_id          text COLLATE "C" NOT NULL,
    trade_date      integer     NOT NULL,
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
    PRIMARY KEY (run_id, beat, account_id, sequence, trade_date)
) PARTITION BY RANGE (trade_date);

CREATE INDEX orders_by_account ON orders (run_id, account_id, beat, sequence);
CREATE INDEX orders_by_instrument ON orders (run_id, instrument, beat, account_id, sequence);

CREATE TABLE cancels (
    run_id        text COLLATE "C" NOT NULL,
    trade_date    integer     NOT NULL,
    beat          bigint      NOT NULL,
    account_id    text COLLATE "C" NOT NULL,
    sequence      bigint      NOT NULL,
    order_id      text COLLATE "C" NOT NULL,
    ts_event_ns   bigint      NOT NULL,
    payload       text        NOT NULL,
    PRIMARY KEY (run_id, beat, account_id, sequence, order_id, trade_date)
) PARTITION BY RANGE (trade_date);

CREATE TABLE order_updates (
    run_id            text COLLATE "C" NOT NULL,
    trade_date        integer     NOT NULL,
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
    PRIMARY KEY (run_id, order_id, beat, trade_date)
) PARTITION BY RANGE (trade_date);

CREATE TABLE fills (
    run_id          text COLLATE "C" NOT NULL,
    trade_date      integer     NOT NULL,
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
    PRIMARY KEY (run_id, beat, account_id, order_beat, sequence, fill_index, trade_date)
) PARTITION BY RANGE (trade_date);

CREATE INDEX fills_by_order ON fills (run_id, order_id);
CREATE INDEX fills_by_account
    ON fills (run_id, account_id, beat, order_beat, sequence, fill_index);
CREATE INDEX fills_by_instrument
    ON fills (run_id, instrument, beat, account_id, order_beat, sequence, fill_index);

CREATE TABLE equity (
    run_id        text COLLATE "C" NOT NULL,
    trade_date    integer     NOT NULL,
    account_id    text COLLATE "C" NOT NULL,
    beat          bigint      NOT NULL,
    ts_event_ns   bigint      NOT NULL,
    cash_fen      bigint      NOT NULL,
    nav_fen       bigint      NOT NULL,
    PRIMARY KEY (run_id, account_id, beat, trade_date)
) PARTITION BY RANGE (trade_date);
COMMENT ON TABLE equity IS
    'every n-th beat, the beats in which an account''s books were told, and the last';

CREATE TABLE portfolios (
    run_id        text COLLATE "C" NOT NULL,
    trade_date    integer     NOT NULL,
    account_id    text COLLATE "C" NOT NULL,
    beat          bigint      NOT NULL,
    nav_fen       bigint      NOT NULL,
    payload       text        NOT NULL,
    PRIMARY KEY (run_id, account_id, beat, trade_date)
) PARTITION BY RANGE (trade_date);

-- What was recorded so far moves over.
DO $$
DECLARE
    name text;
    key_date text;
    month integer;
    columns text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'decisions', 'orders', 'cancels', 'order_updates', 'fills', 'equity', 'portfolios'
    ] LOOP
        key_date := CASE name
            WHEN 'portfolios' THEN 'trade_date' ELSE 'shanghai_date(ts_event_ns)'
        END;
        FOR month IN EXECUTE
            format('SELECT DISTINCT %s / 100 FROM %I', key_date, name || '_before')
        LOOP
            PERFORM add_partition(name, month);
        END LOOP;
        SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
        WHERE attrelid = to_regclass(quote_ident(name)) AND attnum > 0 AND attname <> 'trade_date';
        EXECUTE format(
            'INSERT INTO %I (trade_date, %s) SELECT %s, %s FROM %I',
            name, columns, key_date, columns, name || '_before'
        );
        EXECUTE format('DROP TABLE %I', name || '_before');
    END LOOP;
END
$$;

-- An account's equity at the end of each minute and of each day that has a beat.
CREATE TABLE equity_minutes (
    run_id        text COLLATE "C" NOT NULL,
    trade_date    integer     NOT NULL,
    account_id    text COLLATE "C" NOT NULL,
    minute_ns     bigint      NOT NULL,
    beat          bigint      NOT NULL,
    cash_fen      bigint      NOT NULL,
    nav_fen       bigint      NOT NULL,
    PRIMARY KEY (run_id, account_id, minute_ns, trade_date)
) PARTITION BY RANGE (trade_date);
COMMENT ON COLUMN equity_minutes.minute_ns IS 'start of the minute, UTC epoch';

CREATE TABLE equity_days (
    run_id        text COLLATE "C" NOT NULL,
    trade_date    integer     NOT NULL,
    account_id    text COLLATE "C" NOT NULL,
    beat          bigint      NOT NULL,
    cash_fen      bigint      NOT NULL,
    nav_fen       bigint      NOT NULL,
    PRIMARY KEY (run_id, account_id, trade_date)
) PARTITION BY RANGE (trade_date);

-- Holdings as they were told from 15:00 on; those of a day are of its last beat.
CREATE TABLE positions (
    run_id          text COLLATE "C" NOT NULL,
    trade_date      integer     NOT NULL,
    account_id      text COLLATE "C" NOT NULL,
    beat            bigint      NOT NULL,
    instrument      bigint      NOT NULL,
    quantity_shares bigint      NOT NULL,
    sellable_shares bigint      NOT NULL,
    cost_fen        bigint      NOT NULL,
    mark_e4         bigint      NOT NULL,
    value_fen       bigint      NOT NULL,
    PRIMARY KEY (run_id, account_id, trade_date, beat, instrument)
) PARTITION BY RANGE (trade_date);

CREATE INDEX positions_by_instrument ON positions (run_id, instrument, trade_date);

CREATE VIEW positions_by_day AS
SELECT positions.* FROM positions
WHERE beat = (
    SELECT max(beat) FROM portfolios
    WHERE portfolios.run_id = positions.run_id
      AND portfolios.account_id = positions.account_id
      AND portfolios.trade_date = positions.trade_date
);

CREATE TABLE scores (
    run_id        text COLLATE "C" NOT NULL,
    trade_date    integer     NOT NULL,
    beat          bigint      NOT NULL,
    strategy      text COLLATE "C" NOT NULL,
    instrument    bigint      NOT NULL,
    score_e6      bigint      NOT NULL,
    is_ranked     boolean     NOT NULL,
    ts_event_ns   bigint      NOT NULL,
    PRIMARY KEY (run_id, strategy, instrument, beat, trade_date)
) PARTITION BY RANGE (trade_date);
COMMENT ON TABLE scores IS 'an instrument''s score of a strategy, where it is another than before';
COMMENT ON COLUMN scores.is_ranked IS
    'whether score_e6 is the raw number of a strategy whose scores become ranks';

CREATE TABLE bars (
    run_id          text COLLATE "C" NOT NULL,
    trade_date      integer     NOT NULL,
    instrument      bigint      NOT NULL,
    period_seconds  bigint      NOT NULL,
    ts_end_ns       bigint      NOT NULL,
    beat            bigint      NOT NULL,
    open_e4         bigint      NOT NULL,
    high_e4         bigint      NOT NULL,
    low_e4          bigint      NOT NULL,
    close_e4        bigint      NOT NULL,
    volume_shares   bigint      NOT NULL,
    amount_fen      bigint      NOT NULL,
    PRIMARY KEY (run_id, instrument, period_seconds, ts_end_ns, trade_date)
) PARTITION BY RANGE (trade_date);

CREATE TABLE recommendations (
    run_id        text COLLATE "C" NOT NULL,
    trade_date    integer     NOT NULL,
    beat          bigint      NOT NULL,
    strategy      text COLLATE "C" NOT NULL,
    ts_event_ns   bigint      NOT NULL,
    payload       text        NOT NULL,
    PRIMARY KEY (run_id, strategy, beat, trade_date)
) PARTITION BY RANGE (trade_date);

-- From a time to a beat, by which all else is sorted.
CREATE INDEX beats_by_time ON beats (run_id, ts_event_ns);

-- An order with what the exchange said last about it; that is never before the order.
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
      AND order_updates.trade_date >= orders.trade_date
    ORDER BY beat DESC
    LIMIT 1
) AS latest ON true;
