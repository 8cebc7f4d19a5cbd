-- Reference data as each day's OPEN beat told it: what an instrument was on a day, by day.

CREATE TABLE instruments (
    run_id        text COLLATE "C" NOT NULL,
    trade_date    integer     NOT NULL,
    instrument    bigint      NOT NULL,
    beat          bigint      NOT NULL,
    symbol        text COLLATE "C" NOT NULL,
    board         bigint      NOT NULL,
    limit_state   bigint      NOT NULL,
    is_st         boolean     NOT NULL,
    is_suspended  boolean     NOT NULL,
    prev_close_e4 bigint      NOT NULL,
    limit_up_e4   bigint      NOT NULL,
    limit_down_e4 bigint      NOT NULL,
    sector        text        NOT NULL,
    PRIMARY KEY (run_id, trade_date, instrument)
) PARTITION BY RANGE (trade_date);
COMMENT ON COLUMN instruments.board IS 'number of the board, limit_state of the limit state';
COMMENT ON COLUMN instruments.sector IS 'empty when unknown, as prices are 0';
