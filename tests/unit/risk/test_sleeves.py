"""Whose shares are whose: strategies' parts of an account."""

from tidegate_common.domain.enums import Reason, Side
from tidegate_risk.engine.sleeves import Sleeves

BANK, LIQUOR = 1600000, 1600519


def _sleeves(**shares: int) -> Sleeves:
    """Return sleeves that have bought the bank, for strategies by name."""
    sleeves, held_shares = Sleeves(), 0
    for name, quantity_shares in shares.items():
        held_shares += quantity_shares
        sleeves.book_fill(
            (name, BANK), Side.BUY, quantity_shares=quantity_shares, held_shares=held_shares
        )
    return sleeves


def test_buys_of_a_strategy_add_up_and_those_of_people_are_nobodys() -> None:
    """Two strategies may hold the same share."""
    sleeves = _sleeves(first=100, second=300)

    sleeves.book_fill(("first", BANK), Side.BUY, quantity_shares=200, held_shares=600)
    sleeves.book_fill(("", BANK), Side.BUY, quantity_shares=500, held_shares=1_100)

    assert sleeves.shares_of("first") == {BANK: 300}
    assert sleeves.shares_of("second") == {BANK: 300}
    assert sleeves.shares_of("") == {}


def test_sell_of_a_strategy_leaves_the_others_alone() -> None:
    """What one wants no more another may still want."""
    sleeves = _sleeves(first=100, second=300)

    sleeves.book_fill(("second", BANK), Side.SELL, quantity_shares=300, held_shares=100)

    assert sleeves.shares_of("first") == {BANK: 100}
    assert sleeves.shares_of("second") == {}


def test_sell_of_people_takes_what_is_nobodys_then_from_strategies_by_name() -> None:
    """No sleeve holds what the account does not."""
    sleeves = _sleeves(second=300, first=100)

    sleeves.book_fill(("", BANK), Side.SELL, quantity_shares=500, held_shares=400)
    before = sleeves.shares_of("first") | {LIQUOR: 0}
    sleeves.book_fill(("", BANK), Side.SELL, quantity_shares=250, held_shares=150)

    assert before == {BANK: 100, LIQUOR: 0}
    assert sleeves.shares_of("first") == {}
    assert sleeves.shares_of("second") == {BANK: 150}


def test_sell_of_more_than_a_strategys_own_takes_the_rest_from_others() -> None:
    """The method threshold sells the account's whole holding."""
    sleeves = _sleeves(first=100, second=300)

    sleeves.book_fill(("second", BANK), Side.SELL, quantity_shares=400, held_shares=0)

    assert sleeves.dump()["shares"] == []


def test_answer_is_news_once_a_day_for_each_reason() -> None:
    """An answer, not a flood."""
    sleeves = Sleeves()
    answers = [(BANK, Reason.INSIDE_BAND), (BANK, Reason.INSIDE_BAND), (LIQUOR, Reason.INSIDE_BAND)]

    today = [sleeves.is_news("first", *answer) for answer in answers]
    sleeves.count_order("first", 100)
    sleeves.count_order("first", 50)
    sleeves.count_order("", 70)
    traded_fen = sleeves.traded_fen
    sleeves.roll_day()

    assert today == [True, False, True]
    assert (traded_fen, sleeves.traded_fen) == ({"first": 150}, {})
    assert sleeves.is_news("first", BANK, Reason.INSIDE_BAND)


def test_load_of_a_dump_dumps_the_same() -> None:
    """Recovery continues with the same sleeves."""
    sleeves = _sleeves(second=300, first=100)
    sleeves.count_order("first", 40_000)
    sleeves.is_news("second", BANK, Reason.TURNOVER_LIMIT)

    loaded = Sleeves.load(sleeves.dump())

    assert loaded.dump() == sleeves.dump()
    assert loaded.answered == {("second", BANK, Reason.TURNOVER_LIMIT)}


def test_new_shares_go_to_the_sleeves_in_proportion_and_rounded_down() -> None:
    """Three for ten of 100 and of 105; what is left of the half share is nobody's."""
    sleeves = _sleeves(first=100, second=105)
    sleeves.book_fill(("first", LIQUOR), Side.BUY, quantity_shares=100, held_shares=100)

    sleeves.grow(BANK, new_shares=61, held_shares=205)

    assert sleeves.shares_of("first") == {BANK: 129, LIQUOR: 100}
    assert sleeves.shares_of("second") == {BANK: 136}
