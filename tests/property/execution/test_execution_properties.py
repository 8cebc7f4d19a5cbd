"""What holds for every market and every stream of orders."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import (
    BeatKind,
    Board,
    Exchange,
    Liquidity,
    OrderStatus,
    OrderType,
    Phase,
    PriceSource,
    Side,
    TimeInForce,
)
from tidegate_common.domain.ids import EXCHANGE_STEP, OrderId
from tidegate_common.domain.units import BPS
from tidegate_common.engine import EngineState
from tidegate_common.events.execution import Fill, OrderUpdate
from tidegate_common.events.orders import SubmitOrder
from tidegate_common.frames.rows import LEVELS, BarRows, QuoteRows, ReferenceRows
from tidegate_common.market.fees import FeeSchedule
from tidegate_execution.engine import ExecutionEngine

if TYPE_CHECKING:
    from tests.property.execution.conftest import Beat, Laboratory

# As the laboratory has them.
DOWN_E4, UP_E4, TICK_E4 = 99_700, 100_300, 100
INSTRUMENTS = (1600519, 2000333, 2300750)
TRADE_DATE = 2026_07_06
PARTICIPATION_BPS = 2_000

thorough = settings(max_examples=80, deadline=None)


@thorough
@given(data=st.data())
def test_orders_and_fills_agree_on_quantities(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """Nothing fills more than it ordered, and states say what the fills add up to."""
    beats = data.draw(laboratory.runs)
    outcome = laboratory.play(beats)

    filled: dict[OrderId, int] = defaultdict(int)
    final: dict[OrderId, OrderStatus] = {}
    for report in outcome.reports:
        for fill in report.fills:
            filled[fill.order_id] += fill.quantity_shares
            assert fill.quantity_shares > 0
        assert len({update.order_id for update in report.updates}) == len(report.updates)
        for update in report.updates:
            ordered = outcome.orders[update.order_id].quantity_shares
            assert not final.get(update.order_id, OrderStatus.NEW).is_terminal
            assert update.cumulative_shares == filled[update.order_id] <= ordered
            is_over = update.status.is_terminal
            assert update.leaves_shares == (0 if is_over else ordered - update.cumulative_shares)
            assert (update.status is OrderStatus.FILLED) == (update.cumulative_shares == ordered)
            final[update.order_id] = update.status
    assert set(final) == set(outcome.orders)
    assert all(status.is_terminal for status in final.values())


@thorough
@given(data=st.data())
def test_fills_stay_within_limit_price_and_daily_limit(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """No price is worse than what was asked for, or than the day allows."""
    beats = data.draw(laboratory.runs)
    outcome = laboratory.play(beats)

    for fill in outcome.fills:
        limit_e4 = outcome.orders[fill.order_id].price_e4
        assert DOWN_E4 <= fill.price_e4 <= UP_E4
        if limit_e4:
            worse = fill.price_e4 - limit_e4
            assert (worse if fill.side is Side.BUY else -worse) <= 0


@thorough
@given(data=st.data())
def test_suspended_instrument_never_fills(laboratory: "Laboratory", data: st.DataObject) -> None:
    """All its orders are rejected."""
    beats = data.draw(laboratory.runs)
    outcome = laboratory.play(beats)

    assert INSTRUMENTS[2] not in {fill.instrument for fill in outcome.fills}
    assert {update.status for update in outcome.updates if update.instrument == INSTRUMENTS[2]} <= {
        OrderStatus.REJECTED
    }


@thorough
@given(data=st.data())
def test_level_fills_stay_within_the_displayed_shares(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """We take no more than is displayed, over beats in which the display does not change."""
    beats = data.draw(laboratory.tick_days)
    taken: dict[tuple[int, Side, int], int] = defaultdict(int)
    shown: dict[tuple[int, Side, int], int] = {}
    outcome = laboratory.play(beats)

    for beat, report in zip(outcome.beats, outcome.reports, strict=True):
        levels = [fill for fill in report.fills if fill.source is PriceSource.LEVEL]
        if not isinstance(beat.frame.rows, QuoteRows):
            assert levels == []
            continue
        displayed = displayed_shares(beat.frame.rows)
        for place, shares in displayed.items():
            if shown.get(place) != shares:
                taken[place] = 0
        shown |= displayed
        for fill in levels:
            side = [one for one in levels if one.instrument == fill.instrument]
            side = [one for one in side if one.side is fill.side and is_within(one.price_e4, fill)]
            free_shares = sum(
                shares - taken[place]
                for place, shares in displayed.items()
                if place[:2] == (fill.instrument, fill.side) and is_within(place[2], fill)
            )
            assert sum(one.quantity_shares for one in side) <= free_shares
        for place, shares in taken_by_price(levels).items():
            taken[place] += shares
            assert taken[place] <= displayed[place]


def is_within(price_e4: int, fill: Fill) -> bool:
    """Tell whether a level is at a fill's price or better for it."""
    return price_e4 <= fill.price_e4 if fill.side is Side.BUY else price_e4 >= fill.price_e4


def displayed_shares(rows: QuoteRows) -> dict[tuple[int, Side, int], int]:
    """Return the shares that buys and sells may take, by instrument, side of ours and price.

    A price that the five levels would show, if anything stood there, is there with 0 shares.
    """
    shown: dict[tuple[int, Side, int], int] = {}
    for row, number in enumerate(rows.instrument.tolist()):
        if rows.phase[row] != Phase.CONTINUOUS:
            continue
        for side, prices, shares in (
            (Side.BUY, rows.ask_price_e4[row], rows.ask_shares[row]),
            (Side.SELL, rows.bid_price_e4[row], rows.bid_shares[row]),
        ):
            pairs = zip(prices.tolist(), shares.tolist(), strict=True)
            levels = {price: size for price, size in pairs if size}
            is_full = len(levels) == LEVELS
            for price in range(DOWN_E4, UP_E4 + TICK_E4, TICK_E4):
                worst = (max if side is Side.BUY else min)(levels, default=0)
                is_beyond = price > worst if side is Side.BUY else price < worst
                if not (is_full and is_beyond):
                    shown[number, side, price] = levels.get(price, 0)
    return shown


def taken_by_price(fills: list[Fill]) -> dict[tuple[int, Side, int], int]:
    """Return what takers paid for, by instrument, side and price."""
    taken: dict[tuple[int, Side, int], int] = defaultdict(int)
    for fill in fills:
        if fill.liquidity is Liquidity.TAKER:
            taken[fill.instrument, fill.side, fill.price_e4] += fill.quantity_shares
    return taken


@thorough
@given(data=st.data())
def test_queue_fills_stay_within_the_participation_cap(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """All our passive fills together are a bounded share of what traded."""
    beats = data.draw(laboratory.tick_days)
    outcome = laboratory.play(beats)

    last: dict[int, int] = dict.fromkeys(INSTRUMENTS, 0)
    for beat, report in zip(outcome.beats, outcome.reports, strict=True):
        rows = beat.frame.rows
        got: dict[int, int] = defaultdict(int)
        for fill in report.fills:
            if fill.source is PriceSource.QUEUE:
                got[fill.instrument] += fill.quantity_shares
        if isinstance(rows, QuoteRows):
            volumes = dict(
                zip(rows.instrument.tolist(), rows.volume_shares.tolist(), strict=True),
            )
            for number, shares in got.items():
                traded = volumes[number] - last[number]
                assert shares <= traded * PARTICIPATION_BPS // BPS
            last |= volumes
        else:
            assert not got


@thorough
@given(data=st.data())
def test_fills_at_one_price_for_all_stay_within_the_participation_cap(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """After hours that is the last price; of an auction each side has one, never a better one."""
    beats = data.draw(laboratory.tick_days)
    outcome = laboratory.play(beats)

    phases: dict[int, int] = {}
    last: dict[int, int] = {}
    for beat, report in zip(outcome.beats, outcome.reports, strict=True):
        rows = beat.frame.rows
        fills = [
            fill
            for fill in report.fills
            if fill.source in {PriceSource.AUCTION, PriceSource.FIXED_PRICE}
        ]
        if not isinstance(rows, QuoteRows):
            assert fills == []
            continue
        for row, number in enumerate(rows.instrument.tolist()):
            mine = [fill for fill in fills if fill.instrument == number]
            traded = int(rows.volume_shares[row]) - last.get(number, 0)
            for source in {fill.source for fill in mine}:
                got = sum(fill.quantity_shares for fill in mine if fill.source is source)
                assert got <= traded * PARTICIPATION_BPS // BPS
                assert (phases[number] == Phase.AFTER_HOURS) is (source is PriceSource.FIXED_PRICE)
                for side in Side:
                    prices_e4 = {each.price_e4 for each in mine if each.side is side}
                    assert_one_price(prices_e4, int(rows.last_e4[row]), side, source)
            last[number] = int(rows.volume_shares[row])
            phases[number] = int(rows.phase[row])


def assert_one_price(prices_e4: set[int], last_e4: int, side: Side, source: PriceSource) -> None:
    """Hold the prices of the fills of a side to the last price."""
    assert len(prices_e4) <= 1
    for price_e4 in prices_e4:
        is_fixed = source is PriceSource.FIXED_PRICE
        is_no_better = price_e4 >= last_e4 if side is Side.BUY else price_e4 <= last_e4
        assert price_e4 == last_e4 if is_fixed else is_no_better


@thorough
@given(data=st.data())
def test_fill_or_kill_order_is_filled_as_a_whole_or_not_at_all(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """In one beat, whatever it meets."""
    beats = data.draw(laboratory.runs)
    outcome = laboratory.play(beats)

    filled: dict[OrderId, set[tuple[int, int]]] = defaultdict(set)
    for update in outcome.updates:
        filled[update.order_id].add((update.beat, update.cumulative_shares))
    for number, order in outcome.orders.items():
        if order.time_in_force is TimeInForce.FOK:
            counts = {count for _, count in filled[number]}
            assert counts <= {0, order.quantity_shares}
            assert len({fill.beat for fill in outcome.fills if fill.order_id == number}) <= 1


@thorough
@given(data=st.data())
def test_bar_fills_stay_within_the_participation_cap(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """At the open the last traded day's volume counts, over the day its own."""
    beats = data.draw(laboratory.bar_days)
    outcome = laboratory.play(beats)

    known: dict[int, int] = dict.fromkeys(INSTRUMENTS, 0)
    opened: dict[int, int] = {}
    for beat, report in zip(outcome.beats, outcome.reports, strict=True):
        got: dict[int, int] = dict.fromkeys(INSTRUMENTS, 0)
        for fill in report.fills:
            got[fill.instrument] += fill.quantity_shares
        rows = beat.frame.rows
        if isinstance(rows, BarRows):
            volumes = dict(
                zip(rows.instrument.tolist(), rows.volume_shares.tolist(), strict=True),
            )
            for number, shares in got.items():
                cap = volumes[number] * PARTICIPATION_BPS // BPS
                assert shares <= max(0, cap - opened[number])
                known[number] = volumes[number] or known[number]
        else:
            opened = got
            assert all(
                shares <= known[number] * PARTICIPATION_BPS // BPS for number, shares in got.items()
            )


@thorough
@given(data=st.data())
def test_bars_fill_nobody_against_a_lock_or_at_a_mere_touch(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """No buy at the limit-up, no sell at the limit-down; inside a bar only what it went through."""
    beats = data.draw(laboratory.bar_days)
    outcome = laboratory.play(beats)

    for beat, report in zip(outcome.beats, outcome.reports, strict=True):
        rows = beat.frame.rows
        for fill in report.fills:
            row = int(np.searchsorted(rows.instrument, fill.instrument))
            if isinstance(rows, ReferenceRows):
                lowest_e4 = highest_e4 = int(rows.open_e4[row])
            else:
                assert isinstance(rows, BarRows)
                lowest_e4, highest_e4 = int(rows.low_e4[row]), int(rows.high_e4[row])
            is_buy = fill.side is Side.BUY
            assert lowest_e4 < UP_E4 if is_buy else highest_e4 > DOWN_E4
            if fill.source is PriceSource.BAR:
                assert lowest_e4 < fill.price_e4 if is_buy else highest_e4 > fill.price_e4


@thorough
@given(data=st.data())
def test_level_fill_of_an_order_means_that_those_before_it_are_filled(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """Who has the better price, or the same and was earlier, takes the displayed shares first.

    Of orders that name a price, or all of the five levels; fill-or-kill may give way.
    """
    beats = data.draw(laboratory.tick_days)
    outcome = laboratory.play(beats)
    working: dict[OrderId, SubmitOrder] = {}

    for beat, report in zip(outcome.beats, outcome.reports, strict=True):
        working |= {order.order_id: order for order in beat.submits if is_ranked(order)}
        status = {update.order_id: update.status for update in report.updates}
        levels = {fill.order_id for fill in report.fills if fill.source is PriceSource.LEVEL}
        takers = levels & set(working)
        gone = {OrderStatus.REJECTED, OrderStatus.FILLED}
        for taker in (working[number] for number in sorted(takers)):
            for other in working.values():
                is_rival = (other.instrument, other.side) == (taker.instrument, taker.side)
                is_taken_back = other.order_id in {cancel.order_id for cancel in beat.cancels}
                if is_rival and not is_taken_back and rank(other) < rank(taker):
                    assert status.get(other.order_id) in gone
        for number, state in status.items():
            if state.is_terminal:
                working.pop(number, None)


def is_ranked(order: SubmitOrder) -> bool:
    """Tell whether an order's priority is known before it meets the book."""
    is_known = order.order_type in {OrderType.LIMIT, OrderType.MARKET}
    return is_known and order.time_in_force is not TimeInForce.FOK


def rank(order: SubmitOrder) -> tuple[int, int, str, int]:
    """Return price-time priority, written down once more."""
    worst_e4 = UP_E4 if order.side is Side.BUY else DOWN_E4
    price_e4 = order.price_e4 or worst_e4
    price = -price_e4 if order.side is Side.BUY else price_e4
    return (price, order.beat, order.account_id, order.sequence)


@thorough
@given(data=st.data())
def test_fees_of_an_order_are_those_of_its_turnover(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """Rounding and the minimum are per order, however many fills it took."""
    beats = data.draw(laboratory.runs)
    outcome = laboratory.play(beats)

    schedule = FeeSchedule(laboratory.spec.commission.contract())
    by_order: dict[OrderId, list[Fill]] = defaultdict(list)
    for fill in outcome.fills:
        by_order[fill.order_id].append(fill)
    for number, fills in by_order.items():
        expected = schedule.order_fees(
            side=outcome.orders[number].side,
            amount_fen=sum(fill.amount_fen for fill in fills),
            quantity_shares=sum(fill.quantity_shares for fill in fills),
            exchange=Exchange(fills[0].instrument // EXCHANGE_STEP),
            board=Board.MAIN,
            trade_date=TRADE_DATE,
        )
        assert sum(fill.commission_fen for fill in fills) == expected.commission_fen
        assert sum(fill.stamp_duty_fen for fill in fills) == expected.stamp_duty_fen
        assert sum(fill.transfer_fee_fen for fill in fills) == expected.transfer_fee_fen
        assert sum(fill.handling_fee_fen for fill in fills) == expected.handling_fee_fen
        assert sum(fill.regulatory_fee_fen for fill in fills) == expected.regulatory_fee_fen
        assert sum(fill.fee_fen for fill in fills) == expected.total_fen
        assert [fill.fill_id for fill in fills] == [f"{number}.{k}" for k in range(len(fills))]


@thorough
@given(data=st.data(), cut=st.integers(0, 8))
def test_restore_of_a_snapshot_changes_nothing(
    laboratory: "Laboratory",
    data: st.DataObject,
    cut: int,
) -> None:
    """A crash after any beat, with the memory written as JSON, must not show."""
    beats = data.draw(laboratory.runs)
    first, second = beats[:cut], beats[cut:]
    engine = ExecutionEngine(laboratory.spec)
    laboratory.play(first, engine)
    state = engine.snapshot()
    values = decode_event(dict[str, object], encode_event(state.values))
    twin = ExecutionEngine(laboratory.spec)

    twin.restore(EngineState(values, state.arrays))

    assert laboratory.play(second, twin).reports == laboratory.play(second, engine).reports
    assert encode_event(twin.snapshot().values) == encode_event(engine.snapshot().values)


@thorough
@given(data=st.data())
def test_instruments_split_over_two_engines_fill_alike(
    laboratory: "Laboratory",
    data: st.DataObject,
) -> None:
    """Shards are invisible in the outcome; so is the order in which orders come in."""
    beats = data.draw(laboratory.runs)
    whole = laboratory.play(beats)

    parts = [
        laboratory.play([only(beat, lambda number: number == INSTRUMENTS[0]) for beat in beats]),
        laboratory.play([only(beat, lambda number: number != INSTRUMENTS[0]) for beat in beats]),
    ]

    for report, *others in zip(whole.reports, *(part.reports for part in parts), strict=True):
        fills = [fill for other in others for fill in other.fills]
        updates = [update for other in others for update in other.updates]
        assert sorted(fills, key=fill_rank) == list(report.fills)
        assert sorted(updates, key=update_rank) == list(report.updates)


def only(beat: "Beat", is_mine: Callable[[int], bool]) -> "Beat":
    """Return a beat as one shard sees it, its orders the other way round."""
    rows = beat.frame.rows
    chosen = np.array([is_mine(number) for number in rows.instrument.tolist()], np.bool_)
    return replace(
        beat,
        frame=replace(beat.frame, rows=rows.take(chosen)),
        submits=tuple(order for order in reversed(beat.submits) if is_mine(order.instrument)),
        cancels=tuple(cancel for cancel in beat.cancels if is_mine(cancel.instrument)),
    )


def fill_rank(fill: Fill) -> tuple[str, int, int]:
    """Return the order in which fills are told; those of one order stay as they are."""
    return (fill.account_id, fill.order_beat, fill.sequence)


def update_rank(update: OrderUpdate) -> tuple[str, int, int]:
    """Return the order in which updates are told."""
    return (update.account_id, int(update.order_id.split(".")[1]), update.sequence)


@pytest.mark.parametrize("kind", [BeatKind.TICK, BeatKind.CLOSE])
def test_strategies_make_fills_of_every_source(laboratory: "Laboratory", kind: BeatKind) -> None:
    """A property over runs in which nothing happens would hold for ever."""
    runs = laboratory.tick_days if kind is BeatKind.TICK else laboratory.bar_days
    found: set[PriceSource] = set()

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(runs)
    def collect(beats: "list[Beat]") -> None:
        found.update(fill.source for fill in laboratory.play(beats).fills)

    collect()

    expected = {
        BeatKind.TICK: set(PriceSource) - {PriceSource.BAR_OPEN, PriceSource.BAR},
        BeatKind.CLOSE: {PriceSource.BAR_OPEN, PriceSource.BAR},
    }
    assert found == expected[kind]
