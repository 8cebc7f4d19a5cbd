"""A holder of a real share over its real ex-dates: dividends and splits come, nothing is lost."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tidegate_backtest.loop import run_loop
from tidegate_common.domain.enums import BeatKind, OrderType, Side
from tidegate_common.domain.ids import AccountId, RequestId, RunId
from tidegate_common.events.orders import OrderRequest, RequestEnvelope
from tidegate_common.events.portfolio import Booking
from tidegate_common.events.run import AccountSpec, CommissionSpec, FeedSpec, RiskLimits, RunSpec
from tidegate_common.market.sessions import shanghai_ns
from tidegate_ingest.adapters.feed import describe_files, describe_reference, open_feed

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FILE = DATA / "daily" / "600519_tushare_raw_2010_2020.csv"
LIQUOR, ACCOUNT = 1_600_519, AccountId("A001")
CASH_FEN, SHARES = 10_000_000_000, 10_000
LOOSE = RiskLimits(10_000, 10_000, 10_000, 10_000, 10_000)
# As widely announced: ex-date, cash before tax and bonus shares, a share.
ACTIONS = (
    ("2014-06-25", "4.374", "0.1"),
    ("2015-07-17", "4.374", "0.1"),
    ("2016-07-01", "6.171", ""),
    ("2017-07-07", "6.787", ""),
    ("2018-06-15", "10.999", ""),
    ("2019-06-28", "14.539", ""),
)

pytestmark = pytest.mark.data


def _spec(folder: Path) -> RunSpec:
    reference = folder / "reference.csv"
    lines = [f"600519.SH,{date},{cash},{bonus}" for date, cash, bonus in ACTIONS]
    reference.write_text("\n".join(["symbol,date,cash,bonus", *lines]), encoding="utf-8")
    return RunSpec(
        run_id=RunId("holder"),
        accounts=(AccountSpec(ACCOUNT, CASH_FEN),),
        strategies=(),
        feed=FeedSpec(
            files=describe_files([FILE]),
            reference=describe_reference(reference),
            start_ts_ns=shanghai_ns(20140102, 0),
        ),
        limits=LOOSE,
        commission=CommissionSpec(0, 0),
    )


def test_holder_of_a_real_share_keeps_its_value_over_six_years_of_ex_dates(tmp_path: Path) -> None:
    """Bought in 2014: with what came in cash and shares it is worth what its total return says.

    The total return is of the file's own ex-rights previous closes, which know no reference file.
    """
    spec = _spec(tmp_path)
    buy = OrderRequest(
        RequestId("buy"), ACCOUNT, LIQUOR, Side.BUY, OrderType.LIMIT, 1_300_000, SHARES
    )
    jumps: list[float] = []
    bookings: list[Booking] = []
    before = None

    for beat in run_loop(spec, open_feed(spec).frames(), {1: (RequestEnvelope(order=buy),)}):
        (state,) = beat.portfolios
        if beat.stamp.kind is BeatKind.OPEN and any(
            each.kind.value == "dividend_claim" for each in beat.bookings
        ):
            assert before is not None
            jumps.append(state.opening_nav_fen / before.nav_fen - 1)
        bookings += beat.bookings
        before = state

    days = pd.read_csv(FILE).sort_values("trade_date")
    held = days[days.trade_date >= 20140103]
    assert before is not None
    assert [each.kind.value for each in bookings].count("new_shares") == 2
    assert [each.kind.value for each in bookings].count("dividend_paid") == len(ACTIONS)
    assert jumps == [0.0] * len(ACTIONS)
    assert before.positions[0].quantity_shares == 12_100
    dividends_fen = sum(each.cash_fen for each in bookings if each.kind.value == "dividend_paid")
    spent_fen = CASH_FEN + dividends_fen - before.cash_fen
    gross = before.positions[0].value_fen / spent_fen
    assert len(held) > 1_000
    # Cash dividends lie as cash: the price's return times the split, against the adjusted closes.
    adjusted = float(np.prod(held.close.to_numpy() / held.pre_close.to_numpy()))
    cash_yield = dividends_fen / spent_fen
    assert gross < adjusted < (gross + cash_yield) * 1.1
