"""Scores in, recommendations out: the best and the worst instruments of each strategy.

Rules
-----
- Of each instrument the last opinion of a strategy counts. When a strategy speaks for the first
  time on a new trading day, what it said on earlier days is forgotten; one that says nothing
  today, such as a monthly one, keeps its opinions.
- Rank 1 is the highest score. Of equal scores the smaller instrument id comes first.
- The top has the first N ranks; the bottom the last N of what the top leaves, the worst first.
- Lists are published when a member, a score or a rank in them has changed; reasons go along.
- The previous rank is that of the strategy's last publication, over all instruments, also of an
  earlier day; 0 where the instrument had none.
- All follows from the scores of the whole market: the number of shards is invisible.
"""

from collections.abc import Iterable
from typing import cast

import numpy as np

from tidegate_common.domain.units import SCORE_SCALE, Int64Array
from tidegate_common.engine import EngineState
from tidegate_common.errors import ConfigError
from tidegate_common.events.recommendations import (
    RecommendationBatch,
    RecommendationEntry,
    StrategyRecommendations,
)
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import NO_REASON, REASONS_MAX, BeatStamp, ScoreBatch

# Stands for a beat in which nothing was said yet.
_NEVER = -1
# Of a listed instrument: id, score, rank, previous rank, beat of the score; then its reasons.
_COLUMNS = 5 + REASONS_MAX
# So many of the columns decide whether a list has changed.
_COMPARED = 3
# A sort key is a score above so many bits of row; the market has fewer than 2^32 instruments.
_ROW_BITS = 32
_ROW_MASK = (1 << _ROW_BITS) - 1


class RecommendationEngine:
    """Recommendations of a run's strategies over the whole market.

    The memory has one row an instrument, in the order of their ids.

    Raises
    ------
    ConfigError
        If the length of the lists is negative.
    """

    def __init__(self, spec: RunSpec) -> None:
        if spec.recommendations_max < 0:
            message = f"recommendations_max must be >= 0, was {spec.recommendations_max}"
            raise ConfigError(message)
        self.strategies = tuple(strategy.name for strategy in spec.strategies)
        self._list_size = spec.recommendations_max
        count = len(self.strategies)
        self._reason_names: list[tuple[str, ...]] = [()] * count
        self._instrument: Int64Array = np.zeros(0, np.int64)
        self._score_e6: Int64Array = np.zeros((count, 0), np.int64)
        self._score_beat: Int64Array = np.zeros((count, 0), np.int64)
        self._reason_e6: Int64Array = np.zeros((count, 0, REASONS_MAX), np.int64)
        # Of the last publication; 0 for none.
        self._rank: Int64Array = np.zeros((count, 0), np.int64)
        # Trading day of the opinions.
        self._score_date: Int64Array = np.zeros(count, np.int64)
        # The last publication: beat, trade date, time and number of instruments; then its lists,
        # top and bottom, filled up with zeros.
        self._head: Int64Array = np.full((count, 4), _NEVER, np.int64)
        self._listed: Int64Array = np.zeros((count, 2, self._list_size, _COLUMNS), np.int64)
        # No memory: the instruments that were looked up last, and their rows.
        self._asked: Int64Array = self._instrument
        self._rows: Int64Array = self._instrument

    def on_beat(self, scores: ScoreBatch) -> RecommendationBatch | None:
        """Return the strategies whose lists a beat has changed, None when there are none.

        Parameters
        ----------
        scores : of the whole market, as `merge_scores` returns them. A strategy that the run does
            not have is passed over.
        """
        assert not any(scores.is_ranked), "raw scores must have become ranks"
        changed = tuple(
            self._told(number)
            for number, name in enumerate(self.strategies)
            if name in scores.strategies and self._take(number, name, scores)
        )
        if not changed:
            return None
        stamp = scores.stamp
        return RecommendationBatch(
            run_id=stamp.run_id,
            beat=stamp.beat,
            trade_date=stamp.trade_date,
            ts_event_ns=stamp.ts_event_ns,
            strategies=changed,
        )

    def current(self) -> tuple[StrategyRecommendations, ...]:
        """Return the last publication of each strategy that has one, in the run's order."""
        published = np.flatnonzero(self._head[:, 0] != _NEVER)
        return tuple(self._told(number) for number in published.tolist())

    def snapshot(self) -> EngineState:
        """Return the memory; later beats do not change what was returned."""
        return EngineState(
            values={"reason_names": [list(names) for names in self._reason_names]},
            arrays={
                "instrument": self._instrument.copy(),
                "score_e6": self._score_e6.copy(),
                "score_beat": self._score_beat.copy(),
                "reason_e6": self._reason_e6.copy(),
                "rank": self._rank.copy(),
                "score_date": self._score_date.copy(),
                "head": self._head.copy(),
                "listed": self._listed.copy(),
            },
        )

    def restore(self, state: EngineState) -> None:
        """Take up a memory that an engine of the same run returned."""
        names = cast("list[list[str]]", state.values["reason_names"])
        arrays = {name: cast("Int64Array", each.copy()) for name, each in state.arrays.items()}
        self._reason_names = [tuple(each) for each in names]
        self._instrument = arrays["instrument"]
        self._score_e6 = arrays["score_e6"]
        self._score_beat = arrays["score_beat"]
        self._reason_e6 = arrays["reason_e6"]
        self._rank = arrays["rank"]
        self._score_date = arrays["score_date"]
        self._head = arrays["head"]
        self._listed = arrays["listed"]
        self._asked = self._rows = np.zeros(0, np.int64)

    def _take(self, number: int, name: str, scores: ScoreBatch) -> bool:
        """Remember what a strategy says in a beat; publish, and tell so, if its lists change."""
        index = scores.strategies.index(name)
        start, stop = np.searchsorted(scores.strategy, [index, index + 1]).tolist()
        if start == stop:
            return False
        rows = self._rows_of(scores.instrument[start:stop])
        if self._score_date[number] != scores.stamp.trade_date:
            self._score_date[number] = scores.stamp.trade_date
            self._score_beat[number] = _NEVER
        self._score_e6[number, rows] = scores.score_e6[start:stop]
        self._score_beat[number, rows] = scores.stamp.beat
        self._reason_e6[number, rows] = scores.reason_e6[start:stop]
        self._reason_names[number] = scores.reason_names[index]
        return self._publish(number, scores.stamp)

    def _publish(self, number: int, stamp: BeatStamp) -> bool:
        """Take the opinions' order for the new lists; tell whether they differ from the old."""
        size = self._list_size
        order = self._ordered(number)
        rank: Int64Array = np.zeros_like(self._rank[number])
        rank[order] = np.arange(1, len(order) + 1)
        listed = np.zeros_like(self._listed[number])
        for side, rows in enumerate((order[:size], order[size:][::-1][:size])):
            listed[side, : len(rows)] = self._columns(number, rows, rank)
        if np.array_equal(listed[..., :_COMPARED], self._listed[number, ..., :_COMPARED]):
            return False
        self._listed[number] = listed
        self._head[number] = (stamp.beat, stamp.trade_date, stamp.ts_event_ns, len(order))
        self._rank[number] = rank
        return True

    def _ordered(self, number: int) -> Int64Array:
        """Return the rows of which a strategy has an opinion, the best first."""
        rows = np.flatnonzero(self._score_beat[number] != _NEVER)
        # Sorting plain numbers is many times as fast as sorting their indices.
        keys: Int64Array = ((SCORE_SCALE - self._score_e6[number, rows]) << _ROW_BITS) | rows
        keys.sort()
        return keys & _ROW_MASK

    def _columns(self, number: int, rows: Int64Array, rank: Int64Array) -> Int64Array:
        """Return what is told of some rows, (n, _COLUMNS)."""
        own = (
            self._instrument[rows],
            self._score_e6[number, rows],
            rank[rows],
            self._rank[number, rows],
            self._score_beat[number, rows],
        )
        return np.column_stack((*own, self._reason_e6[number, rows]))

    def _rows_of(self, instruments: Int64Array) -> Int64Array:
        """Return the row of each instrument; new ones get theirs."""
        # Strategies mostly speak of the same instruments: to see that is quicker than to search.
        if not np.array_equal(instruments, self._asked):
            self._make_room(np.setdiff1d(instruments, self._instrument, assume_unique=True))
            self._asked = instruments
            self._rows = np.searchsorted(self._instrument, instruments)
        return self._rows

    def _make_room(self, added: Int64Array) -> None:
        """Give instruments rows of their own, between those of the others."""
        if not len(added):
            return
        places = np.searchsorted(self._instrument, added)
        self._instrument = np.insert(self._instrument, places, added)
        self._score_e6 = np.insert(self._score_e6, places, 0, axis=1)
        self._score_beat = np.insert(self._score_beat, places, _NEVER, axis=1)
        self._reason_e6 = np.insert(self._reason_e6, places, NO_REASON, axis=1)
        self._rank = np.insert(self._rank, places, 0, axis=1)

    def _told(self, number: int) -> StrategyRecommendations:
        """Return a strategy's last publication."""
        beat, trade_date, ts_event_ns, count = self._head[number].tolist()
        top, bottom = self._listed[number].tolist()
        names = self._reason_names[number]
        return StrategyRecommendations(
            strategy=self.strategies[number],
            beat=beat,
            trade_date=trade_date,
            ts_event_ns=ts_event_ns,
            instrument_count=count,
            top=tuple(_entry(row, names) for row in top if row[0]),
            bottom=tuple(_entry(row, names) for row in bottom if row[0]),
        )


def _entry(row: list[int], reason_names: Iterable[str]) -> RecommendationEntry:
    """Return a listed instrument; a reason without a value is left out."""
    instrument, score_e6, rank, previous_rank, score_beat, *reasons_e6 = row
    return RecommendationEntry(
        instrument=instrument,
        score_e6=score_e6,
        rank=rank,
        previous_rank=previous_rank,
        score_beat=score_beat,
        reasons_e6={
            name: value
            for name, value in zip(reason_names, reasons_e6, strict=False)
            if value != NO_REASON
        },
    )
