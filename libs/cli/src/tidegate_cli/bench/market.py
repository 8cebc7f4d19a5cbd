"""A whole market for benches: beats of quotes whose prices and turnover move."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tidegate_cli.bench.codec import make_frame
from tidegate_common.domain.enums import BeatKind, Board, LimitState
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import LEVELS, QuoteRows, ReferenceRows, unknown_figures

_SEED: Final = 11
_TICK_E4: Final = 100
_LOT_SHARES: Final = 100
# Below this a five-level book would reach 0.
_LAST_E4_MIN: Final = 300
_BEAT_NS: Final = 3_000_000_000
# A price of 1/10,000 CNY times shares, over this, is fen.
_E4_SHARES_PER_FEN: Final = 100


@dataclass(frozen=True, slots=True)
class Series:
    """What happened to each instrument, beat by beat; the first beat has no turnover before it.

    last_e4 : (beats, n) int64.
    volume_shares, amount_fen : (beats, n) int64, of the beat.
    """

    last_e4: Int64Array
    volume_shares: Int64Array
    amount_fen: Int64Array

    def __len__(self) -> int:
        """Return the number of beats."""
        return len(self.last_e4)


def make_series(instrument_count: int, beat_count: int) -> Series:
    """Return a market that walks at random from the prices of `make_frame`, always the same."""
    random = np.random.default_rng(_SEED)
    first = make_frame(instrument_count).rows
    assert isinstance(first, QuoteRows)
    shape = (beat_count, instrument_count)
    walk_e4 = np.cumsum(random.integers(-3, 4, shape) * _TICK_E4, axis=0)
    last_e4 = np.maximum(first.last_e4 + walk_e4, _LAST_E4_MIN * LEVELS)
    volume_shares = random.integers(1, 500, shape) * _LOT_SHARES
    # Whole fen, because a lot is 100 shares.
    amount_fen = volume_shares * last_e4 // _E4_SHARES_PER_FEN
    return Series(last_e4, volume_shares, amount_fen)


def make_frames(series: Series) -> Iterator[Frame]:
    """Yield the beats of a market as frames of one shard, with fresh books in each."""
    random = np.random.default_rng(_SEED)
    beat_count, instrument_count = series.last_e4.shape
    first = make_frame(instrument_count)
    assert isinstance(first.rows, QuoteRows)
    totals = np.cumsum(series.volume_shares, axis=0), np.cumsum(series.amount_fen, axis=0)
    steps = np.arange(1, LEVELS + 1) * _TICK_E4
    for beat in range(beat_count):
        last_e4 = series.last_e4[beat]
        shares = random.integers(1, 2_000, (instrument_count, 2 * LEVELS)) * _LOT_SHARES
        ts_event_ns = first.stamp.ts_event_ns + (beat + 1) * _BEAT_NS
        rows = replace(
            first.rows,
            ts_event_ns=np.full(instrument_count, ts_event_ns),
            last_e4=last_e4,
            volume_shares=totals[0][beat],
            amount_fen=totals[1][beat],
            bid_price_e4=last_e4[:, None] - steps,
            bid_shares=shares[:, :LEVELS],
            ask_price_e4=last_e4[:, None] + steps,
            ask_shares=shares[:, LEVELS:],
        )
        stamp = replace(first.stamp, beat=beat + 1, ts_event_ns=ts_event_ns)
        yield replace(first, stamp=stamp, rows=rows)


def make_open(instrument_count: int) -> Frame:
    """Return the OPEN beat of the same market, with no day figures and no price limits."""
    first = make_frame(instrument_count)
    assert isinstance(first.rows, QuoteRows)
    zeros, flags = np.zeros(instrument_count, np.int64), np.zeros(instrument_count, np.bool_)
    rows = ReferenceRows(
        instrument=first.rows.instrument,
        board=np.full(instrument_count, Board.MAIN, np.uint8),
        limit_state=np.full(instrument_count, LimitState.UNLIMITED, np.uint8),
        is_st=flags,
        is_suspended=flags,
        prev_close_e4=first.rows.last_e4,
        limit_up_e4=zeros,
        limit_down_e4=zeros,
        open_e4=zeros,
        sector=np.full(instrument_count, "", np.object_),
        **unknown_figures(instrument_count),
    )
    stamp = replace(first.stamp, beat=0, kind=BeatKind.OPEN)
    return Frame(stamp, 0, rows)
