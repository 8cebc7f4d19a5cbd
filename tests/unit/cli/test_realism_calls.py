"""Children in recorded call auctions, made by hand, and the document about all of it."""

from pathlib import Path

import pytest
from tests.unit.cli.recorded_streams import (
    TRADE_DATE,
    Message,
    add,
    delete,
    seconds_ns,
    stream_of,
    trade,
)

from tidegate_cli.realism.book import RecordedBook
from tidegate_cli.realism.calls import (
    CALL_TIMES,
    CallName,
    OrderedCall,
    QuotedCall,
    calls_of,
    hold,
)
from tidegate_cli.realism.children import CallKind, Child, ChildKind, Result
from tidegate_cli.realism.comparing import SPECS, ComparedCall, ComparedDay, Realism
from tidegate_cli.realism.day import RecordedDay, quote_frame, tick_stamp
from tidegate_cli.realism.quoted_days import call_frames, read_quoted_calls
from tidegate_cli.realism.report import realism_document, realism_plot
from tidegate_cli.realism.simulation import Compared, simulate
from tidegate_common.domain.enums import Phase, Side
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import ExecutionSpec
from tidegate_common.frames.rows import QuoteRows

AT = 100_000
MATCHED_AT = seconds_ns(9, 25)


def test_held_auction_matches_the_most_shares() -> None:
    """Whoever is better than its price trades; nobody trades at a worse one."""
    demand = {100_200: 300, 100_000: 200, 99_900: 900}
    supply = {99_800: 200, 100_000: 250, 100_300: 700}

    assert hold(demand, supply) == (100_000, 450)


def test_held_auction_of_prices_that_match_alike_leaves_the_fewest() -> None:
    """At 100,000 all 500 sold are bought; at 99,900 300 more would like to buy."""
    assert hold({100_000: 500, 99_900: 300}, {99_900: 500}) == (100_000, 500)


def test_held_auction_of_prices_that_are_alike_takes_the_middle_one() -> None:
    """Any of the three matches all and leaves nobody."""
    assert hold({100_200: 500}, {100_000: 500, 100_100: 0}) == (100_100, 500)


def test_held_auction_fills_all_that_is_better_than_its_price() -> None:
    """200 shares stay wanted at 10.03, so at no lower price."""
    demand = {100_300: 500, 100_200: 0, 100_100: 0}

    assert hold(demand, {100_000: 300}) == (100_300, 300)


def child_of(side: Side, price_e4: int, quantity_shares: int = 100, beat: int = 0) -> Child:
    """Return a child of a call."""
    sign = 1 if side is Side.BUY else -1
    if price_e4 == AT:
        kind = CallKind.AT
    else:
        kind = CallKind.BETTER if sign * price_e4 > sign * AT else CallKind.WORSE
    return Child(kind, side, beat, price_e4, quantity_shares)


def ordered_call() -> OrderedCall:
    """Return a call in which 600 shares are sold at 10.00, and 400 more were wanted there."""
    return OrderedCall(
        price_e4=AT,
        bids={AT + 100: {1: 200}, AT: {2: 300, 5: 500}},
        asks={AT - 100: {3: 600}, AT + 300: {4: 800}},
        latest=(3, 9),
    )


@pytest.mark.parametrize(
    ("child", "filled_shares", "price_e4"),
    [
        (child_of(Side.BUY, AT + 100), 100, AT),
        (child_of(Side.BUY, AT, 300), 100, AT),
        (child_of(Side.BUY, AT, 300, beat=1), 0, 0),
        (child_of(Side.BUY, AT - 100), 0, 0),
        (child_of(Side.BUY, AT + 400, 1_000), 1_000, AT + 300),
        (child_of(Side.BUY, AT + 400, 2_000), 1_400, AT + 400),
        (child_of(Side.SELL, AT, 700), 400, AT),
        (child_of(Side.SELL, AT - 100, 700, beat=1), 400, AT - 100),
        (child_of(Side.SELL, AT + 100), 0, 0),
    ],
)
def test_child_of_a_held_auction_fills_by_price_and_then_by_time(
    child: Child,
    filled_shares: int,
    price_e4: int,
) -> None:
    """A large one moves the price; one that came later waits behind those who were there."""
    sent = ordered_call().sent(child, MATCHED_AT)

    assert sent.reference.filled_shares == filled_shares
    assert sent.reference.value_e4 == filled_shares * price_e4
    assert sent.unknown_shares == 0


@pytest.mark.parametrize(
    ("child", "least_shares", "unknown_shares"),
    [
        (child_of(Side.BUY, AT + 100, 5_000), 600, 0),
        (child_of(Side.SELL, AT - 100, 500), 500, 0),
        (child_of(Side.BUY, AT, 100), 50, 50),
        (child_of(Side.SELL, AT, 1_000), 400, 600),
        (child_of(Side.BUY, AT - 100), 0, 0),
    ],
)
def test_child_of_a_quoted_auction_gets_at_least_what_was_left(
    child: Child,
    least_shares: int,
    unknown_shares: int,
) -> None:
    """At the very price nobody can tell who came first."""
    call = QuotedCall(AT, matched_shares=600, left_bid_shares=400, left_ask_shares=50)

    sent = call.sent(child, MATCHED_AT)

    assert sent.reference.filled_shares == least_shares
    assert sent.unknown_shares == unknown_shares


def call_messages() -> list[Message]:
    """Return a day of two auctions, at 10.00 and at 9.90, with a trade between them."""
    closing = seconds_ns(15, 0)
    return [
        add(1, AT, 1_000, is_buy=True, at=seconds_ns(9, 15, 30)),
        add(2, AT, 800, is_buy=False, at=seconds_ns(9, 17)),
        add(3, AT + 100, 300, is_buy=False, at=seconds_ns(9, 21)),
        delete(3, 300, at=seconds_ns(9, 24, 50), is_buy=False),
        trade(AT, 800, buy=1, sell=2, is_buy=False, at=MATCHED_AT),
        trade(AT, 200, buy=1, sell=4, is_buy=False, at=seconds_ns(10, 0)),
        add(6, AT - 1_000, 500, is_buy=True, at=seconds_ns(14, 57, 10)),
        add(7, AT - 1_000, 900, is_buy=False, at=seconds_ns(14, 59)),
        trade(AT - 1_000, 500, buy=6, sell=7, is_buy=False, at=closing),
    ]


def test_recorded_calls_of_a_day_are_quoted_as_the_simulator_needs_them() -> None:
    """A quote when children come, none displayed in the call, the outcome at its end."""
    opening, closing = calls_of(stream_of(call_messages()), is_whole=True)

    said = [
        [
            (rows.phase.tolist(), rows.last_e4.tolist(), rows.volume_shares.tolist())
            for frame in call.day.frames
            if isinstance(rows := frame.rows, QuoteRows)
        ]
        for call in (opening, closing)
    ]
    assert (opening.name, closing.name) == (CallName.OPENING, CallName.CLOSING)
    assert said[0] == [([1], [0], [0])] * 3 + [([2], [AT], [800])]
    assert said[1] == [([5], [AT], [1_000])] * 3 + [([0], [AT - 1_000], [1_500])]
    after = opening.day.frames[-1].rows
    assert isinstance(after, QuoteRows)
    assert (after.bid_price_e4[0, 0], after.bid_shares[0, 0]) == (AT, 200)
    assert after.ask_price_e4.sum() == 0


def test_recorded_call_sends_children_around_its_price() -> None:
    """A buyer at the price fills behind who came first, a seller by what buyers had left."""
    opening, _ = calls_of(stream_of(call_messages()), is_whole=True)

    at = {
        (sent.child.side, sent.child.beat, sent.child.quantity_shares): sent
        for sent in opening.day.sent
        if sent.child.kind is CallKind.AT
    }
    assert len(opening.day.sent) == 3 * 2 * 5 * 3
    assert at[Side.BUY, 0, 100].reference.filled_shares == 0
    assert at[Side.SELL, 0, 100].reference.filled_shares == 100
    assert at[Side.SELL, 2, 1_000].reference.filled_shares == 200


def test_child_of_a_call_is_filled_by_the_simulator_from_what_is_left() -> None:
    """At the price it never gets more than the record gives at least."""
    opening, _ = calls_of(stream_of(call_messages()), is_whole=False)

    compared = simulate(opening.day, ExecutionSpec(participation_bps_max=10_000))

    at = [each for each in compared if each.child.kind is CallKind.AT]
    assert [each.simulated.filled_shares for each in at] == [
        each.reference.filled_shares for each in at
    ]
    assert sum(each.simulated.filled_shares for each in at) == 3 * (100 + 200 + 200)
    assert sum(each.unknown_shares for each in at) == 3 * (6_100 + 800 + 4_800)


def quotes_of(*said: tuple[int, Phase]) -> list[tuple[int, QuoteRows]]:
    """Return quotes of a book, by time and phase."""
    quotes = []
    for number, (ts_event_ns, phase) in enumerate(said):
        stamp = tick_stamp(TRADE_DATE, number=number, ts_event_ns=ts_event_ns)
        rows = quote_frame(1600519, RecordedBook(), stamp=stamp, phase=phase).rows
        assert isinstance(rows, QuoteRows)
        quotes.append((ts_event_ns, rows))
    return quotes


def test_frames_of_a_quoted_call_are_the_last_before_each_arrival_and_the_first_after() -> None:
    """Children come at 09:16:00, 09:19:30 and 09:24:30."""
    call = Phase.OPEN_CALL
    quotes = quotes_of(
        (seconds_ns(9, 15), call),
        (seconds_ns(9, 15, 57), call),
        (seconds_ns(9, 19, 30), call),
        (seconds_ns(9, 24, 33), call),
        (MATCHED_AT, Phase.PAUSE),
        (seconds_ns(9, 25, 3), Phase.PAUSE),
    )

    frames = call_frames(quotes, CALL_TIMES[CallName.OPENING])

    assert [frame.stamp.ts_event_ns for frame in frames] == [
        seconds_ns(9, 15, 57),
        seconds_ns(9, 19, 30),
        seconds_ns(9, 19, 30),
        MATCHED_AT,
    ]
    assert [frame.stamp.beat for frame in frames] == [1, 2, 3, 4]


def test_quoted_calls_of_a_directory_without_recordings_are_a_mistake(tmp_path: Path) -> None:
    """A slip in the directory's name must not write an empty report."""
    with pytest.raises(ConfigError):
        read_quoted_calls(tmp_path)


def compared_day(day: RecordedDay, simulated_shares: int) -> ComparedDay:
    """Return a day with two children of each kind, of which the record filled half."""
    children = [
        Compared(
            Child(kind, side, 0, AT, 100),
            Result(50, 50 * AT, 1, 1),
            Result(simulated_shares, simulated_shares * AT, 1, 1),
        )
        for kind in (*ChildKind, *CallKind)
        for side in Side
    ]
    return ComparedDay(day, children)


def realism_of(simulated_shares: int) -> Realism:
    """Return a comparison in which the simulator fills so much of every child of 100 shares."""
    opening, closing = calls_of(stream_of(call_messages()), is_whole=True)
    compared = compared_day(opening.day, simulated_shares)
    calls = tuple(ComparedCall(call.name, compared) for call in (opening, closing))
    return Realism(
        days=dict.fromkeys(SPECS, (compared,)),
        shenzhen=dict.fromkeys(SPECS, compared),
        thinned=(compared,),
        held_calls=calls,
        quoted_calls=calls,
    )


def test_realism_document_says_what_is_filled_and_which_way_it_errs() -> None:
    """A reader must not have to reckon."""
    text = realism_document(realism_of(20))

    row = "| 600519.SH 2023-02-01 | cross | 2 | 50.0% | 20.0% | -30.0 ± 0.0 points |"
    assert row in text
    assert "| 600519.SH 2023-02-01 | closing | at | 2 | 50.0% | 20.0% |" in text
    assert "| opening | better | 2 | 50.0% | 50.0% | 20.0% |" in text
    assert "**Passive orders fill less than they would have**" in text
    assert "orders `better` than the price are not optimistic" in text
    assert "Not less, by default settings" not in text
    assert max(map(len, text.splitlines()[4:18])) <= 96


def test_realism_document_of_an_optimistic_simulator_says_so() -> None:
    """Its words follow the figures."""
    text = realism_document(realism_of(90))

    assert "**Passive orders fill NOT always less than they would have**" in text
    assert "orders `better` than the price are **optimistic**" in text
    assert "600519.SH 2023-02-01 `join`, +40.0 ± 0.0 points" in text.replace("\n  ", " ")


def test_realism_plot_draws_each_kind_of_each_day() -> None:
    """Two days and all auctions, two bars each; a canvas and a legend."""
    plot = realism_plot(realism_of(20))

    assert plot.count("<rect") == 1 + 2 + 2 * (2 * len(ChildKind) + len(CallKind))
