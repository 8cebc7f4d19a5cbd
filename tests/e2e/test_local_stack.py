"""The whole platform on a real broker, as `tidegate up` runs it."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.e2e.conftest import (
    DATA,
    assert_lively,
    number_of,
    outcome_of,
    stack,
    tidegate,
)

RUN = ("--speed", "max", "--exit-when-done", "--json")
# So that the feed does not end before anything can happen to it.
NEAR = {"TIDEGATE_INGEST_AHEAD_BEATS_MAX": "32"}
DAILY = DATA / "daily" / "baostock_csi300_2020_2025.parquet"
SSE_MORNING = DATA / "l2" / "sse_snapshot_20211201_0915_1030.parquet"
# The call and a quarter of an hour: all orders and fills of the morning, in a third of its beats.
SSE_UNTIL = "2021.12.01T09:45:00"

OWN_STRATEGY = """\
from tidegate_signals.engine.features.spec import Period
from tidegate_signals.engine.strategies.strategy import Opinions, Strategy


class Lean(Strategy):
    PERIODS = (Period.BEAT,)

    def __init__(self, parameters):
        self.inputs = {"lean": "SMA(imbalance,5)"}
        self.reasons = ("lean",)

    def score(self, view):
        return Opinions(view["lean"], {"lean": view["lean"]})
"""


# Runs of the whole stack: on a busy machine they outlast the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_synthetic_market_equals_backtest(tmp_path: Path) -> None:
    """With no file at all there is a market to look at, and it is the backtester's.

    So it is for a strategy of the user's own.
    """
    (tmp_path / "lean.py").write_text(OWN_STRATEGY, encoding="utf-8")
    strategies = ("book_imbalance", f"{tmp_path / 'lean.py'}:Lean")
    options = ("--instruments", 20, "--seed", 5, "--accounts", 4, "--strategy", *strategies)

    live = tidegate("up", "--data-dir", tmp_path, *options, *RUN).summary
    shadow = tidegate("backtest", *options, "--json").summary

    assert outcome_of(live) == outcome_of(shadow)
    assert number_of(live, "fills") > 0


# Runs of the whole stack: on a busy machine they outlast the limit of an ordinary test.
@pytest.mark.timeout(900)
def test_stack_two_shards_two_partitions_equal_one_and_one(tmp_path: Path) -> None:
    """Partitions are invisible on the real broker too.

    So is a standby that goes on with the feed where the active sequencer is held up.
    """
    market = ("--instruments", 20, "--seed", 6, "--accounts", 4)
    spread = ("--shards", 2, "--risk-partitions", 2, "--ingest-standby")

    with stack(tmp_path, *market, *spread, *RUN, **NEAR) as running:
        running.wait_for_beat(20)
        held_up = running.active_feed()
        running.freeze(held_up)
        running.wait_for_beat(running.next_beat("risk-0") + 100)
        running.thaw(held_up)
        two = running.finish().summary
    # A stack of one and one is held to the same loop by the test above.
    one = tidegate("backtest", *market, "--json").summary

    assert outcome_of(one) == outcome_of(two)
    assert number_of(one, "fills") > 0


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("file", "options"),
    [(SSE_MORNING, ()), (DAILY, ("--days", 120))],
    ids=["sse-morning", "daily-120"],
)
def test_stack_real_file_equals_backtest(
    tmp_path: Path,
    file: Path,
    options: tuple[object, ...],
) -> None:
    """So are a morning of two dozen Shanghai shares and half a year of daily bars."""
    if file == SSE_MORNING:
        quotes = pq.read_table(file)
        file = tmp_path / file.name
        pq.write_table(quotes.filter(pc.less(quotes["DateTime"], SSE_UNTIL)), file)

    live = tidegate("up", "--data-dir", tmp_path, "--replay", file, *options, *RUN).summary
    shadow = tidegate("backtest", "--data", file, *options, "--json").summary

    assert outcome_of(live) == outcome_of(shadow)
    assert_lively(live)
