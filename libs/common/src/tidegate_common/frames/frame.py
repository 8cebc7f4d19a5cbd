"""Frames and score batches: what one shard says in one beat."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never, cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.domain.units import SCORE_SCALE, Int64Array
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows, unknown_figures

# A score has room for so many reasons.
REASONS_MAX = 4
# Stands for a reason without a value; no number of an engine is so small.
NO_REASON = -(2**63)

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

    strategies : names; `strategy` indexes this tuple, as it does the next two.
    is_ranked : whether a strategy's scores are raw numbers, which `merge_scores` makes ranks.
    reason_names : names of a strategy's reasons, at most `REASONS_MAX`.
    strategy, instrument, score_e6 : (n,) int64, sorted by (strategy, instrument). A pair that
        is absent means "no opinion this beat". Scores are millionths, positive to buy.
    reason_e6 : (n, REASONS_MAX) int64, the values of the reasons in millionths, `NO_REASON`
        where one is unknown or has no name.
    """

    stamp: BeatStamp
    shard: int
    strategies: tuple[str, ...]
    is_ranked: tuple[bool, ...]
    reason_names: tuple[tuple[str, ...], ...]
    strategy: Int64Array
    instrument: Int64Array
    score_e6: Int64Array
    reason_e6: Int64Array

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
    """Return the score batches of one beat as one, sorted by (strategy, instrument), ranked.

    The scores of a ranked strategy become ranks over the instruments of all shards, see
    `ranks_e6`, and `is_ranked` becomes False: to merge twice changes nothing.

    Parameters
    ----------
    batches : one batch a shard, all of the same beat; at least one. They name the same
        strategies, or none where a shard has nothing to say.
    """
    if len(batches) == 1:
        return _rank(batches[0])
    strategy = np.concatenate([batch.strategy for batch in batches])
    instrument = np.concatenate([batch.instrument for batch in batches])
    order = np.lexsort((instrument, strategy))
    joined = replace(
        max(batches, key=lambda batch: len(batch.strategies)),
        shard=0,
        strategy=strategy[order],
        instrument=instrument[order],
        score_e6=np.concatenate([batch.score_e6 for batch in batches])[order],
        reason_e6=np.concatenate([batch.reason_e6 for batch in batches])[order],
    )
    return _rank(joined)


def ranks_e6(scores: Int64Array) -> Int64Array:
    """Return the place of each score among all: -1,000,000 for the lowest, 1,000,000 the highest.

    Equal scores share the mean of their places. A score that is alone is at 0.

    Parameters
    ----------
    scores : (n,) int64.

    Returns
    -------
    (n,) int64, millionths of `2 * place / (n - 1) - 1`, rounded half to even, without floats: the
    last bit of a processor decides nothing.
    """
    steps = max(len(scores) - 1, 1)
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    # First and last place of a group, added; twice its mean place.
    twice_place = (2 * np.cumsum(sizes) - sizes - 1)[group]
    whole, rest = np.divmod((twice_place - (len(scores) - 1)) * SCORE_SCALE, steps)
    is_up = (2 * rest > steps) | ((2 * rest == steps) & (whole % 2 == 1))
    ranks: Int64Array = whole + is_up
    return ranks


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
    return ScoreBatch(
        stamp=stamp,
        shard=shard,
        strategies=(),
        is_ranked=(),
        reason_names=(),
        strategy=zeros,
        instrument=zeros,
        score_e6=zeros,
        reason_e6=no_reasons(0),
    )


def no_reasons(count: int) -> Int64Array:
    """Return the reasons of scores that have none, (count, REASONS_MAX) int64."""
    return np.full((count, REASONS_MAX), NO_REASON, np.int64)


def _rank(batch: ScoreBatch) -> ScoreBatch:
    if not any(batch.is_ranked):
        return batch
    score_e6 = batch.score_e6.copy()
    edges = np.searchsorted(batch.strategy, np.arange(len(batch.strategies) + 1)).tolist()
    for is_ranked, start, stop in zip(batch.is_ranked, edges[:-1], edges[1:], strict=True):
        if is_ranked:
            score_e6[start:stop] = ranks_e6(score_e6[start:stop])
    return replace(batch, score_e6=score_e6, is_ranked=(False,) * len(batch.is_ranked))


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
        **unknown_figures(0),
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
