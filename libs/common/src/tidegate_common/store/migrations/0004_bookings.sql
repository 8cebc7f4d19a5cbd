-- What changed an account's books and is no trade: corporate actions, dividends and their tax.

CREATE TABLE bookings (
    run_id          text COLLATE "C" NOT NULL,
    trade_date      integer     NOT NULL,
    account_id      text COLLATE "C" NOT NULL,
    beat            bigint      NOT NULL,
    sequence        bigint      NOT NULL,
    kind            text        NOT NULL,
    instrument      bigint      NOT NULL,
    cash_fen        bigint      NOT NULL,
    quantity_shares bigint      NOT NULL,
    held_shares     bigint      NOT NULL,
    effective_date  bigint      NOT NULL,
    ts_event_ns     bigint      NOT NULL,
    payload         text        NOT NULL,
    PRIMARY KEY (run_id, account_id, beat, sequence, trade_date)
) PARTITION BY RANGE (trade_date);
COMMENT ON COLUMN bookings.cash_fen IS
    'of a claim its amount, of a payment what came, of a tax what is owed, negative';
COMMENT ON COLUMN bookings.effective_date IS
    'when a claim is paid or new shares may be sold, YYYYMMDD; 0 of all else';
