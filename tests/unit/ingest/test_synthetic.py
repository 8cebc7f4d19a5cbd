"""The generated market looks like a market, and is the same every time."""

import numpy as np
import pytest

from tidegate_common.domain.enums import Board, Phase
from tidegate_common.domain.ids import RunId
from tidegate_common.events.run import SyntheticSpec
from tidegate_common.frames.checks import check_rows
from tidegate_common.frames.codec import encode_frame
from tidegate_ingest.engine.sequencer import Day, sequence_days
from tidegate_ingest.engine.synthetic import (
    synthetic_date,
    synthetic_days,
    synthetic_instruments,
)

SPEC = SyntheticSpec(seed=7, instrument_count=20, day_count=2, beats_per_day=200)


@pytest.fixture(scope="module")
def days() -> list[Day]:
    """Return two days of a market of twenty shares."""
    return list(synthetic_days(SPEC))


def _bytes_of(spec: SyntheticSpec) -> list[bytes]:
    frames = sequence_days(RunId("r"), synthetic_days(spec), spec.day_count)
    return [encode_frame(frame) for frame in frames]


def test_synthetic_days_of_one_seed_are_the_same_bytes() -> None:
    """A demo that changes from run to run proves nothing."""
    assert _bytes_of(SPEC) == _bytes_of(SPEC)


def test_synthetic_days_of_another_seed_differ() -> None:
    """The seed is the only source of chance."""
    other = SyntheticSpec(seed=8, instrument_count=20, day_count=2, beats_per_day=200)

    assert _bytes_of(SPEC)[:50] != _bytes_of(other)[:50]


def test_synthetic_days_pass_the_frame_checks(days: list[Day]) -> None:
    """Sorted by instrument, no negative number, no unknown enum, in every beat."""
    frames = list(sequence_days(RunId("r"), days, len(days)))

    for frame in frames:
        check_rows(frame.rows)
    assert len(frames) == 2 * 202
    assert [frame.stamp.ts_event_ns for frame in frames] == sorted(
        frame.stamp.ts_event_ns for frame in frames
    )
    assert frames[-1].stamp.is_last


def test_synthetic_books_in_continuous_trading_are_not_crossed(days: list[Day]) -> None:
    """Best bid below best ask, levels in order, at least one side there."""
    for day in days:
        quotes = day.quotes.take(day.quotes.phase == Phase.CONTINUOUS)
        bid, ask = quotes.bid_price_e4, quotes.ask_price_e4
        both = (bid[:, 0] > 0) & (ask[:, 0] > 0)

        assert (bid[both, 0] < ask[both, 0]).all()
        assert ((bid[:, 0] > 0) | (ask[:, 0] > 0)).all()
        assert (np.diff(bid, axis=1)[bid[:, 1:] > 0] < 0).all()
        assert (np.diff(ask, axis=1)[ask[:, 1:] > 0] > 0).all()


def test_synthetic_books_in_call_auctions_hold_the_virtual_price(days: list[Day]) -> None:
    """As the exchanges send it: bid equals ask at level 1, nothing deeper."""
    quotes = days[0].quotes.take(days[0].quotes.phase != Phase.CONTINUOUS)

    assert set(quotes.phase.tolist()) == {Phase.OPEN_CALL, Phase.CLOSE_CALL}
    assert np.array_equal(quotes.bid_price_e4[:, 0], quotes.ask_price_e4[:, 0])
    assert (quotes.bid_price_e4[:, 1:] == 0).all()


def test_synthetic_prices_stay_within_the_days_limits(days: list[Day]) -> None:
    """Limits bind quotes and trades alike, and somebody reaches them."""
    reached = 0
    for day in days:
        place = np.searchsorted(day.reference.instrument, day.quotes.instrument)
        up = day.reference.limit_up_e4[place, None]
        down = day.reference.limit_down_e4[place, None]
        quotes = day.quotes
        for price in (quotes.bid_price_e4, quotes.ask_price_e4, quotes.last_e4[:, None]):
            assert ((price == 0) | ((price <= up) & (price >= down))).all()
        assert (day.bars.high_e4 <= day.reference.limit_up_e4).all()
        assert (day.bars.low_e4 >= day.reference.limit_down_e4).all()
        reached += int((day.bars.high_e4 == day.reference.limit_up_e4).sum())
    assert reached > 0


def test_synthetic_volumes_never_fall_and_end_within_the_bar(days: list[Day]) -> None:
    """Volume and amount are cumulative; the closing call comes on top."""
    for day in days:
        for number, instrument in enumerate(day.reference.instrument.tolist()):
            quotes = day.quotes.take(day.quotes.instrument == instrument)
            assert (np.diff(quotes.volume_shares) >= 0).all()
            assert (np.diff(quotes.amount_fen) >= 0).all()
            assert quotes.volume_shares[-1] <= day.bars.volume_shares[number]
            assert quotes.amount_fen[-1] <= day.bars.amount_fen[number]


def test_synthetic_days_follow_one_another(days: list[Day]) -> None:
    """Yesterday's close is today's previous close."""
    assert np.array_equal(days[1].reference.prev_close_e4, days[0].bars.close_e4)
    assert [day.trade_date for day in days] == [20260302, 20260303]


def test_synthetic_figures_stay_and_turnover_is_that_of_the_day_before(days: list[Day]) -> None:
    """Fundamentals for strategies to rank; nothing of the day itself is known at its open."""
    first, second = days[0].reference, days[1].reference
    volume_shares = days[0].bars.volume_shares

    assert np.isnan(first.turnover_rate).all()
    is_traded = volume_shares > 0
    expected = np.where(is_traded, volume_shares / first.float_shares, np.nan)
    assert np.array_equal(second.turnover_rate, expected, equal_nan=True)
    assert (first.float_shares >= 1e8).all()
    for name in ("float_shares", "pe_ttm", "pb_mrq", "ps_ttm", "pcf_ttm"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    assert (first.pb_mrq > 0).all()
    assert (first.ps_ttm > 0).all()
    assert ((first.pe_ttm > 0) == (first.pcf_ttm > 0)).all()


def test_synthetic_date_after_friday_is_monday() -> None:
    """Weekends are left out."""
    assert [synthetic_date(number) for number in (4, 5, 10)] == [20260306, 20260309, 20260316]


def test_synthetic_instruments_cover_boards_and_sectors() -> None:
    """Board rules and the sector layer need something to bite on."""
    listed = synthetic_instruments(20)
    boards = {int(board) for board in next(synthetic_days(SPEC)).reference.board}

    assert boards == {Board.MAIN, Board.CHINEXT, Board.STAR}
    assert set(listed.sector.tolist()) == {"bank", "liquor", "electronics", "pharma", "energy"}
    assert (np.diff(listed.instrument) > 0).all()
    assert len(listed.names) == len(set(listed.names)) == 20
    assert listed.is_st.sum() == 1


def test_synthetic_market_of_one_share_and_one_beat_has_no_auction() -> None:
    """The smallest market there is: its one beat is in continuous trading."""
    spec = SyntheticSpec(seed=3, instrument_count=1, day_count=1, beats_per_day=1)

    day = next(synthetic_days(spec))

    assert len(day.tick_ts_ns) == 1
    assert day.bars.open_e4.tolist() == day.bars.close_e4.tolist()


def test_synthetic_suspended_shares_say_nothing_all_day() -> None:
    """Of five hundred shares some are suspended: no quote, no trade, the last close."""
    spec = SyntheticSpec(seed=7, instrument_count=500, day_count=1, beats_per_day=50)

    day = next(synthetic_days(spec))

    suspended = day.reference.take(day.reference.is_suspended)
    bars = day.bars.take(day.reference.is_suspended)
    assert len(suspended) > 0
    assert not np.isin(day.quotes.instrument, suspended.instrument).any()
    assert (bars.volume_shares == 0).all()
    assert np.array_equal(bars.close_e4, suspended.prev_close_e4)
