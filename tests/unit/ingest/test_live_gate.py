"""Rows of a live feed: only what is newer and believable comes through."""

from dataclasses import replace

import numpy as np
import pytest

from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_common.market.sessions import shanghai_ns
from tidegate_common.testing.quote_lines import (
    QuoteLine,
    eastmoney_answer,
    eastmoney_row,
    sina_line,
    tencent_line,
    text_answer,
)
from tidegate_ingest.engine.live_gate import LiveGate
from tidegate_ingest.engine.quote_text import parse_payload
from tidegate_ingest.engine.reference_days import ReferenceRow, ReferenceTable

PUDONG = 1_600_000
QUOTE = QuoteLine()
TRADE_DATE = 20260914
NOON_NS = shanghai_ns(TRADE_DATE, 12 * 3_600)


def make_gate() -> LiveGate:
    """Return the gate of a day that has begun and has seen one quote."""
    gate = LiveGate(np.array([PUDONG]))
    gate.begin_day(TRADE_DATE)
    offer(gate, QUOTE)
    gate.open_day()
    gate.take_pending()
    gate.counts.clear()
    return gate


def offer(gate: LiveGate, *quotes: QuoteLine) -> None:
    """Give some quotes as Sina's answer."""
    gate.offer(parse_payload(text_answer(*map(sina_line, quotes))), NOON_NS)


def outcomes(gate: LiveGate) -> dict[str, int]:
    """Return the counts without zeros and without how many came in."""
    return {reason: count for reason, count in gate.counts.items() if count and reason != "rows_in"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"date": "2026-09-11"}, "stale"),
        ({"date": "2026-09-15"}, "stale"),
        ({"time": "12:01:01"}, "ahead_of_time"),
        ({"code": "sh600004"}, "not_wanted"),
        ({"code": "sh000001"}, "not_a_share"),
        ({}, "duplicate"),
        ({"time": "10:30:02"}, "out_of_order"),
        ({"time": "10:31:00", "last": "10.20", "high": "10.20"}, "beyond_limit"),
        ({"time": "10:31:00", "asks": (("9.39", 100),)}, "crossed_book"),
        ({"time": "10:31:00", "volume": 77_187_000}, "falling_volume"),
        ({"time": "10:31:00", "amount": "722307373"}, "falling_amount"),
        ({"time": "10:31:00", "last": "9.44"}, "impossible_range"),
        ({"time": "10:31:00", "last": "x"}, "bad_number"),
        ({"time": "10:31:00"}, "accepted"),
        ({"time": "12:01:00"}, "accepted"),
    ],
)
def test_live_gate_of_one_row_says_what_became_of_it(
    change: dict[str, object], reason: str
) -> None:
    """Nothing is dropped silently."""
    gate = make_gate()

    offer(gate, replace(QUOTE, **change))  # type: ignore[arg-type]  # of the table above

    assert outcomes(gate) == {reason: 1}
    assert gate.counts["rows_in"] == 1
    assert gate.has_pending == (reason == "accepted")


@pytest.mark.parametrize(("seconds", "reason"), [((1, 2), "superseded"), ((2, 1), "out_of_order")])
def test_live_gate_of_two_rows_of_a_share_takes_the_newer(
    seconds: tuple[int, int], reason: str
) -> None:
    """An answer may say a share twice."""
    gate = make_gate()
    lines = [replace(QUOTE, time=f"10:31:0{second}", last=f"9.3{second}") for second in seconds]

    offer(gate, *lines)

    assert gate.take_pending().last_e4.tolist() == [93_200]
    assert outcomes(gate) == {"accepted": 1, reason: 1}


def test_live_gate_before_open_takes_the_newest_row_only() -> None:
    """What makes the reference is in order of time, too."""
    gate = LiveGate(np.array([PUDONG]))
    gate.begin_day(TRADE_DATE)

    offer(gate, QUOTE)
    offer(gate, replace(QUOTE, time="10:30:02", prev_close="9.00"))

    assert gate.open_day().prev_close_e4.tolist() == [92_600]


def test_live_gate_at_open_leaves_out_a_book_beyond_the_limits() -> None:
    """The first row is held to the limits that it told."""
    gate = LiveGate(np.array([PUDONG]))
    gate.begin_day(TRADE_DATE)
    offer(gate, replace(QUOTE, asks=(("10.20", 100),)))

    gate.open_day()

    assert not gate.has_pending
    assert gate.seen_count == 0
    assert gate.counts["beyond_limit"] == 1
    assert gate.close_day().close_e4.tolist() == [92_600]


@pytest.mark.parametrize("is_tencent", [True, False])
def test_live_gate_after_a_change_of_service_keeps_what_was_rounded_away(
    is_tencent: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """77,187,101 shares are 771,871 lots: that is no fall, and one lot less is one."""
    gate = make_gate()
    offer(gate, replace(QUOTE, time="10:31:00", volume=77_187_199, amount="722307999.84"))
    gate.take_pending()
    later = replace(QUOTE, time="10:31:03", amount="722307999.84")
    lower = replace(later, time="10:31:06", volume=77_187_000)

    for quote in (later, lower):
        data = (
            text_answer(tencent_line(quote))
            if is_tencent
            else eastmoney_answer(eastmoney_row(quote))
        )
        gate.offer(parse_payload(data), NOON_NS)

    rows = gate.take_pending()
    assert rows.volume_shares.tolist() == [77_187_199]
    assert rows.amount_fen.tolist() == [72_230_799_984]
    assert outcomes(gate) == {"accepted": 2, "falling_volume": 1}


def test_live_gate_after_a_service_that_rounds_up_takes_a_finer_one() -> None:
    """Eastmoney rounds an amount of 0.844 CNY up to 0.85; Sina's is no fall, a fen less is one."""
    gate = make_gate()
    coarse = replace(QUOTE, time="10:31:00", amount="722307999.85")
    gate.offer(parse_payload(eastmoney_answer(eastmoney_row(coarse))), NOON_NS)
    gate.take_pending()

    offer(gate, replace(QUOTE, time="10:31:03", amount="722307999.844"))
    offer(gate, replace(QUOTE, time="10:31:06", amount="722307999.834"))

    assert gate.take_pending().amount_fen.tolist() == [72_230_799_985]
    assert outcomes(gate) == {"accepted": 2, "falling_amount": 1}


def test_gate_with_a_reference_opens_with_what_it_says() -> None:
    """Quote services say no dividends; the user's ST flag wins over the name."""
    table = ReferenceTable(
        [
            ReferenceRow(
                PUDONG,
                TRADE_DATE,
                is_st=True,
                sector="banks",
                action=CorporateAction(PUDONG, TRADE_DATE, cash_e6=410_000),
            )
        ]
    )
    gate = LiveGate(np.array([PUDONG]), table)
    gate.begin_day(TRADE_DATE)
    offer(gate, QUOTE)

    rows = gate.open_day()

    assert (rows.is_st.tolist(), rows.sector.tolist()) == ([True], ["banks"])
    assert rows.cash_e6.tolist() == [410_000]


@pytest.mark.parametrize(("seen", "cash_e6"), [(TRADE_DATE - 4, 410_000), (0, 0)])
def test_gate_after_a_restart_knows_when_a_share_was_last_there(seen: int, cash_e6: int) -> None:
    """The log says it: an ex-date between, when nothing was fed, is made up for."""
    ex_date = TRADE_DATE - 1
    action = CorporateAction(PUDONG, ex_date, cash_e6=410_000)
    table = ReferenceTable([ReferenceRow(PUDONG, ex_date, action=action)])
    before = LiveGate(np.array([PUDONG]))
    before.begin_day(TRADE_DATE)
    offer(before, QUOTE)
    told = before.open_day()
    gate = LiveGate(np.array([PUDONG]), table)
    if seen:
        gate.restore_day(seen, told)
    gate.begin_day(TRADE_DATE)
    offer(gate, QUOTE)

    rows = gate.open_day()

    assert rows.cash_e6.tolist() == [cash_e6]
