"""An instrument's rules as JSON-ready values: prices as decimal strings, null where there is none.

Keys are stable: programs read them.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from tidegate_common.domain.enums import LimitState
from tidegate_common.domain.ids import format_symbol
from tidegate_common.domain.units import PRICE_SCALE
from tidegate_common.market.cage import PriceCage
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, DatedRow, Value
from tidegate_common.market.fees import RATE_SCALE, FeeRows
from tidegate_common.market.listing import LISTED_LONG_AGO
from tidegate_common.market.lots import price_tick_e4
from tidegate_common.market.rulebook import InstrumentRules
from tidegate_common.market.sessions import Session
from tidegate_common.market.tables import clock_text

Json = dict[str, object]

COMMISSION_SOURCE = (
    "the account's contract with its broker, not the rule book: at most 0.3%, usually at least "
    "5.00 CNY an order"
)


def answer_json(rules: InstrumentRules, assumptions: tuple[str, ...] = ()) -> Json:
    """Return the rules of an instrument on a day, with the source of each."""
    status, limit = rules.status, rules.limit
    tick_e4 = price_tick_e4(status.board)
    is_limited = limit.state is LimitState.LIMITED
    lot = rules.lot.value if rules.lot is not None else None
    return {
        "instrument": format_symbol(status.instrument),
        "date": date_text(rules.trade_date),
        "prev_close": price_text(rules.prev_close_e4, tick_e4),
        "board": status.board.name,
        "status": status.status.name,
        "stage": status.stage.name,
        "risk_warning": status.risk_warning.name,
        "listed": date_text(status.listed) if status.listed > LISTED_LONG_AGO else None,
        "listing_day": status.listing_day if status.listed > LISTED_LONG_AGO else None,
        "limit_state": limit.state.name,
        "limit_up": price_text(limit.up_e4, tick_e4) if is_limited else None,
        "limit_down": price_text(limit.down_e4, tick_e4) if is_limited else None,
        "lot_min": lot.min_shares if lot is not None else None,
        "lot_step": lot.step_shares if lot is not None else None,
        "max_limit_order": (lot.max_limit_shares or None) if lot is not None else None,
        "max_market_order": (lot.max_market_shares or None) if lot is not None else None,
        "max_after_hours_order": (lot.max_fixed_price_shares or None) if lot is not None else None,
        "st_buy_cap": _value(rules.st_buy_cap),
        "price_tick": price_text(tick_e4, tick_e4),
        "cage_state": rules.cage.state.name,
        "cage": _cage(rules.cage, rules.prev_close_e4, tick_e4),
        "sessions": _sessions(rules.sessions),
        "fees": fees_json(rules.fees) if rules.fees is not None else None,
        "settlement": _settlement(rules),
        "programme_trading": _programme_trading(rules),
        "assumptions": list(assumptions),
        "sources": {name: _origin(row) for name, row in source_rows(rules).items()},
    }


def source_rows(rules: InstrumentRules) -> Mapping[str, DatedRow[object] | None]:
    """Return the row behind each part of an answer but the fees, which carry their own."""
    return {
        "limit": rules.limit.rule,
        "lot": rules.lot,
        "price_tick": rules.tick,
        "st_buy_cap": rules.st_buy_cap,
        "cage": rules.cage.rule,
        "sessions": rules.sessions,
        "settlement": rules.settlement,
        "programme_trading": rules.programme_trading,
    }


def fees_json(fees: FeeRows) -> dict[str, Json]:
    """Return the fees by item; a rate is a part of what its basis names."""
    duty = fees.stamp_duty.value
    duty_side = "sell" if duty.buy_rate_e8 == 0 else "both"
    transfer = fees.transfer_fee.value
    basis = "face value" if transfer.is_on_face_value else "turnover"
    commission: Json = {
        "rate": None,
        "side": "both",
        "basis": "turnover",
        "source": COMMISSION_SOURCE,
        "confidence": None,
        "effective_from": None,
        "effective_to": None,
    }
    return {
        "commission": commission,
        "stamp_duty": _fee(duty.sell_rate_e8, "turnover", duty_side, fees.stamp_duty),
        "transfer_fee": _fee(transfer.rate_e8, basis, "both", fees.transfer_fee),
        "handling_fee": _fee(fees.handling_fee.value, "turnover", "both", fees.handling_fee),
        "regulatory_fee": _fee(fees.regulatory_fee.value, "turnover", "both", fees.regulatory_fee),
    }


def date_text(date: int) -> str:
    """Return a date as `2023-02-01`."""
    return f"{date // 10_000:04d}-{date // 100 % 100:02d}-{date % 100:02d}"


# A file of a market's days says the same few thousand prices again and again.
@lru_cache(maxsize=65_536)
def price_text(price_e4: int, tick_e4: int) -> str:
    """Return a price with as many decimals as its tick has: `1980.00`, for funds `3.142`."""
    decimals = Decimal(tick_e4) / PRICE_SCALE
    return str((Decimal(price_e4) / PRICE_SCALE).quantize(decimals.normalize()))


def _fee(rate_e8: int, basis: str, side: str, row: DatedRow[object]) -> Json:
    rate = f"{(Decimal(rate_e8) / RATE_SCALE).normalize():f}"
    return {"rate": rate, "side": side, "basis": basis, **_origin_of(row)}


def _cage(cage: PriceCage, reference_e4: int, tick_e4: int) -> Json | None:
    if cage.state is not LimitState.LIMITED or cage.rule is None:
        return None
    rule = cage.rule.value
    return {
        "buy_cap": price_text(cage.buy_cap_e4, tick_e4),
        "sell_floor": price_text(cage.sell_floor_e4, tick_e4),
        "reference": price_text(reference_e4, tick_e4),
        "rate_bps": rule.rate_bps,
        "floor_ticks": rule.floor_ticks,
        "is_dormant": rule.is_dormant,
    }


def _sessions(row: DatedRow[tuple[Session, ...]] | None) -> list[Json] | None:
    return [_session(each) for each in row.value] if row is not None else None


def _session(session: Session) -> Json:
    return {
        "phase": session.phase.name,
        "start": clock_text(session.start_seconds),
        "end": clock_text(session.end_seconds),
        "can_submit": session.can_submit,
        "can_cancel": session.can_cancel,
        "can_submit_fixed_price": session.can_submit_fixed_price,
        "matching": session.matching.value,
    }


def _settlement(rules: InstrumentRules) -> Json | None:
    rule = _value(rules.settlement)
    if rule is None:
        return None
    return {
        "resale_days": rule.resale_days,
        "cash_use_days": rule.cash_use_days,
        "cash_withdraw_days": rule.cash_withdraw_days,
    }


def _programme_trading(rules: InstrumentRules) -> Json | None:
    thresholds = _value(rules.programme_trading)
    if thresholds is None:
        return None
    return {
        "messages_per_second": thresholds.messages_per_second,
        "messages_per_day": thresholds.messages_per_day,
    }


def _value(row: DatedRow[Value] | None) -> Value | None:
    return row.value if row is not None else None


def _origin(row: DatedRow[object] | None) -> Json | None:
    return _origin_of(row) if row is not None else None


def _origin_of(row: DatedRow[object]) -> Json:
    is_first, is_last = row.effective_from == FIRST_DATE, row.effective_to == LAST_DATE
    return {
        "source": row.source,
        "confidence": row.confidence.name,
        "effective_from": None if is_first else date_text(row.effective_from),
        "effective_to": None if is_last else date_text(row.effective_to),
    }
