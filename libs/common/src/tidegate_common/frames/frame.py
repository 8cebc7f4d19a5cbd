"""Frames and score batches: what one shard says in one beat."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never, cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.domain.units import Int64Array
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows

FrameRows = ReferenceRows | QuoteRows | BarRows

ROWS_OF_KIND: dict[BeatKind, type[FrameRows]] = {
    BeatKind.OPEN: ReferenceRows,
    BeatKind.TICK: QuoteRows,
    BeatKind.BAR: BarRows,
    BeatKind.CLOSE: BarRows,
}


@dataclass(frozen=True, slots=True)
class BeatStamp:
    """Place of a beat in its run and in market time.

    beat : number in the run, from 0, without gaps.
    trade_date : Shanghai date as YYYYMMDD.
    ts_event_ns : market time at the end of the beat, UTC epoch.
    is_last : whether the run ends with this beat.
    """

    run_id: RunId
    beat: int
    kind: BeatKind
    trade_date: int
    ts_event_ns: int
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One beat of one shard, or of the whole market after `merge_frames`.

    run_spec : JSON of the run's `RunSpec` on beat 0, else "". It travels in band, so that a
        stage has the settings exactly when it has the first beat.
    """

    stamp: BeatStamp
    shard: int
    rows: FrameRows
    run_spec: str = ""


@dataclass(frozen=True, slots=True)
class ScoreBatch:
    """Scores of every strategy for the instruments of one shard in one beat.

    strategies : names; `strategy` indexes this tuple.
    strategy, instrument, score_e6 : (n,) int64, sorted by (strategy, instrument). A pair that
        is absent means "no opinion this beat". Scores are millionths, positive to buy.
    """

    stamp: BeatStamp
    shard: int
    strategies: tuple[str, ...]
    strategy: Int64Array
    instrument: Int64Array
    score_e6: Int64Array

    def __len__(self) -> int:
        """Return the number of scores."""
        return len(self.instrument)


def merge_frames(frames: list[Frame]) -> Frame:
    """Return the frames of one beat as one, rows sorted by instrument.

    Parameters
    ----------
    frames : one frame a shard, all of the same beat; at least one.
    """
    if len(frames) == 1:
        return frames[0]
    # All parts are of one kind, which the type of `concat` cannot say for a union.
    concat = cast("Callable[[list[FrameRows]], FrameRows]", type(frames[0].rows).concat)
    rows = concat([frame.rows for frame in frames])
    return replace(frames[0], shard=0, rows=rows)


def merge_scores(batches: list[ScoreBatch]) -> ScoreBatch:
    """Return the score batches of one beat as one, sorted by (strategy, instrument)."""
    if len(batches) == 1:
        return batches[0]
    strategy = np.concatenate([batch.strategy for batch in batches])
    instrument = np.concatenate([batch.instrument for batch in batches])
    order = np.lexsort((instrument, strategy))
    return replace(
        batches[0],
        shard=0,
        strategy=strategy[order],
        instrument=instrument[order],
        score_e6=np.concatenate([batch.score_e6 for batch in batches])[order],
    )


def split_frame(frame: Frame, shard: NDArray[np.int64], shard_count: int) -> list[Frame]:
    """Return one frame a shard; a shard without rows gets an empty one.

    Parameters
    ----------
    shard : (n,) int64, the shard of each row.
    """
    return [
        replace(frame, shard=number, rows=frame.rows.take(shard == number))
        for number in range(shard_count)
    ]


def empty_rows(kind: BeatKind) -> FrameRows:
    """Return rows of a beat kind without any instrument."""
    match kind:
        case BeatKind.OPEN:
            return _empty_reference()
        case BeatKind.TICK:
            return _empty_quotes()
        case BeatKind.BAR | BeatKind.CLOSE:
            zeros = np.zeros(0, np.int64)
            return BarRows(zeros, zeros, zeros, zeros, zeros, zeros, zeros)
        case _:
            assert_never(kind)


def empty_scores(stamp: BeatStamp, shard: int) -> ScoreBatch:
    """Return a score batch without opinions."""
    zeros = np.zeros(0, np.int64)
    return ScoreBatch(stamp, shard, (), zeros, zeros, zeros)


def _empty_reference() -> ReferenceRows:
    zeros = np.zeros(0, np.int64)
    small, flags = np.zeros(0, np.uint8), np.zeros(0, np.bool_)
    return ReferenceRows(
        instrument=zeros,
        board=small,
        limit_state=small,
        is_st=flags,
        is_suspended=flags,
        prev_close_e4=zeros,
        limit_up_e4=zeros,
        limit_down_e4=zeros,
        open_e4=zeros,
        sector=np.zeros(0, np.object_),
    )


def _empty_quotes() -> QuoteRows:
    zeros, levels = np.zeros(0, np.int64), np.zeros((0, 5), np.int64)
    return QuoteRows(
        instrument=zeros,
        ts_event_ns=zeros,
        phase=np.zeros(0, np.uint8),
        last_e4=zeros,
        volume_shares=zeros,
        amount_fen=zeros,
        bid_price_e4=levels,
        bid_shares=levels,
        ask_price_e4=levels,
        ask_shares=levels,
    )
