"""Scores of a close wait for the next day's market where none trades at the close."""

import json
from dataclasses import replace

import pytest
from tests.unit.risk.scenario import BANK, LIQUOR, PRICE_E4, Quote, Reference, Stage

from tidegate_common.domain.enums import ConstructionMethod, Side
from tidegate_common.engine import EngineState
from tidegate_common.events.run import ConstructionSpec
from tidegate_risk.engine.engine import RiskEngine, RiskOutput

BUY = {"cross": {BANK: 300_000}}
FREE = ConstructionSpec(cooldown_beats=0)
NINE_TWENTY, NINE_THIRTY = 33_600, 34_200


def _closed(**options: object) -> Stage:
    """Return the morning after a strategy on days has spoken at beat 2."""
    options = {"construction": FREE} | options
    scores = options.pop("scores", BUY)
    volatility_e6 = options.pop("volatility_e6", None)
    stage = Stage(**options)  # type: ignore[arg-type]  # by name
    stage.open()
    stage.tick(Quote())
    stage.close({BANK: PRICE_E4}, scores=scores, volatility_e6=volatility_e6)
    stage.open()
    return stage


def _asked(output: RiskOutput) -> list[tuple[str, int, int]]:
    return [(each.cause, each.instrument, each.score_beat) for each in output.decisions]


def test_scores_of_a_tick_runs_close_act_once_when_trading_is_continuous() -> None:
    """Not in the opening call, and not a second time."""
    stage = _closed()

    call = stage.tick(Quote(), seconds=NINE_TWENTY)
    first = stage.tick(Quote(), seconds=NINE_THIRTY)
    second = stage.tick(Quote(), seconds=NINE_THIRTY + 3)

    assert (call.decisions, second.decisions) == ((), ())
    assert _asked(first) == [("cross", BANK, 2)]
    assert [(order.side, order.quantity_shares) for order in first.submits] == [(Side.BUY, 25_000)]


def test_scores_of_a_bar_runs_close_act_on_the_first_bar() -> None:
    """A broker queues orders between bars."""
    stage = Stage(construction=FREE)
    stage.open()
    stage.bar({BANK: PRICE_E4})
    stage.close({BANK: PRICE_E4}, scores=BUY)
    stage.open()

    output = stage.bar({BANK: PRICE_E4})

    assert _asked(output) == [("cross", BANK, 2)]


def test_scores_of_a_daily_close_act_at_once_and_do_not_wait() -> None:
    """There an order of the close meets the next opening call."""
    stage = Stage()
    stage.open(Reference(open_e4=PRICE_E4))

    output = stage.close({BANK: PRICE_E4}, scores=BUY)

    assert _asked(output) == [("cross", BANK, 1)]
    assert stage.engine.snapshot().values["closing"] == {"spoke": [], "waiting": None}


def test_scores_at_the_close_of_a_strategy_on_ticks_are_not_carried() -> None:
    """It was heard all day; its last word was not meant for the morning."""
    stage = Stage(construction=FREE)
    stage.open()
    stage.tick(Quote(), scores={"cross": {BANK: 0}})
    stage.close({BANK: PRICE_E4}, scores=BUY)
    stage.open()

    assert stage.tick(Quote()).decisions == ()


def test_strategy_that_speaks_by_the_morning_takes_back_what_it_said_at_the_close() -> None:
    """Newer is better, and a list is one target."""
    stage = _closed(
        strategies=("cross", "other"),
        scores={"cross": {BANK: 300_000}, "other": {BANK: 400_000}},
    )
    stage.tick(Quote(), seconds=NINE_TWENTY, scores={"cross": {BANK: 0}})

    output = stage.tick(Quote())

    assert _asked(output) == [("other", BANK, 2)]


def test_waiting_and_new_scores_act_in_the_order_of_the_run() -> None:
    """Who waited is not last."""
    references = Reference(BANK), Reference(LIQUOR)
    stage = Stage(construction=FREE, strategies=("days", "ticks"))
    stage.open(*references)
    stage.close(scores={"days": {BANK: 300_000}})
    stage.open(*references)

    output = stage.tick(Quote(), Quote(LIQUOR), scores={"ticks": {LIQUOR: 300_000}})

    assert _asked(output) == [("days", BANK, 1), ("ticks", LIQUOR, 3)]


@pytest.mark.parametrize("instrument", [BANK, 1601398])
def test_scores_that_met_no_continuous_trading_are_dropped_at_the_next_close(
    instrument: int,
) -> None:
    """Yesterday's opinion is no answer to tomorrow's market, nor one of what nobody lists."""
    stage = _closed(scores={"cross": {instrument: 300_000}})
    stage.tick(Quote(), seconds=NINE_TWENTY)
    stage.close()
    stage.open()

    assert stage.tick(Quote()).decisions == ()


def test_close_before_any_reference_data_waits_for_nothing() -> None:
    """A run may begin with a day that nobody could read."""
    stage = Stage(construction=FREE)
    stage.close(scores=BUY)

    assert stage.tick().decisions == ()


def test_waiting_scores_survive_a_restart_with_their_reasons() -> None:
    """Recovery in the night changes nothing in the morning; 980,000 CNY less fees at 4.00."""
    spec = replace(FREE, method=ConstructionMethod.VOLATILITY_SCALED, top_n=1)
    stage = _closed(construction=spec, volatility_e6={BANK: 200_000})
    state = stage.engine.snapshot()
    values = json.loads(json.dumps(state.values))
    restored = RiskEngine(stage.spec, tuple(stage.engine._accounts))
    restored.restore(EngineState(values, state.arrays))
    undisturbed = stage.tick(Quote())

    stage.engine, stage.beat = restored, stage.beat - 1
    output = stage.tick(Quote())

    assert output == undisturbed
    assert [order.quantity_shares for order in output.submits] == [244_900]
    assert restored.snapshot().values["closing"] == {"spoke": [], "waiting": None}
