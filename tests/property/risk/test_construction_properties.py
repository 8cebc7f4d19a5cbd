"""Whatever strategies say: targets fit the capital, sells the board, sleeves the account."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.risk.scenario import rule_row, score_batch

from tidegate_common.domain.enums import BeatKind, Board, ConstructionMethod, Side
from tidegate_common.domain.ids import RunId
from tidegate_common.events.run import ConstructionSpec
from tidegate_common.frames.frame import BeatStamp
from tidegate_common.market.lots import is_valid_sell
from tidegate_risk.engine.sizing import largest_sell_shares
from tidegate_risk.engine.sleeves import Sleeves
from tidegate_risk.engine.targets import capital_fen, read_lists, targets_of

DATE = 20240603
STAMP = BeatStamp(RunId("run"), 1, BeatKind.TICK, DATE, 0)
INSTRUMENTS = st.integers(1600000, 1600012)
SCORES = st.dictionaries(INSTRUMENTS, st.integers(-1_000_000, 1_000_000), min_size=1)
RULES = {board: rule_row(board, DATE) for board in (Board.MAIN, Board.STAR, Board.BSE)}
HELD = st.dictionaries(INSTRUMENTS, st.integers(1, 10**10), max_size=5)
FILLS = st.lists(
    st.tuples(st.sampled_from(["", "first", "second"]), st.integers(-5, 5).filter(bool)),
)


@given(
    scores=SCORES,
    volatility_e6=st.dictionaries(INSTRUMENTS, st.integers(-1, 2_000_000)),
    held_fen=HELD,
    method=st.sampled_from(ConstructionMethod),
    nav_fen=st.integers(-100, 10**11),
    top_n=st.integers(1, 8),
)
def test_targets_and_what_is_left_alone_fit_the_capital(
    *,
    scores: dict[int, int],
    volatility_e6: dict[int, int],
    held_fen: dict[int, int],
    method: ConstructionMethod,
    nav_fen: int,
    top_n: int,
) -> None:
    """Nothing is wanted twice, nothing short, and each holding is kept, wanted or sold."""
    spec = ConstructionSpec(method=method, top_n=top_n)
    listed = read_lists(score_batch(STAMP, {"cross": scores}, volatility_e6), ("cross",), spec)[0]
    budget_fen = capital_fen(nav_fen, 6_000, spec.cash_buffer_bps)

    targets = targets_of(listed, held_fen, budget_fen=budget_fen, top_n=top_n)

    left = [each for each in held_fen if each not in targets.value_fen]
    left_fen = sum(held_fen[each] for each in left)
    assert min(targets.value_fen.values(), default=0) >= 0
    assert sum(targets.value_fen.values()) <= max(0, budget_fen - left_fen)
    assert all(each not in scores or each in targets.unknown for each in left)
    assert all(scores[each] > 0 for each, value in targets.value_fen.items() if value)
    assert len([value for value in targets.value_fen.values() if value]) <= top_n


@given(
    wanted_shares=st.integers(-10, 700),
    sellable_shares=st.integers(0, 700),
    board=st.sampled_from(list(RULES)),
)
def test_largest_sell_is_the_largest_that_the_board_takes(
    wanted_shares: int,
    sellable_shares: int,
    board: Board,
) -> None:
    """Against the rule itself, quantity by quantity."""
    valid = [
        shares
        for shares in range(1, wanted_shares + 1)
        if is_valid_sell(
            quantity_shares=shares,
            sellable_shares=sellable_shares,
            board=board,
            trade_date=DATE,
        )
    ]

    found = largest_sell_shares(wanted_shares, sellable_shares, RULES[board])

    assert found == max(valid, default=0)


@given(fills=FILLS)
def test_sleeves_never_hold_more_than_the_account(fills: list[tuple[str, int]]) -> None:
    """Nor less than nothing, and a memory that was written down goes on as if it were not."""
    sleeves, held_shares = Sleeves(), 0
    for name, change in fills:
        change_shares = max(change, -held_shares)
        held_shares += change_shares
        sleeves.book_fill(
            (name, 1600000),
            Side.BUY if change > 0 else Side.SELL,
            quantity_shares=abs(change_shares),
            held_shares=held_shares,
        )

        parts = [sleeves.shares_of(each).get(1600000, 0) for each in ("first", "second")]

        assert min(parts) >= 0
        assert sum(parts) <= held_shares
        assert Sleeves.load(sleeves.dump()).dump() == sleeves.dump()
