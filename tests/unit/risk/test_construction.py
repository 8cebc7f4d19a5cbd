"""Scores into intents: what, how much, at what price, when not."""

from dataclasses import replace

import pytest
from tests.unit.risk.scenario import (
    APPLIANCE,
    BANK,
    LIQUOR,
    STAR,
    Quote,
    Reference,
    Stage,
    fill_of,
    filled,
    update_of,
)

from tidegate_common.domain.enums import (
    CauseKind,
    LimitState,
    OrderStatus,
    OrderType,
    Outcome,
    Reason,
    Side,
    TimeInForce,
)
from tidegate_common.events.run import CommissionSpec, ConstructionSpec

ALL = (Reference(BANK), Reference(LIQUOR), Reference(APPLIANCE))
BUY = {"cross": {BANK: 300_000}}
SELL = {"cross": {BANK: -300_000}}
FREE = ConstructionSpec(cooldown_beats=0)


def _holding(**options: object) -> Stage:
    stage = Stage(cash_fen=1_000_000, **options)  # type: ignore[arg-type]  # by name
    stage.hold(300)
    stage.open()
    return stage


@pytest.mark.parametrize(("score", "count"), [(300_000, 1), (299_999, 0)])
def test_score_at_the_entry_threshold_buys_the_target_weight(score: int, count: int) -> None:
    """10% of 1,000,000 CNY at 4.00 are 25,000 shares."""
    stage = Stage()
    stage.open()

    output = stage.tick(Quote(), scores={"cross": {BANK: score}})

    assert [order.quantity_shares for order in output.submits] == [25_000] * count
    for order, decision in zip(output.submits, output.decisions, strict=True):
        assert (order.side, order.price_e4) == (Side.BUY, 40_000)
        assert (order.order_type, order.time_in_force) == (OrderType.LIMIT, TimeInForce.DAY)
        assert (decision.cause_kind, decision.cause) == (CauseKind.SCORE, "cross")
        assert (decision.score_e6, decision.score_beat) == (300_000, 1)
        assert (order.decision_id, order.sequence) == (decision.decision_id, 0)


@pytest.mark.parametrize(("score", "count"), [(-300_000, 1), (-299_999, 0)])
def test_score_at_the_exit_threshold_sells_the_whole_holding(score: int, count: int) -> None:
    """Thin for now: all or nothing."""
    stage = _holding()

    output = stage.tick(Quote(), scores={"cross": {BANK: score}})

    assert [(order.side, order.quantity_shares) for order in output.submits] == [
        (Side.SELL, 300),
    ] * count


def test_exit_of_a_holding_bought_today_says_why_not() -> None:
    """The answer to "why did we not sell?" is T+1, not silence."""
    stage = Stage(construction=FREE)
    stage.open()
    order = stage.ask(Quote()).submits[0]
    stage.tick(fills=(fill_of(order),), updates=(filled(order),))

    decision = stage.tick(scores=SELL).decisions[0]

    assert (decision.reason, decision.observed, decision.limit) == (Reason.NOT_SELLABLE, 0, 100)


def test_exit_without_a_holding_and_entry_with_one_ask_for_nothing() -> None:
    """There is nothing to decide."""
    holding, empty = _holding(), Stage()
    empty.open()

    assert holding.tick(Quote(), scores=BUY).decisions == ()
    assert empty.tick(Quote(), scores=SELL).decisions == ()


def test_entry_is_priced_at_the_ask_and_exit_at_the_bid() -> None:
    """So that they meet the book at once; where there is none, at the last price."""
    buyer, seller = Stage(), _holding()
    buyer.open()
    book = Quote(bid_e4=39_900, ask_e4=40_100)

    assert buyer.tick(book, scores=BUY).submits[0].price_e4 == 40_100
    assert seller.tick(book, scores=SELL).submits[0].price_e4 == 39_900


def test_entry_without_a_single_lot_is_a_bad_lot() -> None:
    """10% of 999 CNY do not buy 100 shares at 4.00."""
    stage = Stage(cash_fen=99_900)
    stage.open()

    decision = stage.tick(Quote(), scores=BUY).decisions[0]

    assert (decision.reason, decision.observed, decision.limit) == (Reason.BAD_LOT, 0, 100)


def test_entry_without_a_mark_is_refused_for_that() -> None:
    """No price, no quantity, and no division by zero."""
    stage = Stage()
    stage.open(Reference(prev_close_e4=0))

    decision = stage.tick(Quote(last_e4=0), scores=BUY).decisions[0]

    assert (decision.reason, decision.quantity_shares) == (Reason.MISSING_MARK, 0)


def test_entry_of_an_unknown_instrument_is_refused_for_that() -> None:
    """Signals may know more than the day's reference data."""
    stage = Stage()
    stage.open()

    decision = stage.tick(scores={"cross": {LIQUOR: 300_000}}).decisions[0]

    assert decision.reason is Reason.UNKNOWN_INSTRUMENT


def test_entry_buys_what_the_cash_above_the_buffer_pays() -> None:
    """98% of 1,000 CNY less fees pay 200 shares at 4.00, whatever the target says."""
    spec = ConstructionSpec(target_weight_bps=10_000)
    commission = CommissionSpec(rate_e6=250, minimum_fen=500)
    stage = Stage(cash_fen=100_000, construction=spec, commission=commission)
    stage.open()

    output = stage.tick(Quote(), scores=BUY)

    assert output.submits[0].quantity_shares == 200


def test_entry_that_would_break_into_the_buffer_lacks_cash() -> None:
    """The target was a lot; what it lacks is cash, not lots."""
    spec = ConstructionSpec(target_weight_bps=10_000, cash_buffer_bps=6_001)
    stage = Stage(cash_fen=100_000, construction=spec)
    stage.open()

    decision = stage.tick(Quote(), scores=BUY).decisions[0]

    assert decision.reason is Reason.NOT_ENOUGH_CASH
    assert (decision.observed, decision.limit) == (80_001, 39_990)


@pytest.mark.parametrize(("wait_beats", "count"), [(1, 0), (2, 1)])
def test_strategy_waits_for_its_cooldown_after_a_rejection(wait_beats: int, count: int) -> None:
    """A score that stays high must not flood the log."""
    stage = Stage(cash_fen=100, construction=ConstructionSpec(cooldown_beats=2))
    stage.open()
    stage.tick(Quote(), scores=BUY)
    for _ in range(wait_beats - 1):
        stage.tick()

    output = stage.tick(Quote(), scores=BUY)

    assert len(output.decisions) == count


def test_strategy_leaves_an_instrument_alone_while_an_order_works_in_it() -> None:
    """Neither a second buy nor a sell of what is being sold."""
    buyer, seller = Stage(construction=FREE), _holding(construction=FREE)
    buyer.open()
    # Requests are not cancelled with age, so they keep working.
    buyer.ask(Quote())
    seller.ask(Quote(), side=Side.SELL)

    assert buyer.tick(scores=BUY).decisions == ()
    assert seller.tick(scores=SELL).decisions == ()


def test_intents_are_sells_then_buys_by_score_then_by_instrument() -> None:
    """Who comes first gets the cash, so the order is part of the outcome."""
    stage = Stage(cash_fen=1_000_000, construction=FREE)
    stage.hold(300, *ALL, Reference(STAR))
    stage.open(*ALL, Reference(STAR))
    scores = {BANK: -900_000, LIQUOR: 400_000, APPLIANCE: 500_000, STAR: 400_000}

    output = stage.tick(scores={"cross": scores})

    decided = [(each.sequence, each.side, each.instrument) for each in output.decisions]
    assert decided == [
        (0, Side.SELL, BANK),
        (1, Side.BUY, APPLIANCE),
        (2, Side.BUY, LIQUOR),
        (3, Side.BUY, STAR),
    ]


def test_strategies_act_in_the_order_of_the_run() -> None:
    """A batch may name them in any order, or leave one out."""
    stage = Stage(strategies=("first", "absent", "second"))
    stage.open(*ALL)
    scores = {"second": {BANK: 900_000}, "first": {LIQUOR: 300_000, BANK: 300_000}}

    output = stage.tick(Quote(), Quote(LIQUOR), scores=scores)

    decided = [(each.cause, each.instrument) for each in output.decisions]
    assert decided == [("first", BANK), ("first", LIQUOR)]


def test_scores_act_on_ticks_bars_and_daily_closes_only() -> None:
    """An order of a tick run's close would meet nothing; one of an open would look ahead."""
    daily, ticking, barring = Stage(), Stage(), Stage()

    assert daily.open(Reference(open_e4=40_000), scores=BUY).decisions == ()
    assert len(daily.close({BANK: 40_000}, scores=BUY).submits) == 1
    ticking.open()
    ticking.tick(Quote())
    assert ticking.close({BANK: 40_000}, scores=BUY).decisions == ()
    barring.open()
    assert len(barring.bar({BANK: 40_000}, scores=BUY).submits) == 1
    assert barring.close({BANK: 40_000}, scores=BUY).decisions == ()


@pytest.mark.parametrize(
    ("offset_bps", "close_e4", "price_e4"),
    # 2% of 40.01 are 0.8002: up to the next fen. 11% are cut at the next day's limit.
    [(0, 40_000, 40_000), (200, 400_100, 408_200), (1_100, 40_000, 44_000)],
)
def test_daily_entry_is_priced_above_the_close_within_tomorrows_limits(
    offset_bps: int,
    close_e4: int,
    price_e4: int,
) -> None:
    """The order meets the next open, which nobody knows."""
    stage = Stage(construction=ConstructionSpec(price_offset_bps=offset_bps))
    stage.open(Reference(open_e4=close_e4))

    output = stage.close({BANK: close_e4}, scores=BUY)

    assert output.submits[0].price_e4 == price_e4


def test_daily_exit_is_priced_below_the_close_and_sells_what_was_bought_today() -> None:
    """The order trades tomorrow, when today's shares may be sold: no T+1 in its way."""
    stage = Stage(construction=replace(FREE, price_offset_bps=213))
    stage.open(Reference(open_e4=40_000))
    order = stage.ask_at_close()
    stage.open(Reference(open_e4=40_000), fills=(fill_of(order),), updates=(filled(order),))

    output = stage.close({BANK: 40_000}, scores=SELL)

    # 40,000 less 2.13% are 39,148: down to the fen.
    assert [(sell.price_e4, sell.quantity_shares) for sell in output.submits] == [(39_100, 100)]
    assert output.portfolios[0].positions[0].sellable_shares == 0


def test_bar_price_on_a_day_without_limits_is_not_cut() -> None:
    """UNLIMITED has no band to stay in, and the main board no cage before 2023-04-10."""
    construction = ConstructionSpec(price_offset_bps=2_000)
    stage = Stage(construction=construction, days=(20230407,))
    stage.open(Reference(limit_state=LimitState.UNLIMITED, limit_up_e4=0, limit_down_e4=0))

    output = stage.bar({BANK: 40_000}, scores=BUY)

    assert output.submits[0].price_e4 == 48_000


def test_exit_of_more_than_the_board_takes_sells_its_maximum() -> None:
    """A holding larger than an order may be leaves in parts."""
    stage = Stage(construction=FREE)
    references = (Reference(STAR), Reference(BANK))
    stage.open(*references)
    stage.tick(Quote(STAR), Quote())
    for _ in range(2):
        order = stage.ask(instrument=STAR, quantity_shares=60_000).submits[0]
        stage.tick(fills=(fill_of(order),), updates=(filled(order),))
    stage.close()
    stage.open(*references)

    output = stage.tick(Quote(STAR), scores={"cross": {STAR: -400_000}})

    assert [order.quantity_shares for order in output.submits] == [100_000]


def test_exit_of_an_instrument_that_left_the_reference_data_is_refused() -> None:
    """What is not listed today cannot be sold today, and the log says so."""
    stage = Stage(construction=FREE)
    stage.hold(100, *ALL)
    stage.open(Reference(LIQUOR))

    output = stage.tick(Quote(LIQUOR), scores=SELL)

    decision = output.decisions[0]
    assert (decision.reason, decision.quantity_shares) == (Reason.UNKNOWN_INSTRUMENT, 100)


@pytest.mark.parametrize(("idle_beats", "count"), [(2, 0), (3, 1)])
def test_strategy_order_older_than_the_cooldown_is_cancelled(idle_beats: int, count: int) -> None:
    """Capital that waits at a price nobody takes is stuck."""
    stage = Stage(construction=ConstructionSpec(cooldown_beats=2))
    stage.open()
    order = stage.tick(Quote(), scores=BUY).submits[0]
    for _ in range(idle_beats - 1):
        stage.tick()

    output = stage.tick()

    assert [cancel.order_id for cancel in output.cancels] == [order.order_id] * count


def test_cancel_is_sent_again_only_after_another_cooldown() -> None:
    """An exchange that did not take it may take it later, and is not flooded."""
    stage = Stage(construction=ConstructionSpec(cooldown_beats=1))
    stage.open()
    order = stage.tick(Quote(), scores=BUY).submits[0]
    counts = [len(stage.tick().cancels) for _ in range(4)]

    stage.tick(updates=(update_of(order, OrderStatus.CANCELED),))
    counts += [len(stage.tick().cancels) for _ in range(3)]

    assert counts == [0, 1, 0, 1, 0, 0, 0]


def test_old_orders_stay_when_cancels_are_not_taken_and_when_people_made_them() -> None:
    """No cancels in the closing call; a person's order is the person's to cancel."""
    people, closing = Stage(construction=FREE), Stage(construction=FREE)
    people.open()
    people.ask(Quote())
    closing.open()
    closing.tick(Quote(), scores=BUY)

    assert [len(people.tick().cancels) for _ in range(3)] == [0, 0, 0]
    assert closing.tick(seconds=54_000 - 60).cancels == ()
    assert len(closing.tick(seconds=50_000).cancels) == 1


def test_orders_of_bar_runs_are_not_cancelled_with_age() -> None:
    """They live for one day of bars."""
    stage = Stage(construction=FREE)
    stage.open()
    stage.bar({BANK: 40_000}, scores=BUY)

    outputs = [stage.bar({BANK: 40_000}) for _ in range(3)]

    assert [output.cancels for output in outputs] == [(), (), ()]


def test_cooldowns_that_are_over_are_forgotten_with_the_day() -> None:
    """Memory has a limit."""
    stage = Stage(cash_fen=100, construction=ConstructionSpec(cooldown_beats=2))
    stage.open()
    stage.tick(Quote(), scores=BUY)
    stage.close()
    account = stage.engine._accounts[stage.spec.accounts[0].account_id]

    stage.open()
    kept = len(account.decided)
    stage.close()
    stage.open()

    assert (kept, len(account.decided)) == (1, 0)
    assert stage.tick(Quote(), scores=BUY).decisions[0].outcome is Outcome.REJECTED
