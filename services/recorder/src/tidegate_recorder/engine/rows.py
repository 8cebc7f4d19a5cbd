"""Rows of the tables, column by column as the migrations define them.

A row of a table that is partitioned by `trade_date` has it as its second column.
`payload` is the exact canonical JSON of one event.
"""

from typing import NamedTuple


class RunRow(NamedTuple):
    """A run and its settings, as they came on beat 0."""

    run_id: str
    spec: str
    trade_date: int
    ts_event_ns: int


class BeatRow(NamedTuple):
    """A beat and how much market data it carried."""

    run_id: str
    beat: int
    trade_date: int
    ts_event_ns: int
    tick_count: int
    score_count: int
    is_last: bool


class DecisionRow(NamedTuple):
    """A verdict of risk."""

    run_id: str
    trade_date: int
    beat: int
    account_id: str
    sequence: int
    decision_id: str
    instrument: int
    side: str
    price_e4: int
    quantity_shares: int
    outcome: str
    layer: str
    reason: str
    cause_kind: str
    cause: str
    ts_event_ns: int
    payload: str


class ControlRow(NamedTuple):
    """What a control command did to an account."""

    run_id: str
    beat: int
    account_id: str
    sequence: int
    request_id: str
    command: str
    outcome: str
    reason: str
    ts_event_ns: int
    payload: str


class OrderRow(NamedTuple):
    """An order as risk sent it."""

    run_id: str
    trade_date: int
    beat: int
    account_id: str
    sequence: int
    order_id: str
    instrument: int
    side: str
    order_type: str
    price_e4: int
    quantity_shares: int
    ts_event_ns: int
    payload: str


class CancelRow(NamedTuple):
    """A cancel as risk sent it."""

    run_id: str
    trade_date: int
    beat: int
    account_id: str
    sequence: int
    order_id: str
    ts_event_ns: int
    payload: str


class OrderUpdateRow(NamedTuple):
    """A state of an order."""

    run_id: str
    trade_date: int
    order_id: str
    beat: int
    account_id: str
    sequence: int
    instrument: int
    status: str
    reason: str
    cumulative_shares: int
    leaves_shares: int
    ts_event_ns: int
    payload: str


class FillRow(NamedTuple):
    """A trade of ours; `fill_index` is the last part of its id."""

    run_id: str
    trade_date: int
    beat: int
    account_id: str
    order_beat: int
    sequence: int
    fill_index: int
    fill_id: str
    order_id: str
    decision_id: str
    instrument: int
    side: str
    price_e4: int
    quantity_shares: int
    amount_fen: int
    fee_fen: int
    ts_event_ns: int
    payload: str


class EquityRow(NamedTuple):
    """What an account is worth after a beat."""

    run_id: str
    trade_date: int
    account_id: str
    beat: int
    ts_event_ns: int
    cash_fen: int
    nav_fen: int


class PortfolioRow(NamedTuple):
    """An account's books after a beat that changed them."""

    run_id: str
    trade_date: int
    account_id: str
    beat: int
    nav_fen: int
    payload: str


class EquityMinuteRow(NamedTuple):
    """What an account is worth after a minute's last beat."""

    run_id: str
    trade_date: int
    account_id: str
    minute_ns: int
    beat: int
    cash_fen: int
    nav_fen: int


class EquityDayRow(NamedTuple):
    """What an account is worth after a day's last beat."""

    run_id: str
    trade_date: int
    account_id: str
    beat: int
    cash_fen: int
    nav_fen: int


class PositionRow(NamedTuple):
    """A holding at the end of a day."""

    run_id: str
    trade_date: int
    account_id: str
    beat: int
    instrument: int
    quantity_shares: int
    sellable_shares: int
    cost_fen: int
    mark_e4: int
    value_fen: int


class BookingRow(NamedTuple):
    """A change of an account's books that is no trade."""

    run_id: str
    trade_date: int
    account_id: str
    beat: int
    sequence: int
    kind: str
    instrument: int
    cash_fen: int
    quantity_shares: int
    held_shares: int
    effective_date: int
    ts_event_ns: int
    payload: str


class ScoreRow(NamedTuple):
    """A score that is another than before."""

    run_id: str
    trade_date: int
    beat: int
    strategy: str
    instrument: int
    score_e6: int
    is_ranked: bool
    ts_event_ns: int


class BarRow(NamedTuple):
    """A bar that ended."""

    run_id: str
    trade_date: int
    instrument: int
    period_seconds: int
    ts_end_ns: int
    beat: int
    open_e4: int
    high_e4: int
    low_e4: int
    close_e4: int
    volume_shares: int
    amount_fen: int


class InstrumentRow(NamedTuple):
    """What an instrument was when a day began; see `ReferenceRows`."""

    run_id: str
    trade_date: int
    instrument: int
    beat: int
    symbol: str
    board: int
    limit_state: int
    is_st: bool
    is_suspended: bool
    prev_close_e4: int
    limit_up_e4: int
    limit_down_e4: int
    sector: str


class RecommendationRow(NamedTuple):
    """A strategy's best and worst instruments, when they changed."""

    run_id: str
    trade_date: int
    beat: int
    strategy: str
    ts_event_ns: int
    payload: str


class JournalRow(NamedTuple):
    """An entry of risk's journal; the store takes it only if it continues the chain."""

    run_id: str
    risk_partition: int
    from_beat: int
    to_beat: int
    requests_from_offset: int
    requests_through_offset: int
    log: str
    payload: str


class DeadLetterRow(NamedTuple):
    """A message that could not be used."""

    log: str
    topic: str
    partition: int
    log_offset: int
    stage: str
    reason: str
    value_base64: str


class AuditRow(NamedTuple):
    """A write that a caller asked the gateway for."""

    audit_id: str
    ts_ns: int
    caller: str
    key_id: str
    role: str
    peer: str
    method: str
    path: str
    request_id: str
    status: int
    body: str


class StreamRow(NamedTuple):
    """How far a producer has spoken on a partition."""

    run_id: str
    topic: str
    partition: int
    producer: str
    last_beat: int


class ProgressRow(NamedTuple):
    """Where to read on in a partition."""

    log: str
    topic: str
    partition: int
    next_offset: int
