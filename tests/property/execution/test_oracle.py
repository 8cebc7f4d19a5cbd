"""The engine beside an exchange that looks at its orders one by one."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.execution.oracle import Oracle
from tests.property.execution.random_days import RandomBeat, RandomMarket

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import Liquidity, OrderReason, PriceSource
from tidegate_common.engine import EngineState
from tidegate_common.events.execution import FillBatch
from tidegate_execution.engine import ExecutionEngine, ExecutionReport
from tidegate_execution.engine.layout import END_REASONS, SOURCES, UNSEEN

if TYPE_CHECKING:
    from tests.property.execution.conftest import Laboratory

QUOTE_COLUMNS = ("phase", "volume_shares", "bid_e4", "ask_e4", "last_e4")
ORDER_MEMBERS = (
    "limit_e4",
    "is_placed",
    "ahead_shares",
    "shown_shares",
    "filled_shares",
    "status",
    "reason",
)


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_engine_beside_the_oracle_says_the_same_bytes(start: int) -> None:
    """Whatever a market does, and whatever is remembered of it between two beats."""
    for seed in range(start, start + 50):
        market = RandomMarket(seed)
        engine, oracle = ExecutionEngine(market.spec), Oracle(market.spec)
        for beat in market.days():
            said = step(engine, beat)
            expected = oracle.on_beat(beat.stamp, beat.frame, beat.submits, beat.cancels)

            assert said == expected
            assert encoded(said, beat) == encoded(expected, beat)
            assert remembered(engine.snapshot()) == oracle.memory()


def test_random_markets_make_fills_and_ends_of_every_kind() -> None:
    """A comparison of markets in which nothing happens would hold for ever."""
    kinds: Counter[tuple[PriceSource, Liquidity]] = Counter()
    reasons: Counter[OrderReason] = Counter()

    for seed in range(60):
        market = RandomMarket(seed)
        engine = ExecutionEngine(market.spec)
        for beat in market.days():
            report = step(engine, beat)
            kinds.update((fill.source, fill.liquidity) for fill in report.fills)
            reasons.update(update.reason for update in report.updates)

    # What the kernels can say.
    assert {kind for kind, count in kinds.items() if count > 9} == set(SOURCES)
    assert {reason for reason, count in reasons.items() if count > 9} > set(END_REASONS)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_engine_on_runs_that_hypothesis_draws_says_what_the_oracle_says(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """Hypothesis looks for the smallest day on which the two differ."""
    beats = data.draw(laboratory.runs)
    oracle = Oracle(laboratory.spec)

    reports = laboratory.play(beats).reports

    for beat, report in zip(beats, reports, strict=True):
        expected = oracle.on_beat(beat.frame.stamp, beat.frame, beat.submits, beat.cancels)
        assert report == expected


@pytest.mark.parametrize("seed", range(8))
def test_engine_restored_after_every_beat_says_the_same(seed: int) -> None:
    """A crash must not show, wherever it comes; the memory goes through its JSON."""
    market, spec = RandomMarket(seed), RandomMarket(seed).spec
    engine, oracle = ExecutionEngine(spec), Oracle(spec)
    for beat in market.days():
        state = engine.snapshot()
        values = decode_event(dict[str, object], encode_event(state.values))
        engine = ExecutionEngine(spec)

        engine.restore(EngineState(values, state.arrays))

        expected = oracle.on_beat(beat.stamp, beat.frame, beat.submits, beat.cancels)
        assert step(engine, beat) == expected


def step(engine: ExecutionEngine, beat: RandomBeat) -> ExecutionReport:
    """Let an engine go through a beat."""
    if beat.frame is None:
        return engine.on_missing_beat(beat.stamp, beat.submits, beat.cancels)
    return engine.on_beat(beat.frame, beat.submits, beat.cancels)


def encoded(report: ExecutionReport, beat: RandomBeat) -> bytes:
    """Return a report as it travels."""
    stamp = beat.stamp
    return encode_event(FillBatch(stamp.run_id, stamp.beat, 0, 0, report.updates, report.fills))


def remembered(state: EngineState) -> dict[str, object]:
    """Return what a snapshot says of that which has not shown yet."""
    values: dict[str, Any] = state.values
    quotes = [state.arrays[f"quotes_{name}"].tolist() for name in QUOTE_COLUMNS]
    return {
        "open_shares": dict(values["open_shares"]),
        "books": {
            book["instrument"]: tuple(
                {price_e4: (shown, gone) for price_e4, shown, gone in book[side]}
                for side in ("taken_bids", "taken_asks")
            )
            for book in values["books"]
        },
        "orders": {
            order["order_id"]: tuple(order[name] for name in ORDER_MEMBERS)
            for order in values["orders"]
        },
        "quotes": [
            (None if phase == UNSEEN else phase, *others)
            for phase, *others in zip(*quotes, strict=True)
        ],
    }
