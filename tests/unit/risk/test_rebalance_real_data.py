"""Two strategies sharing an account over a recorded year: whose shares, how much, what lots."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.risk.scenario import LOOSE

from tidegate_backtest.loop import BeatOutcome, run_loop
from tidegate_common.domain.enums import ConstructionMethod, Reason, Side
from tidegate_common.domain.ids import AccountId, RunId
from tidegate_common.domain.units import BPS, notional_fen
from tidegate_common.events.run import (
    AccountSpec,
    ConstructionSpec,
    FeedSpec,
    RunSpec,
    StrategySpec,
)
from tidegate_common.market.board import board_of
from tidegate_common.market.lots import is_valid_buy
from tidegate_ingest.adapters.feed import describe_files, open_feed

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
DAILY = DATA / "daily" / "baostock_csi300_2020_2025.parquet"
CAPITAL_BPS = {"momentum": 6_000, "ma_cross": 4_000}
TURNOVER_BPS = 3_000

pytestmark = pytest.mark.data


def _run(method: ConstructionMethod) -> list[BeatOutcome]:
    spec = RunSpec(
        RunId("real"),
        accounts=(AccountSpec(AccountId("alpha"), 500_000_000),),
        strategies=tuple(StrategySpec(name, name) for name in CAPITAL_BPS),
        feed=FeedSpec(describe_files([DAILY]), day_count_max=250),
        construction=ConstructionSpec(
            method=method,
            top_n=5,
            cooldown_beats=0,
            turnover_bps_max=TURNOVER_BPS,
            capital_bps=CAPITAL_BPS,
        ),
        limits=replace(LOOSE, stale_beats_max=100),
    )
    return list(run_loop(spec, open_feed(spec).frames()))


@pytest.mark.parametrize(
    "method", [ConstructionMethod.EQUAL_WEIGHT, ConstructionMethod.SCORE_WEIGHTED]
)
def test_strategies_on_a_recorded_year_sell_their_own_and_stay_within_turnover(
    method: ConstructionMethod,
) -> None:
    """Books kept here from decisions and fills alone."""
    beats = _run(method)

    owners: dict[str, str] = {}
    held: Counter[tuple[str, int]] = Counter()
    reasons: Counter[Reason] = Counter()
    for beat in beats:
        bought_fen: Counter[str] = Counter()
        for fill in beat.fills:
            is_buy = fill.side is Side.BUY
            change_shares = fill.quantity_shares if is_buy else -fill.quantity_shares
            held[owners[fill.order_id], fill.instrument] += change_shares
        for decision in beat.decisions:
            reasons[decision.reason] += 1
            owners[decision.order_id] = decision.cause
            if decision.order_id and decision.side is Side.BUY:
                board, date = board_of(decision.instrument), beat.stamp.trade_date
                assert is_valid_buy(decision.quantity_shares, board, trade_date=date)
                value_fen = notional_fen(decision.price_e4, decision.quantity_shares)
                bought_fen[decision.cause] += value_fen
                capital_fen = decision.nav_fen * CAPITAL_BPS[decision.cause] // BPS
                assert bought_fen[decision.cause] * BPS <= capital_fen * TURNOVER_BPS
        assert min(held.values(), default=0) >= 0
    assert {Reason.NONE, Reason.INSIDE_BAND, Reason.TURNOVER_LIMIT} <= set(reasons)
    assert reasons[Reason.NONE] > 200
