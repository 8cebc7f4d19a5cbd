-- What control commands did, one row for each account that they concerned.

CREATE TABLE controls (
    run_id        text COLLATE "C" NOT NULL,
    beat          bigint      NOT NULL,
    account_id    text COLLATE "C" NOT NULL,
    sequence      bigint      NOT NULL,
    request_id    text        NOT NULL,
    command       text        NOT NULL,
    outcome       text        NOT NULL,
    reason        text        NOT NULL,
    ts_event_ns   bigint      NOT NULL,
    payload       text        NOT NULL,
    PRIMARY KEY (run_id, beat, account_id, sequence)
);
