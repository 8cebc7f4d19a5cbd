"""The kernels as Python reads them, and their numbers against those of the rule book."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.risk.closed_loop import play
from tests.unit.risk.boundaries import BOUNDARIES
from tests.unit.risk.conduct_boundaries import CONDUCT_BOUNDARIES
from tests.unit.risk.scenario import rule_row
from tests.unit.risk.scenes import Boundary

from tidegate_common.domain import units
from tidegate_common.domain.enums import Board, Exchange, LimitState, Phase, Reason, Side
from tidegate_common.domain.units import Int64Array
from tidegate_common.market import fees
from tidegate_common.market.cage import cage_reference_e4, price_cage
from tidegate_common.market.fees import FeeContract, FeeSchedule
from tidegate_common.market.lots import is_valid_sell, round_down_buy
from tidegate_risk.engine import desk, layout
from tidegate_risk.engine.kernels import decide as compiled_decide
from tidegate_risk.engine.ratios import exceeds_bps
from tidegate_risk.engine.rules import BOARD_STEP, RuleTable
from tidegate_risk.engine.sizing import (
    cage_edge_e4,
    exceeds,
    is_sell_lot,
    order_fees_fen,
    value_of_fen,
    whole_shares,
)

ENGINE = "tidegate_risk.engine"
DATE = 20240603
INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(name="interpreted")
def interpreted_fixture(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let desks decide by kernels that nobody compiled: overflows warn there, and lines count."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    package = import_module(ENGINE)
    for name in ("sizing", "validity", "layers", "kernels"):
        monkeypatch.setattr(package, name, getattr(package, name))
        monkeypatch.delitem(sys.modules, f"{ENGINE}.{name}")
    decide: Callable[..., None] = import_module(f"{ENGINE}.kernels").decide
    monkeypatch.setattr(desk, "decide", decide)
    return decide


@pytest.mark.parametrize(
    "boundary",
    [*BOUNDARIES, *CONDUCT_BOUNDARIES],
    ids=lambda boundary: str(boundary.reason),
)
def test_interpreted_kernels_say_the_same_at_each_boundary(
    interpreted: Callable[..., None],
    boundary: Boundary,
) -> None:
    """What is compiled is this text, and no product in it overflows."""
    good, bad = boundary.good.decide(), boundary.bad.decide()

    assert good.reason is Reason.NONE
    assert (bad.layer, bad.reason) == (boundary.layer, boundary.reason)
    assert (bad.observed, bad.limit, bad.unit) == (boundary.observed, boundary.limit, boundary.unit)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("is_daily", [False, True])
def test_interpreted_kernels_play_a_run_as_compiled_ones_do(
    request: pytest.FixtureRequest,
    seed: int,
    *,
    is_daily: bool,
) -> None:
    """Fills, cancels, commands of other kinds than at a boundary, and whole lists."""
    compiled = [beat.output for beat in play(seed, is_daily=is_daily)]
    request.getfixturevalue("interpreted")

    interpreted = [beat.output for beat in play(seed, is_daily=is_daily)]

    assert interpreted == compiled


# By column, what a random row may have; other columns are 0.
MARKET = {
    layout.LISTED: (0, *[1] * 19),
    layout.ST: (0, 1),
    layout.SUSPENDED: (*[0] * 19, 1),
    layout.STALE: (*[0] * 19, 1),
    layout.LIMIT_STATE: (0, *[1] * 10, 2),
    layout.PHASE: range(9),
    layout.SEGMENT: range(20),
    layout.SECTOR: (0, 1, 2),
    layout.LIMIT_UP: (44_000,),
    layout.LIMIT_DOWN: (36_000,),
    layout.MARK: (0, *[40_000] * 19),
    layout.BID: (0, 39_900),
    layout.ASK: (0, 40_100),
    layout.LAST: (0, 40_000),
    layout.NEWS_BEAT: (5, 10),
    layout.ADV: (-1, 0, 9_999, 10**7),
}
RULES = {
    layout.SESSION: range(9),
    layout.CAN_SUBMIT: (0, 1, 1),
    layout.CAN_SUBMIT_FIXED: (0, 1),
    layout.KINDS: (4, 5),
    layout.FIXED_MAX: (0, 1_000, 10**6),
    layout.TICK: (10, 100),
    layout.LOT_MIN: (100, 200),
    layout.LOT_STEP: (1, 100),
    layout.LIMIT_MAX: (0, 1_000, 10**6, 10**6),
    layout.MARKET_MAX: (0, 500, 10**6),
    layout.ST_CAP: (-1, 500, 10**6),
    layout.CAGE: range(4),
    layout.CAGE_BPS: (200, 500),
    layout.CAGE_FLOOR: (0, 1_000),
    layout.COMMISSION: (0, 25_000, 10**8),
    layout.COMMISSION_MIN: (0, 500),
    layout.BUY_DUTY: (0, 50_000),
    layout.SELL_DUTY: (0, 50_000),
    layout.TRANSFER: (0, 1_000),
    layout.IS_ON_FACE: (0, 1),
    layout.HANDLING: (0, 341),
    layout.REGULATORY: (0, 200),
}
STATE = {
    layout.BEAT: (10,),
    layout.IS_TICK_BEAT: (0, 1),
    layout.IS_TICK_RUN: (0, 1),
    layout.IS_AFTER_CLOSE: (0, 1),
    layout.IS_CLASSIFIED: (0, 1),
    layout.OFFSET_BPS: (0, 200),
    layout.IS_HALTED: (*[0] * 9, 1),
    layout.IS_REDUCING: (*[0] * 9, 1),
    layout.IS_LOSS_LATCHED: (0, 0, 1),
    layout.IS_FALL_LATCHED: (0, 0, 1),
    layout.SECOND_LIMIT: (5, 100),
    layout.DAY_LIMIT: (7, 100),
    layout.AVAILABLE: (-5, 50_000, 10**9, 10**16),
    layout.NAV: (10**8, 10**8, 9 * 10**7, 10**16),
    layout.OPENING_NAV: (10**8,),
    layout.HIGH_WATER: (10**8,),
    layout.EXPOSURE: (0, 10**7),
    layout.TRADED: (0, 10**6),
    layout.TRADED_MAX: (0, 10**7, layout.INT64_MAX),
    layout.STALE_MAX: (3, 100),
    layout.POSITION_MAX: (1_000, 100_000),
    layout.ADV_MAX: (0, 1_000),
    layout.LOSS_MAX: (300, 10_000),
    layout.FALL_MAX: (300, 10_000),
    layout.SECTOR_MAX: (1_000, 100_000),
    layout.LEVERAGE_MAX: (1_000, 100_000),
}
INTENTS = {
    layout.AT: range(50),
    layout.MODE: (*[0] * 4, *range(5)),
    layout.IS_BUY: (0, 1),
    layout.IS_MARKET: (0, 0, 0, 1),
    layout.KIND: (*[0] * 17, 1, 2, 4),
    layout.PRICE: (0, -100, 36_000, 40_000, 40_000, 40_000, 40_050, 41_000, 44_000, 44_100, 10**13),
    layout.QUANTITY: (-1, 0, 30, 50, 100, 150, 200, 500, 1_000, 1_100, 10**6, 10**7),
    layout.TARGET: (0, 10**5, 10**6, 10**9, 10**17),
    layout.IS_HELD_TOO: (0, 1),
    layout.RESERVE: (0, 10**5),
    layout.HELD: (0, 250, 10_000),
    layout.SELLABLE: (0, 250, 1_050, 10**7),
    layout.BUYING: (0, 10**6),
    layout.OPPOSITE: (*[0] * 9, 40_000),
    layout.OPEN_BUYS: (0, 400),
    layout.BOUGHT: (0, 400),
}
Domains = Mapping[int, Sequence[int]]


def _random_rows(
    random: np.random.Generator, domains: Domains, count: int, width: int
) -> Int64Array:
    rows = np.zeros((count, width), np.int64)
    for column, values in domains.items():
        rows[:, column] = random.choice(np.array(values, np.int64), count)
    return rows


@pytest.mark.parametrize("seed", range(150))
def test_interpreted_kernel_says_of_random_rows_what_the_compiled_one_does(
    interpreted: Callable[..., None],
    seed: int,
) -> None:
    """Whatever the numbers: every branch, and no overflow that only a machine would not see."""
    random = np.random.default_rng(seed)
    market = _random_rows(random, MARKET, 50, layout.MARKET_COLUMNS)
    rules = _random_rows(random, RULES, 20, layout.RULE_COLUMNS)
    state = _random_rows(random, STATE, 1, layout.STATE_COLUMNS)[0]
    intents = _random_rows(random, INTENTS, 30, layout.INTENT_COLUMNS)
    sectors_fen = random.integers(0, 10**7, 3)
    found = []

    for decide in (compiled_decide, interpreted):
        verdicts = np.zeros((len(intents), layout.VERDICT_COLUMNS), np.int64)
        after, sums_fen = state.copy(), sectors_fen.copy()
        decide(intents, market, rules, after, sums_fen, verdicts)
        found.append((verdicts.tolist(), after.tolist(), sums_fen.tolist()))

    assert interpreted is not compiled_decide
    assert found[0] == found[1]


def test_constants_of_the_kernels_are_those_of_the_platform() -> None:
    """A compiled function holds numbers, not enums."""
    limits = layout.LIMIT_UNKNOWN, layout.LIMITED
    phases = (
        layout.PHASE_CLOSED,
        layout.OPEN_CALL,
        layout.CONTINUOUS,
        layout.PHASE_HALTED,
        layout.LOCKED,
        layout.AFTER_HOURS,
    )
    numbers = layout.BPS, layout.E4_PER_FEN, layout.FACE_FEN, layout.RATE_SCALE

    assert limits == (LimitState.UNKNOWN, LimitState.LIMITED)
    assert phases == (
        Phase.CLOSED,
        Phase.OPEN_CALL,
        Phase.CONTINUOUS,
        Phase.HALTED,
        Phase.OPEN_CALL_LOCKED,
        Phase.AFTER_HOURS,
    )
    assert numbers == (
        units.BPS,
        units.PRICE_E4_PER_FEN,
        fees.FACE_VALUE_FEN,
        fees.RATE_SCALE,
    )


def test_every_code_of_a_verdict_has_its_words() -> None:
    """Codes index the table."""
    reasons = [reason for _, reason, _ in desk.VERDICTS]

    assert len(desk.VERDICTS) == layout.NO_VOLATILITY + 1
    assert reasons[layout.ACCEPTED] is Reason.NONE
    assert reasons[layout.NO_CASH] is Reason.NOT_ENOUGH_CASH
    assert reasons[layout.FIRST_ANSWER :] == [
        Reason.INSIDE_BAND,
        Reason.TURNOVER_LIMIT,
        Reason.UNKNOWN_VOLATILITY,
    ]


@given(part=INT64, whole=INT64, limit_bps=st.integers(0, 100_000))
def test_share_of_any_two_numbers_is_compared_exactly(
    part: int,
    whole: int,
    limit_bps: int,
) -> None:
    """Products of 64 bits need more than 64."""
    assert exceeds(part, whole, limit_bps) == exceeds_bps(part, whole, limit_bps)


@given(
    amount_fen=st.integers(1, layout.AMOUNT_MAX_FEN),
    shares=st.integers(1, 10**12),
    rate_e6=st.integers(0, 1_000_000),
    is_bundled=st.booleans(),
    side=st.sampled_from(Side),
    exchange=st.sampled_from(Exchange),
    board=st.sampled_from(Board),
    trade_date=st.sampled_from([2010_01_04, 2014_06_03, 2022_04_28, DATE]),
)
def test_fees_are_those_of_the_schedule(
    *,
    amount_fen: int,
    shares: int,
    rate_e6: int,
    is_bundled: bool,
    side: Side,
    exchange: Exchange,
    board: Board,
    trade_date: int,
) -> None:
    """On a face value too, as Shanghai's transfer fee once was."""
    schedule = FeeSchedule(FeeContract(rate_e6, 500, is_bundled))
    rules = RuleTable(schedule)
    rules.begin_day(trade_date)
    segment = int(exchange) * BOARD_STEP + board
    rules.set_session(segment, Phase.CONTINUOUS, is_caged=True, takes_fixed_price=False)
    rule = rules.table[segment]
    duty_e8 = rule[layout.BUY_DUTY if side is Side.BUY else layout.SELL_DUTY]

    found = order_fees_fen(amount_fen, shares, duty_e8, rule)

    assert (
        found
        == schedule.order_fees(
            side=side,
            amount_fen=amount_fen,
            quantity_shares=shares,
            exchange=exchange,
            board=board,
            trade_date=trade_date,
        ).total_fen
    )


@given(
    board=st.sampled_from(Board),
    prices_e4=st.tuples(*[st.integers(0, 3_000).map(lambda ticks: ticks * 7)] * 3),
    side=st.sampled_from(Side),
    trade_date=st.sampled_from([2020_08_21, 2020_08_24, 2023_04_07, 2023_04_10]),
)
def test_edge_of_the_cage_is_the_rule_books(
    board: Board,
    prices_e4: tuple[int, int, int],
    side: Side,
    trade_date: int,
) -> None:
    """One side's edge, of a table of numbers; a dormant cage has none but in doubt."""
    bid_e4, ask_e4, last_e4 = prices_e4
    references = {
        each: cage_reference_e4(
            side=each, bid_e4=bid_e4, ask_e4=ask_e4, last_e4=last_e4, prev_close_e4=0
        )
        for each in Side
    }
    cage = price_cage(
        board=board,
        trade_date=trade_date,
        buy_reference_e4=references[Side.BUY],
        sell_reference_e4=references[Side.SELL],
    )
    listing = np.zeros(layout.MARKET_COLUMNS, np.int64)
    listing[[layout.BID, layout.ASK, layout.LAST]] = prices_e4

    found = cage_edge_e4(side is Side.BUY, listing, rule_row(board, trade_date))

    is_dormant = cage.rule is not None and cage.rule.value.is_dormant
    if cage.state is LimitState.UNKNOWN:
        assert found == -1
    elif cage.state is LimitState.UNLIMITED or is_dormant:
        assert found == (layout.INT64_MAX if side is Side.BUY else 0)
    else:
        assert found == (cage.buy_cap_e4 if side is Side.BUY else cage.sell_floor_e4)


@given(
    shares=st.integers(-1_000, 1_200_000),
    sellable_shares=st.integers(0, 1_200_000),
    board=st.sampled_from(Board),
    price_e4=st.integers(0, 10**12),
)
def test_lots_and_values_are_the_rule_books(
    shares: int,
    sellable_shares: int,
    board: Board,
    price_e4: int,
) -> None:
    """The same answers as the functions that people ask."""
    rule = rule_row(board, DATE)
    is_sell = is_valid_sell(
        quantity_shares=shares, sellable_shares=sellable_shares, board=board, trade_date=DATE
    )

    assert whole_shares(shares, rule) == round_down_buy(shares, board, trade_date=DATE)
    assert is_sell_lot(shares, sellable_shares, rule) == is_sell
    assert value_of_fen(price_e4, max(shares, 0)) == units.notional_fen(price_e4, max(shares, 0))
