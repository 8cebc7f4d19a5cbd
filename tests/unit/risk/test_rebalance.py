"""Targets from a strategy's whole list, and the way there."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.unit.risk.scenario import (
    APPLIANCE,
    BANK,
    LIQUOR,
    Quote,
    Reference,
    Stage,
    fill_of,
    filled,
    rule_row,
)

from tidegate_common.domain.enums import Board, ConstructionMethod, Outcome, Reason, Side, Unit
from tidegate_common.domain.ids import AccountId
from tidegate_common.events.run import ConstructionSpec
from tidegate_risk.engine.engine import RiskOutput
from tidegate_risk.engine.sizing import largest_sell_shares
from tidegate_risk.engine.targets import StrategyList, Targets, fractions_bps, targets_of

ALL = (Reference(BANK), Reference(LIQUOR), Reference(APPLIANCE))
QUOTES = (Quote(BANK), Quote(LIQUOR), Quote(APPLIANCE))
# Of 1,000,000 CNY 980,000 are above the buffer: 490,000 a place, 122,500 shares at 4.00.
EQUAL = ConstructionSpec(method=ConstructionMethod.EQUAL_WEIGHT, top_n=2, cooldown_beats=0)
PLACE_SHARES = 122_500
# What pays two places exactly lacks the fees of the second.
LAST_SHARES = 122_400


def _stage(spec: ConstructionSpec = EQUAL, **options: object) -> Stage:
    stage = Stage(construction=spec, **options)  # type: ignore[arg-type]  # by name
    stage.open(*ALL)
    return stage


def _ask(stage: Stage, scores: Mapping[int, int], *quotes: Quote, **inputs: object) -> RiskOutput:
    said = {"scores": {"cross": scores}} | inputs
    return stage.tick(*(quotes or QUOTES), **said)  # type: ignore[arg-type]  # by name


def _fill(stage: Stage, output: RiskOutput) -> None:
    """Fill every order in full at its price, without fees."""
    stage.tick(
        fills=tuple(fill_of(order) for order in output.submits),
        updates=tuple(filled(order) for order in output.submits),
    )


def _holding(spec: ConstructionSpec = EQUAL, **options: object) -> Stage:
    """Return the day after a strategy has bought the bank."""
    stage = _stage(spec, **options)
    _fill(stage, _ask(stage, {BANK: 500_000}))
    stage.close()
    stage.open(*ALL)
    return stage


def _asked(output: RiskOutput) -> list[tuple[Side, int, int]]:
    return [(order.side, order.instrument, order.quantity_shares) for order in output.submits]


def test_equal_weight_buys_the_best_positive_scores_equally() -> None:
    """The best two of three; between equal scores the instrument decides."""
    output = _ask(_stage(), {BANK: 400_000, LIQUOR: 100_000, APPLIANCE: 100_000})

    assert _asked(output) == [(Side.BUY, BANK, PLACE_SHARES), (Side.BUY, LIQUOR, LAST_SHARES)]
    assert [decision.score_beat for decision in output.decisions] == [1, 1]


def test_equal_weight_with_one_good_score_leaves_the_other_place_in_cash() -> None:
    """A score of 0 is no reason to buy, and a lone good one no reason to buy twice as much."""
    output = _ask(_stage(), {BANK: 1, LIQUOR: 0, APPLIANCE: -1})

    assert _asked(output) == [(Side.BUY, BANK, PLACE_SHARES)]


def test_score_weighted_splits_the_capital_by_score() -> None:
    """735,000 and 245,000 CNY are 183,750 and 61,250 shares, in lots."""
    spec = replace(EQUAL, method=ConstructionMethod.SCORE_WEIGHTED)

    output = _ask(_stage(spec), {LIQUOR: 200_000, APPLIANCE: 600_000})

    assert _asked(output) == [(Side.BUY, APPLIANCE, 183_700), (Side.BUY, LIQUOR, 61_200)]


def test_volatility_scaled_splits_the_capital_by_inverse_volatility() -> None:
    """A third of the volatility, three times the value."""
    spec = replace(EQUAL, method=ConstructionMethod.VOLATILITY_SCALED)

    output = _ask(
        _stage(spec),
        {LIQUOR: 200_000, APPLIANCE: 100_000},
        volatility_e6={LIQUOR: 600_000, APPLIANCE: 200_000},
    )

    assert _asked(output) == [(Side.BUY, LIQUOR, 61_200), (Side.BUY, APPLIANCE, 183_700)]


@pytest.mark.parametrize("volatility_e6", [None, {LIQUOR: 200_000}, {BANK: 0, LIQUOR: 200_000}])
def test_volatility_that_is_not_stated_is_refused_not_guessed(
    volatility_e6: Mapping[int, int] | None,
) -> None:
    """Its place stays in cash."""
    spec = replace(EQUAL, method=ConstructionMethod.VOLATILITY_SCALED, top_n=1)

    output = _ask(_stage(spec), {BANK: 200_000, LIQUOR: 100_000}, volatility_e6=volatility_e6)

    assert [(each.instrument, each.reason) for each in output.decisions] == [
        (BANK, Reason.UNKNOWN_VOLATILITY),
    ]


def test_holding_that_falls_out_of_the_best_is_sold_before_others_are_bought() -> None:
    """Sells first; the cash that they bring pays from the next beat on."""
    stage = _holding()

    output = _ask(stage, {BANK: 100_000, LIQUOR: 300_000, APPLIANCE: 200_000})

    assert _asked(output) == [(Side.SELL, BANK, PLACE_SHARES), (Side.BUY, LIQUOR, LAST_SHARES)]
    assert output.decisions[2].reason is Reason.NOT_ENOUGH_CASH


def test_sells_are_by_score_then_by_instrument() -> None:
    """Order is part of the outcome."""
    stage = _stage(replace(EQUAL, top_n=3))
    _fill(stage, _ask(stage, dict.fromkeys((BANK, LIQUOR, APPLIANCE), 1)))
    stage.close()
    stage.open(*ALL)

    output = _ask(stage, {BANK: -3, LIQUOR: -3, APPLIANCE: -2})

    assert [order.instrument for order in output.submits] == [APPLIANCE, BANK, LIQUOR]


def test_holding_without_a_score_keeps_its_value_and_its_place() -> None:
    """Of what a strategy says nothing it wants no change."""
    stage = _holding()

    output = _ask(stage, {LIQUOR: 300_000, APPLIANCE: 200_000})

    assert _asked(output) == [(Side.BUY, LIQUOR, LAST_SHARES)]


def test_shares_that_people_bought_are_not_the_strategys_to_sell() -> None:
    """Manual orders belong to nobody."""
    stage = Stage(construction=EQUAL)
    stage.hold(300, *ALL)
    stage.open(*ALL)

    assert _ask(stage, {BANK: -500_000}).decisions == ()


@pytest.mark.parametrize(
    ("mark_e4", "asked"),
    # At 4.40 the NAV is 1,049,000, the target 514,010 of 539,000: 5,680 shares too many. At 3.60 it
    # is 951,000, and 465,990 of 441,000: 6,941 too few.
    [(44_000, (Side.SELL, BANK, 5_600)), (36_000, (Side.BUY, BANK, 6_900))],
)
def test_wanted_holding_outside_the_band_is_adjusted_in_lots(
    mark_e4: int,
    asked: tuple[Side, int, int],
) -> None:
    """Towards the target, never beyond it."""
    stage = _holding(replace(EQUAL, rebalance_band_bps=243))

    output = _ask(stage, {BANK: 500_000}, Quote(last_e4=mark_e4))

    assert _asked(output) == [asked]


def test_wanted_holding_inside_the_band_stays_and_the_day_says_so_once() -> None:
    """24,990 of 1,028,020 CNY are 243.1 bps."""
    stage = _holding(replace(EQUAL, rebalance_band_bps=244))

    outputs = [_ask(stage, {BANK: 500_000}, Quote(last_e4=44_000)) for _ in range(2)]
    stage.close()
    stage.open(*ALL)
    outputs.append(_ask(stage, {BANK: 500_000}, Quote(last_e4=44_000)))

    assert [len(output.decisions) for output in outputs] == [1, 0, 1]
    decision = outputs[0].decisions[0]
    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.INSIDE_BAND)
    assert (decision.observed, decision.limit, decision.unit) == (244, 244, Unit.BPS)
    assert (decision.side, decision.quantity_shares) == (Side.SELL, 0)


@pytest.mark.parametrize(("mark_e4", "side"), [(39_900, Side.BUY), (43_000, Side.SELL)])
def test_holding_less_than_a_lot_from_its_target_is_inside_the_band(
    mark_e4: int,
    side: Side,
) -> None:
    """Of 1,200 shares 25 too few at 3.99, 19 too many at 4.30: no order can come nearer."""
    spec = replace(EQUAL, rebalance_band_bps=0, top_n=2)
    stage = _holding(spec, cash_fen=1_000_000)

    decision = _ask(stage, {BANK: 500_000}, Quote(last_e4=mark_e4)).decisions[0]

    assert (decision.side, decision.reason) == (side, Reason.INSIDE_BAND)


def test_turnover_of_the_day_cuts_buys_to_what_is_left_and_then_refuses() -> None:
    """A quarter of 980,000 pays 61,250 shares; the next would make it 734,800, 7,498 bps."""
    stage = _stage(replace(EQUAL, turnover_bps_max=2_500))

    output = _ask(stage, {BANK: 500_000, LIQUOR: 400_000})

    assert _asked(output) == [(Side.BUY, BANK, 61_200)]
    refused = output.decisions[1]
    assert (refused.instrument, refused.reason) == (LIQUOR, Reason.TURNOVER_LIMIT)
    assert (refused.observed, refused.limit, refused.unit) == (7_498, 2_500, Unit.BPS)


def test_turnover_never_holds_back_a_sell_but_counts_it() -> None:
    """Whoever wants out gets out; what he then buys waits for tomorrow."""
    stage = _holding(replace(EQUAL, turnover_bps_max=5_000))

    output = _ask(stage, {BANK: -1, LIQUOR: 500_000})

    assert _asked(output) == [(Side.SELL, BANK, PLACE_SHARES)]
    assert output.decisions[1].reason is Reason.TURNOVER_LIMIT


def test_exit_of_what_was_bought_today_says_why_not() -> None:
    """T+1, as everywhere."""
    stage = _stage()
    _fill(stage, _ask(stage, {BANK: 500_000}))

    decision = _ask(stage, {BANK: -1}).decisions[0]

    assert (decision.reason, decision.observed) == (Reason.NOT_SELLABLE, 0)
    assert decision.limit == PLACE_SHARES


def test_exit_sells_what_can_be_sold_today() -> None:
    """Today's 6,900 shares wait for tomorrow."""
    stage = _holding()
    low = Quote(last_e4=36_000)
    _fill(stage, _ask(stage, {BANK: 500_000}, low))

    output = _ask(stage, {BANK: -1}, low)

    assert _asked(output) == [(Side.SELL, BANK, PLACE_SHARES)]


@pytest.mark.parametrize(("cooldown_beats", "count"), [(3, 1), (4, 0)])
def test_working_order_and_cooldown_leave_an_instrument_alone(
    cooldown_beats: int,
    count: int,
) -> None:
    """Their decisions are in the log already."""
    stage = _stage(replace(EQUAL, cooldown_beats=cooldown_beats))
    output = _ask(stage, {BANK: 500_000})

    working = _ask(stage, {BANK: 500_000})
    _fill(stage, output)
    cooling = _ask(stage, {BANK: -1})

    assert (working.decisions, len(cooling.decisions)) == ((), count)


def test_strategies_share_an_account_by_their_fractions() -> None:
    """Who is not named gets what is left, here less fees; each sells only its own."""
    spec = replace(EQUAL, top_n=1, capital_bps={"first": 6_000})
    stage = _stage(spec, strategies=("first", "second"))
    bought = stage.tick(*QUOTES, scores={"first": {BANK: 1}, "second": {LIQUOR: 1}})
    _fill(stage, bought)
    stage.close()
    stage.open(*ALL)

    output = stage.tick(*QUOTES, scores={"first": {BANK: -1, LIQUOR: -1}, "second": {BANK: -1}})

    assert _asked(bought) == [(Side.BUY, BANK, 147_000), (Side.BUY, LIQUOR, 97_900)]
    assert _asked(output) == [(Side.SELL, BANK, 147_000)]


def test_odd_lot_between_two_strategies_waits_with_a_reason() -> None:
    """People sold a part of it: what remains to the strategy is less than a lot of the account."""
    stage = _holding(cash_fen=1_000_000)
    stage.close()
    stage.open(*ALL)
    account = stage.engine._accounts[AccountId("alpha")]
    account.sleeves.book_fill(("cross", BANK), Side.SELL, quantity_shares=1_150, held_shares=1_200)

    decision = _ask(stage, {BANK: -1}).decisions[0]

    assert (decision.reason, decision.quantity_shares) == (Reason.BAD_LOT, 50)


def test_entry_without_a_lot_or_a_mark_is_refused_for_that() -> None:
    """The checks say why, as for the method threshold."""
    poor, blind = _stage(cash_fen=10_000), _stage()
    unmarked = Stage(construction=EQUAL)
    unmarked.open(Reference(prev_close_e4=0))

    assert _ask(poor, {BANK: 1}).decisions[0].reason is Reason.BAD_LOT
    assert _ask(blind, {1601398: 1}).decisions[0].reason is Reason.UNKNOWN_INSTRUMENT
    assert _ask(unmarked, {BANK: 1}, Quote(last_e4=0)).decisions[0].reason is Reason.MISSING_MARK


def test_strategy_without_scores_in_a_beat_changes_nothing() -> None:
    """No list, no target."""
    stage = _holding(strategies=("cross", "quiet"))

    output = stage.tick(*QUOTES, scores={"cross": {}, "quiet": {BANK: 0}})

    assert output.decisions == ()


@pytest.mark.parametrize(
    ("board", "wanted_shares", "sellable_shares", "expected"),
    [
        (Board.MAIN, 150, 250, 150),
        (Board.MAIN, 120, 250, 100),
        (Board.MAIN, 60, 250, 50),
        (Board.MAIN, 40, 250, 0),
        (Board.MAIN, 250, 250, 250),
        (Board.MAIN, 1_500_050, 1_500_050, 1_000_000),
        (Board.STAR, 250, 250, 250),
        (Board.STAR, 150, 150, 150),
        (Board.STAR, 100, 150, 0),
        (Board.UNKNOWN, 100, 100, 0),
        (Board.MAIN, 100, 0, 0),
    ],
)
def test_largest_sell_is_whole_lots_with_all_that_is_odd_or_without(
    board: Board,
    wanted_shares: int,
    sellable_shares: int,
    expected: int,
) -> None:
    """The exchange takes an odd part only as a whole."""
    rule = rule_row(board, 20240603)

    shares = largest_sell_shares(wanted_shares, sellable_shares, rule)

    assert shares == expected


def test_targets_never_exceed_the_capital_that_silent_holdings_leave() -> None:
    """A silent holding that has grown beyond its place takes from the others'."""
    listed = StrategyList("cross", 1, {LIQUOR: 2}, (LIQUOR,), {LIQUOR: 1})

    targets = targets_of(listed, {BANK: 900}, budget_fen=1_000, top_n=2)
    full = targets_of(listed, {BANK: 900}, budget_fen=1_000, top_n=1)

    assert targets == Targets({LIQUOR: 100}, ())
    assert full == Targets({}, ())


@pytest.mark.parametrize(
    ("capital_bps", "expected"),
    [
        ({}, {"a": 3_333, "b": 3_333, "c": 3_333}),
        ({"a": 5_000, "x": 1_000}, {"a": 5_000, "b": 2_000, "c": 2_000}),
        ({"a": 9_000, "b": 2_000}, {"a": 9_000, "b": 2_000, "c": 0}),
    ],
)
def test_fractions_are_as_named_and_equal_shares_of_what_is_left(
    capital_bps: dict[str, int],
    expected: dict[str, int],
) -> None:
    """A name that the run does not have keeps its part in cash."""
    spec = ConstructionSpec(capital_bps=capital_bps)

    assert fractions_bps(spec, ("a", "b", "c")) == expected
