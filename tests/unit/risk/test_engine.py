"""The engine's beat as a whole: marks, outputs, memory, and accounts that do not meet."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.risk.scenario import (
    APPLIANCE,
    BANK,
    LIQUOR,
    LOOSE,
    PRICE_E4,
    Quote,
    Reference,
    Stage,
    cancel_request,
    fill_of,
    filled,
    order_request,
    update_of,
)

from tidegate_common.domain.enums import (
    AccountState,
    Layer,
    LimitState,
    OrderStatus,
    Phase,
    Reason,
    Side,
)
from tidegate_common.domain.ids import AccountId, RequestId
from tidegate_common.engine import EngineState
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.run import ConstructionSpec
from tidegate_common.ledger import LedgerError
from tidegate_risk.engine.engine import RiskEngine, RiskOutput

BUY = {"cross": {BANK: 300_000, APPLIANCE: 300_000}}


def _mark_e4(stage: Stage) -> int:
    return stage.engine.portfolios()[0].positions[0].mark_e4


def test_mark_follows_open_quotes_and_closes_and_ignores_zeros() -> None:
    """0 means "not traded yet": the mark of before is better than none."""
    stage = Stage()
    stage.hold(100)
    marks = []
    plays: tuple[Callable[[], object], ...] = (
        lambda: stage.open(Reference(prev_close_e4=40_500)),
        lambda: stage.tick(Quote(last_e4=0)),
        lambda: stage.tick(Quote(last_e4=41_000)),
        lambda: stage.close({BANK: 41_500}),
        lambda: stage.open(Reference(prev_close_e4=41_500, open_e4=42_000)),
        lambda: stage.close({BANK: 0, LIQUOR: 1}),
        lambda: stage.open(Reference(LIQUOR)),
    )
    for play in plays:
        play()
        marks.append(_mark_e4(stage))

    assert marks == [40_500, 40_500, 41_000, 41_500, 42_000, 42_000, 42_000]


def test_quotes_of_instruments_without_reference_data_are_ignored() -> None:
    """Before the first OPEN nothing is known, and after it only what it named."""
    stage = Stage()

    stage.tick(Quote())
    stage.open()
    output = stage.tick(Quote(), Quote(LIQUOR))

    assert stage.engine.universe.tolist() == [BANK]
    assert output.tick_count == 2


def test_universe_that_grows_keeps_marks_and_rows() -> None:
    """A listing in front of the others moves every row."""
    stage = Stage()
    stage.hold(100, Reference(LIQUOR), Reference(BANK))
    stage.open(Reference(LIQUOR), Reference(BANK), Reference(BANK - 500), Reference(APPLIANCE))

    stage.tick(Quote(last_e4=41_000))

    assert _mark_e4(stage) == 41_000
    assert stage.engine.universe.tolist() == [BANK - 500, BANK, LIQUOR, APPLIANCE]


def test_phase_of_before_the_open_is_forgotten_overnight() -> None:
    """Who has not spoken today is closed, even within the session."""
    stage = Stage()
    stage.open()
    stage.tick(Quote())
    stage.close()
    stage.open()

    silent = stage.ask().decisions[0]
    spoken = stage.ask(Quote()).decisions[0]

    assert (silent.layer, silent.observed) == (Layer.MARKET_HOURS, Phase.CLOSED)
    assert spoken.reason is Reason.NONE


def test_requests_at_open_and_close_of_a_tick_run_meet_a_closed_market() -> None:
    """No exchange takes orders before 09:15 or after 15:00."""
    stage = Stage()
    request = order_request()

    early = stage.open(requests=(request,)).decisions[0]
    stage.tick(Quote())
    late = stage.close({BANK: 40_000}, requests=(order_request(request_id="late"),)).decisions[0]

    assert [early.reason, late.reason] == [Reason.MARKET_CLOSED] * 2


def test_requests_of_bar_runs_are_taken_at_every_beat() -> None:
    """A broker queues them for the next bar."""
    stage = Stage()
    reference = Reference(open_e4=40_000)

    outputs = [
        stage.open(reference, requests=(order_request(request_id="open"),)),
        stage.bar({BANK: 40_000}, requests=(order_request(request_id="bar"),)),
        stage.close({BANK: 40_000}, requests=(order_request(request_id="close"),)),
    ]

    assert [len(output.submits) for output in outputs] == [1, 1, 1]


def test_limits_after_the_close_are_those_of_the_next_day() -> None:
    """The order meets them; yesterday's would refuse what tomorrow takes."""
    stage = Stage()
    stage.open(Reference(open_e4=40_000))
    request = order_request(price_e4=48_400)

    decision = stage.close({BANK: 44_000}, requests=(request,)).decisions[0]

    assert decision.reason is Reason.NONE


def test_equity_is_told_every_beat_and_portfolios_when_they_change() -> None:
    """Readers need every NAV, and books only when they moved."""
    stage = Stage(accounts=("alpha", "beta"))
    told = [
        stage.open(),
        stage.tick(Quote()),
        stage.ask(),
        stage.tick(is_last=True),
        stage.close(),
    ]

    assert all([point.account_id for point in each.equity] == ["alpha", "beta"] for each in told)
    names = [[books.account_id for books in each.portfolios] for each in told]
    assert names == [["alpha", "beta"], [], ["alpha"], ["alpha", "beta"], ["alpha", "beta"]]


def test_counts_are_those_of_the_beat() -> None:
    """Reference rows are no ticks."""
    stage = Stage()

    opened = stage.open(Reference(), Reference(APPLIANCE))
    ticked = stage.tick(Quote(), Quote(APPLIANCE), scores=BUY)

    assert (opened.tick_count, opened.score_count) == (0, 0)
    assert (ticked.tick_count, ticked.score_count) == (2, 2)


def test_portfolios_before_the_first_beat_are_none() -> None:
    """There is no beat that they could be stamped with."""
    assert Stage().engine.portfolios() == ()


def test_portfolios_carry_the_last_stamp() -> None:
    """The cache shows how old they are."""
    stage = Stage()
    stage.open()
    stage.tick()

    portfolio = stage.engine.portfolios()[0]

    assert (portfolio.beat, portfolio.trade_date) == (1, 20240603)


def test_decisions_are_sorted_by_account_and_numbered_within_it() -> None:
    """Requests come in any order; a stranger's stand among the others by name."""
    stage = Stage(accounts=("gamma", "alpha"))
    stage.open()
    names = ("gamma", "beta", "alpha", "gamma")
    requests = tuple(
        order_request(request_id=RequestId(str(number)), account_id=AccountId(name))
        for number, name in enumerate(names)
    )

    output = stage.tick(Quote(), requests=(*requests, RequestEnvelope()))

    numbered = [(each.account_id, each.sequence, each.cause) for each in output.decisions]
    assert numbered == [("alpha", 0, "2"), ("beta", 0, "1"), ("gamma", 0, "0"), ("gamma", 1, "3")]
    assert [order.account_id for order in output.submits] == ["alpha", "gamma", "gamma"]


def _play(stage: Stage, engine: RiskEngine | None = None) -> list[object]:
    """Return all that an eventful day makes, going over to another engine after each beat."""
    outputs: list[object] = []

    def keep(output: object) -> None:
        outputs.append(output)
        if engine is not None:
            _reload(stage)

    keep(stage.open(Reference(), Reference(APPLIANCE)))
    output = stage.tick(Quote(), Quote(APPLIANCE), scores=BUY)
    keep(output)
    first, second = output.submits[:2]
    keep(stage.tick(fills=(fill_of(first, quantity_shares=100),)))
    keep(stage.ask())
    keep(stage.close({BANK: 41_000, APPLIANCE: 39_000}))
    keep(stage.open(Reference(prev_close_e4=41_000)))
    keep(stage.tick(Quote(), requests=(order_request(side="sell", request_id="sell"),)))
    keep(stage.tick(fills=(fill_of(second),), updates=(filled(second),), scores=BUY))
    keep(stage.tick(is_last=True))
    return outputs


def _play_closes(stage: Stage, engine: RiskEngine | None = None) -> list[object]:
    """Return what days of bars make: buys in parts, sells that are frozen over night in parts."""
    outputs: list[object] = []

    def keep(output: RiskOutput) -> RiskOutput:
        outputs.append((output, json.dumps(stage.engine.snapshot().values)))
        if engine is not None:
            _reload(stage)
        return output

    daily = Reference(open_e4=PRICE_E4)
    closes = {BANK: PRICE_E4}
    keep(stage.open(daily))
    buy = keep(stage.close(closes, requests=(order_request(quantity_shares=300),))).submits[0]
    working = update_of(buy, OrderStatus.PARTIALLY_FILLED, filled_shares=100)
    keep(
        stage.open(daily, fills=(fill_of(buy, quantity_shares=100, fee_fen=7),), updates=(working,))
    )
    early = order_request(request_id="early", side=Side.SELL, quantity_shares=100)
    rest = fill_of(buy, quantity_shares=200, price_e4=39_900)
    output = keep(stage.close(closes, requests=(early,), fills=(rest,), updates=(filled(buy),)))
    early_sell = output.submits[0]
    # Its fill in parts, while all the others are sold, too.
    part = fill_of(early_sell, quantity_shares=40)
    working = update_of(early_sell, OrderStatus.PARTIALLY_FILLED, filled_shares=40)
    late = order_request(request_id="late", side=Side.SELL, quantity_shares=200)
    late_sell = keep(
        stage.open(daily, requests=(late,), fills=(part,), updates=(working,)),
    ).submits[0]
    keep(stage.close(closes, fills=(fill_of(late_sell),), updates=(filled(late_sell),)))
    keep(stage.open(daily, updates=(update_of(early_sell, OrderStatus.EXPIRED, filled_shares=40),)))
    return outputs


def _reload(stage: Stage) -> None:
    state = stage.engine.snapshot()
    values = json.loads(json.dumps(state.values))
    arrays = {name: array.copy() for name, array in state.arrays.items()}
    stage.engine = RiskEngine(stage.spec, tuple(each.account_id for each in stage.spec.accounts))
    stage.engine.restore(EngineState(values, arrays))


def test_engine_restored_after_every_beat_says_the_same() -> None:
    """A crash must not show."""
    stage = Stage(construction=ConstructionSpec(cooldown_beats=1))
    other = replace(stage)

    expected = _play(stage)
    found = _play(other, other.engine)

    assert found == expected
    assert stage.engine.snapshot().values == other.engine.snapshot().values


def test_engine_restored_with_orders_over_night_says_the_same() -> None:
    """What is frozen, for today and for tomorrow, outlives a crash to the byte."""
    stage = Stage()
    other = replace(stage)

    expected = _play_closes(stage)
    found = _play_closes(other, other.engine)

    assert found == expected
    portfolio = stage.engine.portfolios()[0]
    assert portfolio.state is AccountState.ACTIVE
    # 300 bought for 40,000 and 79,800 fen; 40 and 200 sold at 4.00: 16,000 for as many fen, then
    # 60 left of the first 100 and 140 of the others, 24,000 + 55,860, for 80,000.
    assert (portfolio.realised_pnl_fen, portfolio.fees_fen) == (80_000 - 79_860, 7)
    assert [position.cost_fen for position in portfolio.positions] == [79_800 - 55_860]


def test_snapshot_whose_books_do_not_add_up_is_refused() -> None:
    """No account trades on a memory that has lost a fen."""
    stage = Stage()
    stage.hold(100)
    state = stage.engine.snapshot()
    values = json.loads(json.dumps(state.values))
    values["accounts"]["alpha"]["ledger"]["numbers"]["cash_fen"] += 1

    with pytest.raises(LedgerError, match="books of account alpha must add up"):
        stage.engine.restore(EngineState(values, state.arrays))


def test_engine_restored_before_its_first_beat_is_new() -> None:
    """A run may be snapshot before anything happened."""
    stage = Stage()

    _reload(stage)

    assert stage.engine.portfolios() == ()
    assert stage.open().equity[0].cash_fen == 100_000_000


def test_snapshot_is_not_changed_by_later_beats() -> None:
    """What is being written must hold still."""
    stage = Stage()
    stage.open()
    state = stage.engine.snapshot()
    marks = state.arrays["table"].copy()
    values = json.dumps(state.values)

    stage.tick(Quote(last_e4=41_000), scores=BUY)

    assert np.array_equal(state.arrays["table"], marks)
    assert json.dumps(state.values) == values


@pytest.mark.parametrize("limit_state", list(LimitState))
def test_suspended_instrument_is_refused_whatever_its_limits(limit_state: LimitState) -> None:
    """Suspension is the cheaper check, and the better answer."""
    stage = Stage()
    stage.open(Reference(is_suspended=True, limit_state=limit_state))

    decision = stage.ask(Quote(), price_e4=PRICE_E4 + 1).decisions[0]

    assert decision.reason is Reason.SUSPENDED


def test_requests_of_a_beat_are_answered_in_their_order_whoever_they_are_about() -> None:
    """Those about different instruments are judged together; nobody may be able to tell."""
    stage = Stage(limits=replace(LOOSE, position_bps_max=60))
    stage.open(Reference(), Reference(LIQUOR))
    asks = [("one", BANK), ("two", LIQUOR), ("three", BANK), ("one", BANK), ("four", LIQUOR)]
    orders = [
        order_request(request_id=RequestId(name), instrument=instrument, quantity_shares=1_000)
        for name, instrument in asks
    ]
    requests = (*orders[:4], cancel_request("nothing"), orders[4])

    output = stage.tick(Quote(), Quote(LIQUOR), requests=requests)

    told = [(each.cause, each.instrument, each.reason) for each in output.decisions]
    assert told == [
        ("one", BANK, Reason.NONE),
        ("two", LIQUOR, Reason.NONE),
        ("three", BANK, Reason.POSITION_LIMIT),
        ("one", BANK, Reason.DUPLICATE_REQUEST),
        ("cancel", 0, Reason.UNKNOWN_ORDER),
        ("four", LIQUOR, Reason.POSITION_LIMIT),
    ]
    assert [each.sequence for each in output.decisions] == list(range(6))
    assert [each.sequence for each in output.submits] == [0, 1]
