"""Every dated table of the rule book by name, its values as text: for documents and for tests."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tidegate_common.domain.enums import Board, Exchange, LimitState, ListingStage, TimeInForce
from tidegate_common.domain.units import BPS, PRICE_SCALE
from tidegate_common.market.board import PREFIX_ROWS, Prefix
from tidegate_common.market.cage import CAGE_ROWS, CageRule
from tidegate_common.market.dated import DatedRow, Value
from tidegate_common.market.dividend_tax import DIVIDEND_TAX_ROWS, DividendTax
from tidegate_common.market.fee_rows import (
    FUND_HANDLING_FEE_ROWS,
    FUND_STAMP_DUTY_ROWS,
    FUND_TRANSFER_FEE_ROWS,
    HANDLING_FEE_ROWS,
    RATE_SCALE,
    REGULATORY_FEE_ROWS,
    STAMP_DUTY_ROWS,
    TRANSFER_FEE_ROWS,
    StampDuty,
    TransferFee,
)
from tidegate_common.market.listing import IPO_ROWS, IpoRule
from tidegate_common.market.lots import LOT_ROWS, ST_BUY_CAP_ROWS, TICK_ROWS, LotRule
from tidegate_common.market.order_types import MARKET_KIND_ROWS, MarketKinds
from tidegate_common.market.price_limits import LIMIT_ROWS, LimitRule
from tidegate_common.market.programme_trading import THRESHOLD_ROWS, ProgrammeTradingThresholds
from tidegate_common.market.sessions import SESSION_ROWS, Session
from tidegate_common.market.settlement import SETTLEMENT_ROWS, SettlementRule

Key = TypeVar("Key", bound=Hashable)

_PERCENT = 100
_SECONDS_PER_MINUTE = 60
_MINUTES_PER_HOUR = 60


@dataclass(frozen=True, slots=True)
class RuleTable:
    """The rows of one rule for one segment of the market.

    rule : what is regulated, such as "price limit".
    segment : for whom, such as "MAIN ORDINARY"; "all" where there are no segments.
    rows : in order of date, without overlap.
    texts : what each row says.
    """

    rule: str
    segment: str
    rows: tuple[DatedRow[object], ...]
    texts: tuple[str, ...]


def describe_limit(rule: LimitRule) -> str:
    """Return a limit as text: `-10% to +10%`, `none`."""
    if rule.state is LimitState.UNLIMITED:
        return "none"
    return " to ".join(describe_limit_sides(rule))


def describe_limit_sides(rule: LimitRule) -> tuple[str, str]:
    """Return how far down and how far up a limit reaches: `-10%`, `+10%`."""
    return _percent(rule.down_bps, BPS), f"+{_percent(rule.up_bps, BPS)}"


def describe_cage(rule: CageRule) -> str:
    """Return a cage as text: `2%, at least 10 ticks`, `none`."""
    if rule.state is LimitState.UNLIMITED:
        return "none"
    floor = f", at least {rule.floor_ticks} ticks" if rule.floor_ticks else ""
    dormant = "; orders outside wait" if rule.is_dormant else ""
    return f"{_percent(rule.rate_bps, BPS)}{floor}{dormant}"


def describe_lot(rule: LotRule) -> str:
    """Return quantities as text, in shares; a maximum that nobody knows refuses every order."""
    return (
        f"from {rule.min_shares} by {rule.step_shares}; at most {rule.max_limit_shares:,} in a "
        f"limit order, {_shares_or_none(rule.max_market_shares)} in a market order, "
        f"{_shares_or_none(rule.max_fixed_price_shares)} after hours"
    )


def describe_tick(tick_e4: int) -> str:
    """Return a price tick as text: `0.01 CNY`."""
    return f"{tick_e4 / PRICE_SCALE:g} CNY"


def describe_sessions(sessions: tuple[Session, ...]) -> str:
    """Return the phases of a day as text, each with what it takes."""
    return "; ".join(f"{describe_span(each)} {describe_session(each)}" for each in sessions)


def describe_settlement(rule: SettlementRule) -> str:
    """Return the availability of shares and cash as text."""
    return (
        f"shares sellable T+{rule.resale_days}, cash of sales usable T+{rule.cash_use_days}, "
        f"withdrawable T+{rule.cash_withdraw_days}"
    )


def describe_stamp_duty(duty: StampDuty) -> str:
    """Return stamp duty as text, by side."""
    return (
        f"buy {_percent(duty.buy_rate_e8, RATE_SCALE)}, "
        f"sell {_percent(duty.sell_rate_e8, RATE_SCALE)}"
    )


def describe_transfer_fee(fee: TransferFee) -> str:
    """Return a transfer fee as text."""
    basis = "face value" if fee.is_on_face_value else "turnover"
    return f"{_percent(fee.rate_e8, RATE_SCALE)} of {basis}"


def describe_rate(rate_e8: int) -> str:
    """Return a fee's rate as text."""
    return f"{_percent(rate_e8, RATE_SCALE)} of turnover"


def describe_thresholds(thresholds: ProgrammeTradingThresholds) -> str:
    """Return programme-trading thresholds as text."""
    return (
        f"{thresholds.messages_per_second} orders and cancels a second or "
        f"{thresholds.messages_per_day:,} a day"
    )


def clock_text(seconds_of_day: int) -> str:
    """Return a second of the day as `09:15`; all rules begin and end on a minute."""
    hours, minutes = divmod(seconds_of_day // _SECONDS_PER_MINUTE, _MINUTES_PER_HOUR)
    return f"{hours:02d}:{minutes:02d}"


def describe_session(session: Session) -> str:
    """Return a phase and what is taken in it as text: `OPEN_CALL (submit, cancel)`."""
    takes = [
        name
        for name, is_taken in (
            ("submit", session.can_submit),
            ("cancel", session.can_cancel),
            ("submit fixed-price", session.can_submit_fixed_price),
        )
        if is_taken
    ]
    return f"{session.phase.name} ({', '.join(takes) or 'nothing'})"


def describe_span(session: Session) -> str:
    """Return when a phase is, as text: `09:15-09:20`."""
    return f"{clock_text(session.start_seconds)}-{clock_text(session.end_seconds)}"


def _describe_ipo(rule: IpoRule) -> str:
    if rule.has_first_day_band:
        return "first day: a band around the issue price"
    return f"first {rule.unlimited_days} trading day(s): no limit"


def _describe_board(board: Board) -> str:
    return board.name


def _describe_market_kinds(kinds: MarketKinds) -> str:
    return ", ".join(
        f"{order_type} ({TimeInForce.FOK})" if is_all_or_none else order_type
        for order_type, is_all_or_none in sorted(kinds)
    )


def _describe_shares(shares: int) -> str:
    return f"{shares:,} shares of one name in a day"


def _describe_tax(tax: DividendTax) -> str:
    return (
        f"{_percent(tax.up_to_one_month_bps, BPS)} up to a month, "
        f"{_percent(tax.up_to_one_year_bps, BPS)} up to a year, "
        f"{_percent(tax.longer_bps, BPS)} after it"
    )


def _shares_or_none(shares: int) -> str:
    return f"{shares:,}" if shares else "none"


def _percent(part: int, whole: int) -> str:
    return f"{part * _PERCENT / whole:.10g}%"


def _table(
    rule: str,
    segment: str,
    rows: Sequence[DatedRow[Value]],
    describe: Callable[[Value], str],
) -> RuleTable:
    return RuleTable(rule, segment, tuple(rows), tuple(describe(row.value) for row in rows))


def _tables(
    rule: str,
    by_segment: Mapping[Key, Sequence[DatedRow[Value]]],
    name: Callable[[Key], str],
    describe: Callable[[Value], str],
) -> tuple[RuleTable, ...]:
    """Return one table for each set of rows; segments with the same rows share one."""
    segments: dict[tuple[DatedRow[Value], ...], list[str]] = {}
    for key, rows in by_segment.items():
        segments.setdefault(tuple(rows), []).append(name(key))
    return tuple(
        _table(rule, ", ".join(names), rows, describe) for rows, names in segments.items() if rows
    )


def _prefix_name(prefix: Prefix) -> str:
    exchange, digits = prefix
    return f"{digits}*.{exchange.name}"


def _board_name(board: Board) -> str:
    return board.name


def _exchange_name(exchange: Exchange) -> str:
    return exchange.name


def _stage_name(segment: tuple[Board, ListingStage]) -> str:
    board, stage = segment
    return f"{board.name} {stage.name}"


def _session_name(segment: tuple[Exchange, Board]) -> str:
    exchange, board = segment
    return f"{exchange.name} {board.name}"


def _resale_name(has_same_day_resale: bool) -> str:  # noqa: FBT001 - the table's own key
    return "products with same-day resale" if has_same_day_resale else "all others"


# Named as rulebook sections are, in their order.
RULE_TABLES: tuple[RuleTable, ...] = (
    *_tables("sessions", SESSION_ROWS, _session_name, describe_sessions),
    *_tables(
        "board by prefix",
        {prefix: (row,) for prefix, row in PREFIX_ROWS.items()},
        _prefix_name,
        _describe_board,
    ),
    *_tables("offering, by listing date", IPO_ROWS, _board_name, _describe_ipo),
    *_tables("price limit", LIMIT_ROWS, _stage_name, describe_limit),
    *_tables("price cage", CAGE_ROWS, _board_name, describe_cage),
    *_tables("quantities", LOT_ROWS, _board_name, describe_lot),
    *_tables("market orders", MARKET_KIND_ROWS, _session_name, _describe_market_kinds),
    *_tables("price tick", TICK_ROWS, _board_name, describe_tick),
    *_tables("ST buy cap", ST_BUY_CAP_ROWS, _board_name, _describe_shares),
    *_tables("settlement", SETTLEMENT_ROWS, _resale_name, describe_settlement),
    _table("stamp duty", "shares", STAMP_DUTY_ROWS, describe_stamp_duty),
    _table("stamp duty", "funds", FUND_STAMP_DUTY_ROWS, describe_stamp_duty),
    *_tables("transfer fee", TRANSFER_FEE_ROWS, _exchange_name, describe_transfer_fee),
    _table("transfer fee", "funds", FUND_TRANSFER_FEE_ROWS, describe_transfer_fee),
    *_tables("handling fee", HANDLING_FEE_ROWS, _exchange_name, describe_rate),
    _table("handling fee", "funds", FUND_HANDLING_FEE_ROWS, describe_rate),
    _table("regulatory fee", "all", REGULATORY_FEE_ROWS, describe_rate),
    _table("dividend tax, by record date", "all", DIVIDEND_TAX_ROWS, _describe_tax),
    _table("programme trading", "all", THRESHOLD_ROWS, describe_thresholds),
)
