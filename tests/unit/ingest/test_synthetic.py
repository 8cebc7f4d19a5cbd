"""The generated market looks like a market, and is the same every time."""

from collections.abc import Iterable
from itertools import islice

import numpy as np
import pytest

from tidegate_common.domain.enums import BeatKind, LimitState, Phase
from tidegate_common.domain.ids import RunId
from tidegate_common.events.run import SyntheticSpec
from tidegate_common.frames.checks import check_rows
from tidegate_common.frames.codec import encode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_ingest.engine.synthetic.market import SyntheticMarket

RUN = RunId("r")
# So many beats that every phase has one.
SPEC = SyntheticSpec(seed=7, instrument_count=100, day_count=2, beats_per_day=260)
DAY_BEATS = SPEC.beats_per_day + 2
# Coding is what takes time: one beat in seven stands for all.
EVERY = 7


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """Return two days of a market of a hundred shares."""
    return list(SyntheticMarket(SPEC).frames(RUN))


def _encode(frames: Iterable[Frame]) -> list[bytes]:
    return [encode_frame(frame) for frame in islice(frames, 0, None, EVERY)]


def _day(frames: list[Frame], number: int) -> tuple[ReferenceRows, list[QuoteRows], BarRows]:
    opening, *ticks, closing = frames[number * DAY_BEATS : (number + 1) * DAY_BEATS]
    assert isinstance(opening.rows, ReferenceRows)
    assert isinstance(closing.rows, BarRows)
    quotes = [each.rows for each in ticks if isinstance(each.rows, QuoteRows)]
    return opening.rows, quotes, closing.rows


def _quotes(frames: list[Frame], number: int) -> QuoteRows:
    return QuoteRows.concat(_day(frames, number)[1])


def test_synthetic_markets_of_one_spec_are_the_same_bytes(frames: list[Frame]) -> None:
    """A demo that changes from run to run proves nothing."""
    again = _encode(SyntheticMarket(SPEC).frames(RUN))

    assert again == _encode(frames)


def test_synthetic_markets_of_another_seed_differ() -> None:
    """The seed is the only source of chance, its upper half as well as its lower one."""
    seeds = (7, 8, 7 + (1 << 32))

    openings = {
        encode_frame(next(SyntheticMarket(SyntheticSpec(seed=seed)).frames(RUN))) for seed in seeds
    }

    assert len(openings) == len(seeds)


def test_synthetic_days_from_a_later_one_on_are_those_of_the_whole_run(
    frames: list[Frame],
) -> None:
    """To seek a day needs no beat of the days before it."""
    later = _encode(SyntheticMarket(SPEC).frames(RUN, first_day=1))

    assert later == _encode(frames[DAY_BEATS:])


def test_synthetic_closes_do_not_hang_on_the_beats(frames: list[Frame]) -> None:
    """Who wants many days takes few beats, and gets the same days."""
    spec = SyntheticSpec(seed=7, instrument_count=100, day_count=2, beats_per_day=1)

    opening, _, closing = list(SyntheticMarket(spec).frames(RUN))[3:]

    reference, _, bars = _day(frames, 1)
    assert isinstance(opening.rows, ReferenceRows)
    assert isinstance(closing.rows, BarRows)
    for name in ("instrument", "prev_close_e4", "limit_up_e4", "turnover_rate"):
        assert np.array_equal(
            getattr(opening.rows, name), getattr(reference, name), equal_nan=name == "turnover_rate"
        )
    for name in ("open_e4", "close_e4", "volume_shares"):
        assert np.array_equal(getattr(closing.rows, name), getattr(bars, name))


def test_synthetic_frames_pass_the_frame_checks(frames: list[Frame]) -> None:
    """Sorted by instrument, no negative number, no unknown enum, in every beat."""
    times = [frame.stamp.ts_event_ns for frame in frames]

    for frame in frames:
        check_rows(frame.rows)
    assert len(frames) == SyntheticMarket(SPEC).beat_count == 2 * DAY_BEATS
    assert times == sorted(times)
    assert [frame.stamp.is_last for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert [frame.stamp.trade_date for frame in frames[::DAY_BEATS]] == [20260302, 20260303]


def test_synthetic_books_have_levels_in_order_and_never_cross(frames: list[Frame]) -> None:
    """Best bid below best ask, each level behind the one before, one side there at least."""
    for number in range(SPEC.day_count):
        quotes = _quotes(frames, number)
        quotes = quotes.take(quotes.phase == Phase.CONTINUOUS)
        bid, ask = quotes.bid_price_e4, quotes.ask_price_e4
        both = (bid[:, 0] > 0) & (ask[:, 0] > 0)

        assert (bid[both, 0] < ask[both, 0]).all()
        assert ((bid[:, 0] > 0) | (ask[:, 0] > 0)).all()
        assert (np.diff(bid, axis=1)[bid[:, 1:] > 0] < 0).all()
        assert (np.diff(ask, axis=1)[ask[:, 1:] > 0] > 0).all()
        assert ((quotes.bid_shares > 0) == (bid > 0)).all()
        assert ((quotes.ask_shares > 0) == (ask > 0)).all()


def test_synthetic_books_in_call_auctions_hold_the_virtual_price(frames: list[Frame]) -> None:
    """As the exchanges send it: bid equals ask at level 1, nothing deeper."""
    quotes = _quotes(frames, 0)

    calls = quotes.take(np.isin(quotes.phase, (Phase.OPEN_CALL, Phase.CLOSE_CALL)))

    assert np.array_equal(calls.bid_price_e4[:, 0], calls.ask_price_e4[:, 0])
    assert np.array_equal(calls.bid_shares[:, 0], calls.ask_shares[:, 0])
    assert (calls.bid_price_e4[:, 1:] == 0).all()


def test_synthetic_call_auctions_are_told_before_and_after_continuous_trading(
    frames: list[Frame],
) -> None:
    """The first quote after a call says its price and its volume, as execution reads it."""
    reference, beats, bars = _day(frames, 0)
    phases = [int(rows.phase[0]) for rows in beats]
    pause, closed = phases.index(Phase.PAUSE), phases.index(Phase.CLOSED)
    trading = ~reference.is_suspended

    opened, ended = beats[pause], beats[closed]

    assert np.array_equal(opened.instrument, reference.instrument[trading])
    assert np.array_equal(opened.last_e4, bars.open_e4[trading])
    assert (opened.volume_shares > 0).all()
    assert (beats[pause - 1].last_e4 == 0).all()
    assert np.array_equal(ended.last_e4, bars.close_e4[trading])
    assert np.array_equal(ended.volume_shares, bars.volume_shares[trading])
    assert np.array_equal(ended.amount_fen, bars.amount_fen[trading])


def test_synthetic_prices_stay_within_the_days_limits(frames: list[Frame]) -> None:
    """Limits bind quotes and trades alike."""
    for number in range(SPEC.day_count):
        reference, _, bars = _day(frames, number)
        quotes = _quotes(frames, number)
        place = np.searchsorted(reference.instrument, quotes.instrument)
        is_limited = reference.limit_state == LimitState.LIMITED
        up = np.where(is_limited, reference.limit_up_e4, 10**12)
        down = np.where(is_limited, reference.limit_down_e4, 0)

        for price in (quotes.bid_price_e4, quotes.ask_price_e4, quotes.last_e4[:, None]):
            assert ((price == 0) | (price <= up[place, None])).all()
            assert ((price == 0) | (price >= down[place, None])).all()
        assert (bars.high_e4 <= up).all()
        assert (bars.low_e4 >= down).all()


def test_synthetic_trades_are_at_a_best_price_and_add_up_to_the_bar(frames: list[Frame]) -> None:
    """What is traded in a beat is traded at one side of its book, and cumulates."""
    for number in range(SPEC.day_count):
        reference, beats, bars = _day(frames, number)
        volume, amount = np.zeros((2, len(reference)), dtype=np.int64)
        high, low = bars.open_e4.copy(), bars.open_e4.copy()
        for rows in beats:
            at = np.searchsorted(reference.instrument, rows.instrument)
            grown = rows.volume_shares - volume[at]
            assert (grown >= 0).all()
            paid = rows.amount_fen - amount[at]
            if rows.phase[0] == Phase.CONTINUOUS:
                assert np.array_equal(paid * 100, grown * rows.last_e4)
                is_best = rows.last_e4[:, None] == np.stack(
                    (rows.bid_price_e4[:, 0], rows.ask_price_e4[:, 0]), axis=1
                )
                assert is_best.any(axis=1)[grown > 0].all()
            volume[at], amount[at] = rows.volume_shares, rows.amount_fen
            last_e4 = np.where(rows.last_e4 > 0, rows.last_e4, bars.open_e4[at])
            high[at], low[at] = np.maximum(high[at], last_e4), np.minimum(low[at], last_e4)
        assert np.array_equal(volume, bars.volume_shares)
        assert np.array_equal(high, bars.high_e4)
        assert np.array_equal(low, bars.low_e4)


def test_synthetic_shares_suspended_all_day_say_nothing() -> None:
    """No quote, no trade, the close of the day before."""
    spec = SyntheticSpec(seed=7, instrument_count=500, day_count=1, beats_per_day=20)

    opening, *ticks, closing = SyntheticMarket(spec).frames(RUN)

    assert isinstance(opening.rows, ReferenceRows)
    assert isinstance(closing.rows, BarRows)
    suspended = opening.rows.take(opening.rows.is_suspended)
    bars = closing.rows.take(opening.rows.is_suspended)
    assert len(suspended) > 0
    assert not any(np.isin(each.rows.instrument, suspended.instrument).any() for each in ticks)
    assert (bars.volume_shares == 0).all()
    assert np.array_equal(bars.close_e4, suspended.prev_close_e4)


def test_synthetic_shares_halted_within_the_day_have_no_book_and_trade_on_after_it() -> None:
    """A halt has a phase of its own, nothing trades in it, and it ends."""
    spec = SyntheticSpec(seed=3, instrument_count=300, day_count=1, beats_per_day=120)

    ticks = [f.rows for f in SyntheticMarket(spec).frames(RUN) if f.stamp.kind is BeatKind.TICK]

    quotes = QuoteRows.concat([rows for rows in ticks if isinstance(rows, QuoteRows)])
    is_halted = quotes.phase == Phase.HALTED
    assert is_halted.any()
    assert (quotes.bid_shares[is_halted] == 0).all()
    assert (quotes.ask_price_e4[is_halted] == 0).all()
    for instrument in np.unique(quotes.instrument[is_halted]).tolist():
        share = quotes.take(quotes.instrument == instrument)
        halted = np.flatnonzero(share.phase == Phase.HALTED)
        assert len(set(share.volume_shares[halted].tolist())) == 1
        assert share.phase[halted[-1] + 1] == Phase.CONTINUOUS
        assert share.volume_shares[-1] > share.volume_shares[halted[-1]]


def test_synthetic_shares_at_a_limit_have_one_side_on_which_many_wait() -> None:
    """Who wants the other side of a sealed limit finds nobody."""
    spec = SyntheticSpec(seed=7, instrument_count=500, day_count=3, beats_per_day=100)
    sealed = 0

    for frame in SyntheticMarket(spec).frames(RUN):
        if isinstance(frame.rows, ReferenceRows):
            reference = frame.rows
        elif isinstance(frame.rows, QuoteRows):
            rows = frame.rows.take(frame.rows.phase == Phase.CONTINUOUS)
            at = np.searchsorted(reference.instrument, rows.instrument)
            is_limited = reference.limit_state[at] == LimitState.LIMITED
            is_up = is_limited & (rows.bid_price_e4[:, 0] == reference.limit_up_e4[at])
            is_down = is_limited & (rows.ask_price_e4[:, 0] == reference.limit_down_e4[at])
            assert (rows.ask_shares[is_up] == 0).all()
            assert (rows.bid_shares[is_down] == 0).all()
            sealed += int(is_up.sum()) + int(is_down.sum())

    assert sealed > 0


def test_synthetic_market_of_one_share_and_one_beat_has_no_auction() -> None:
    """The smallest market there is: its one beat is in continuous trading."""
    spec = SyntheticSpec(seed=3, instrument_count=1, day_count=1, beats_per_day=1)

    _, tick, closing = SyntheticMarket(spec).frames(RUN)

    assert isinstance(tick.rows, QuoteRows)
    assert isinstance(closing.rows, BarRows)
    assert tick.rows.phase.tolist() == [Phase.CONTINUOUS]
    assert tick.rows.volume_shares[0] < closing.rows.volume_shares[0]
