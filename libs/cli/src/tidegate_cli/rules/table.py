"""An instrument's rules as a table for people."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

from tidegate_common.domain.enums import LimitState
from tidegate_common.domain.ids import format_symbol
from tidegate_common.market.answers import COMMISSION_SOURCE, date_text, price_text
from tidegate_common.market.dated import Confidence, DatedRow
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.rulebook import InstrumentRules
from tidegate_common.market.tables import (
    describe_cage,
    describe_limit_sides,
    describe_rate,
    describe_session,
    describe_settlement,
    describe_span,
    describe_stamp_duty,
    describe_thresholds,
    describe_tick,
    describe_transfer_fee,
)

_UNKNOWN = "UNKNOWN: no row for this day"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table; `row` gives its source and confidence."""

    name: str
    value: str
    row: DatedRow[object] | None = None
    source: str = ""


def rules_table(rules: InstrumentRules, assumptions: tuple[str, ...] = ()) -> Table:
    """Return the rules of an instrument on a day, each with its source and confidence."""
    symbol = format_symbol(rules.status.instrument)
    close = price_text(rules.prev_close_e4, price_tick_e4(rules.status.board))
    table = Table(
        title=f"{symbol} on {date_text(rules.trade_date)}, previous close {close} CNY",
        title_justify="left",
        caption="\n".join((*assumptions, *(f"{each.name}: {each.value}" for each in Confidence))),
        caption_justify="left",
    )
    table.add_column("rule", no_wrap=True)
    table.add_column("value", ratio=3)
    table.add_column("conf.", no_wrap=True)
    table.add_column("source", ratio=4)
    for line in _lines(rules):
        row = line.row
        table.add_row(
            line.name,
            line.value,
            row.confidence.name if row is not None else "",
            row.source if row is not None else line.source,
        )
    return table


def _lines(rules: InstrumentRules) -> Iterator[Line]:
    status = rules.status
    kind = f"{status.board.name}, {status.stage.name}, risk warning {status.risk_warning.name}"
    yield Line("board, stage", kind)
    yield from _price_lines(rules)
    yield from _quantity_lines(rules)
    yield Line("sessions", "" if rules.sessions is not None else _UNKNOWN, rules.sessions)
    for session in rules.sessions.value if rules.sessions is not None else ():
        yield Line(f"  {describe_span(session)}", describe_session(session))
    settlement, thresholds = rules.settlement, rules.programme_trading
    settled = describe_settlement(settlement.value) if settlement is not None else _UNKNOWN
    yield Line("settlement", settled, settlement)
    yield from _fee_lines(rules)
    watched = (
        describe_thresholds(thresholds.value)
        if thresholds is not None
        else "no thresholds on this day"
    )
    yield Line("programme trading", watched, thresholds)


def _price_lines(rules: InstrumentRules) -> Iterator[Line]:
    tick_e4 = price_tick_e4(rules.status.board)
    limit, cage = rules.limit, rules.cage
    match limit.state:
        case LimitState.LIMITED if limit.rule is not None:
            up, down = price_text(limit.up_e4, tick_e4), price_text(limit.down_e4, tick_e4)
            down_text, up_text = describe_limit_sides(limit.rule.value)
            both = f"{up} ({up_text}), {down} ({down_text})"
            yield Line("limit up, down", both, limit.rule)
        case LimitState.UNLIMITED:
            yield Line("limits", "UNLIMITED: none on this day", limit.rule)
        case _:
            yield Line("limits", _UNKNOWN, limit.rule)
    if cage.rule is None:
        yield Line("cage", _UNKNOWN)
    elif cage.state is LimitState.LIMITED:
        cap, floor = price_text(cage.buy_cap_e4, tick_e4), price_text(cage.sell_floor_e4, tick_e4)
        yield Line("cage", f"{describe_cage(cage.rule.value)}, from the best price", cage.rule)
        yield Line("  without a book", f"buy up to {cap}, sell down to {floor}")
    else:
        yield Line("cage", describe_cage(cage.rule.value), cage.rule)
    yield Line("price tick", describe_tick(tick_e4), rules.tick)


def _quantity_lines(rules: InstrumentRules) -> Iterator[Line]:
    if rules.lot is None:
        yield Line("lot", _UNKNOWN)
    else:
        lot = rules.lot.value
        yield Line("lot", f"from {lot.min_shares} shares by {lot.step_shares}", rules.lot)
        yield Line("  limit order", _at_most(lot.max_limit_shares))
        yield Line("  market order", _at_most(lot.max_market_shares))
        if _has_after_hours(rules):
            yield Line("  after hours", _at_most(lot.max_fixed_price_shares))
    if rules.st_buy_cap is not None:
        cap = f"{rules.st_buy_cap.value:,} shares of the name a day"
        yield Line("ST buy cap", cap, rules.st_buy_cap)


def _at_most(shares: int) -> str:
    return f"at most {shares:,} shares" if shares else "no maximum known: refused"


def _has_after_hours(rules: InstrumentRules) -> bool:
    sessions = rules.sessions.value if rules.sessions is not None else ()
    return any(session.can_submit_fixed_price for session in sessions)


def _fee_lines(rules: InstrumentRules) -> Iterator[Line]:
    fees = rules.fees
    assert fees is not None, "what has a symbol is of an exchange"
    yield Line("commission", "by contract", source=COMMISSION_SOURCE)
    yield Line("stamp duty", describe_stamp_duty(fees.stamp_duty.value), fees.stamp_duty)
    yield Line("transfer fee", describe_transfer_fee(fees.transfer_fee.value), fees.transfer_fee)
    yield Line("handling fee", describe_rate(fees.handling_fee.value), fees.handling_fee)
    yield Line("regulatory fee", describe_rate(fees.regulatory_fee.value), fees.regulatory_fee)
