"""Frames in, scores out: feed the indicators, ask the strategies.

Rules
-----
- A strategy is asked only about instruments that had an observation in this very beat: a
  suspended one, or one outside continuous trading, keeps its state and gets no score.
- Closes come from BAR beats, and from CLOSE beats of days without BAR beats (there the day's bar
  would count the last close twice).
- On an ex-rights day the previous close that OPEN states differs from the close that we saw; what
  price indicators remember is scaled by it, so that a dividend is no signal.
- Book imbalance starts anew each day.
- Everything is elementwise: any split of the instruments over engines gives the same scores.
"""

from typing import assert_never, cast

import numpy as np

from tidegate_common.domain.enums import BeatKind, Phase
from tidegate_common.domain.units import BoolArray, Float64Array, Int64Array
from tidegate_common.engine import EngineState
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import Frame, ScoreBatch
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.indicator import Series
from tidegate_signals.engine.features.instruments import InstrumentTable
from tidegate_signals.engine.kernels import book_imbalance, to_millionths
from tidegate_signals.engine.strategies.registry import make_strategy
from tidegate_signals.engine.strategies.strategy import Strategy


class SignalsEngine:
    """Scores of a run's strategies for the instruments that it is shown."""

    def __init__(self, spec: RunSpec) -> None:
        self._strategies: dict[str, Strategy] = {}
        for strategy_spec in spec.strategies:
            if strategy_spec.name in self._strategies:
                message = f"strategy names must be unique, {strategy_spec.name} is there twice"
                raise ConfigError(message)
            self._strategies[strategy_spec.name] = make_strategy(strategy_spec)
        self._names = tuple(self._strategies)
        self._board = FeatureBoard(
            indicator for strategy in self._strategies.values() for indicator in strategy.indicators
        )
        self._table = InstrumentTable()
        # The last close in today's shares; 0 until there was one.
        self._close_e4: Int64Array = np.zeros(0, np.int64)
        self._has_bars_today = False

    def on_beat(self, frame: Frame) -> ScoreBatch:
        """Return the scores of a beat, of this frame's instruments only."""
        added = self._table.add(frame.rows.instrument)
        if added:
            self._board.grow(added)
            self._close_e4 = np.concatenate([self._close_e4, np.zeros(added, np.int64)])
        match frame.rows:
            case ReferenceRows() as reference:
                self._open_day(reference)
                return self._batch(frame, [])
            case QuoteRows() as quotes:
                values = _imbalance_of(quotes)
                return self._observe(frame, Series.IMBALANCE, ~np.isnan(values), values)
            case BarRows() as bars:
                is_counted = self._take_bars(frame.stamp.kind, bars)
                closes = bars.close_e4.astype(np.float64)
                return self._observe(frame, Series.CLOSE, is_counted, closes)
            case _:
                assert_never(frame.rows)

    def snapshot(self) -> EngineState:
        """Return the memory; later beats do not change what was returned."""
        return EngineState(
            values={"has_bars_today": self._has_bars_today},
            arrays={
                "instrument": self._table.ids(),
                "close_e4": self._close_e4.copy(),
                **self._board.arrays(),
            },
        )

    def restore(self, state: EngineState) -> None:
        """Take up a memory that an engine of the same run returned."""
        self._has_bars_today = bool(state.values["has_bars_today"])
        self._table.load(cast("Int64Array", state.arrays["instrument"]))
        self._close_e4 = cast("Int64Array", state.arrays["close_e4"].copy())
        self._board.load(state.arrays)

    def _open_day(self, reference: ReferenceRows) -> None:
        self._has_bars_today = False
        self._board.reset(Series.IMBALANCE)
        rows = self._table.rows_of(reference.instrument)
        known_e4, stated_e4 = self._close_e4[rows], reference.prev_close_e4
        is_changed = (known_e4 > 0) & (stated_e4 > 0) & (known_e4 != stated_e4)
        changed = rows[is_changed]
        factors: Float64Array = stated_e4[is_changed] / known_e4[is_changed]
        self._board.scale(Series.CLOSE, changed, factors)
        self._close_e4[changed] = stated_e4[is_changed]

    def _take_bars(self, kind: BeatKind, bars: BarRows) -> BoolArray:
        """Remember the closes; return which of them are observations."""
        is_traded: BoolArray = (bars.volume_shares > 0) & (bars.close_e4 > 0)
        self._close_e4[self._table.rows_of(bars.instrument[is_traded])] = bars.close_e4[is_traded]
        if kind is BeatKind.BAR:
            self._has_bars_today = True
        elif self._has_bars_today:
            return np.zeros_like(is_traded)
        return is_traded

    def _observe(
        self,
        frame: Frame,
        series: Series,
        is_observed: BoolArray,
        values: Float64Array,
    ) -> ScoreBatch:
        instruments = frame.rows.instrument[is_observed]
        rows = self._table.rows_of(instruments)
        self._board.update(series, rows, values[is_observed])
        parts: list[tuple[int, Int64Array, Float64Array]] = []
        for number, strategy in enumerate(self._strategies.values()):
            if strategy.series is series:
                read = [self._board.read(indicator, rows) for indicator in strategy.indicators]
                parts.append((number, instruments, strategy.score(read)))
        return self._batch(frame, parts)

    def _batch(
        self,
        frame: Frame,
        parts: list[tuple[int, Int64Array, Float64Array]],
    ) -> ScoreBatch:
        """Return a batch of (strategy number, instruments, scores), without the NaN ones."""
        empty = np.zeros(0, np.int64)
        numbers, instruments, scores = [empty], [empty], [empty]
        for number, whose, score in parts:
            is_opinion = ~np.isnan(score)
            instruments.append(whose[is_opinion])
            numbers.append(np.full(len(instruments[-1]), number, np.int64))
            scores.append(to_millionths(score[is_opinion]))
        return ScoreBatch(
            frame.stamp,
            frame.shard,
            self._names,
            np.concatenate(numbers),
            np.concatenate(instruments),
            np.concatenate(scores),
        )


def _imbalance_of(quotes: QuoteRows) -> Float64Array:
    """Return the imbalance of each book, NaN outside continuous trading and when one-sided."""
    imbalance = book_imbalance(bid_shares=quotes.bid_shares, ask_shares=quotes.ask_shares)
    return np.where(quotes.phase == Phase.CONTINUOUS, imbalance, np.nan)
