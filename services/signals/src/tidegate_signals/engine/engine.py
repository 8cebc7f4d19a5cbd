"""Frames in, scores and bars out: feed the indicators, ask the strategies.

Rules
-----
- A strategy is asked only about instruments that had an observation of its period in this very
  beat: a suspended one, or one outside continuous trading, keeps its state and gets no score.
- Period BAR is fed by BAR beats, and by CLOSE beats of days without BAR beats (there the day's bar
  would count the last close twice). Period DAY is fed by CLOSE beats.
- On an ex-rights day the previous close that OPEN states differs from the close that we saw; the
  prices that indicators remember are scaled by it, so that a dividend is no signal.
- Day figures are those that the day's OPEN beat states: known before the day began.
- During the run's warm-up days indicators are fed and nobody is asked.
- Everything is elementwise: any split of the instruments over engines gives the same scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never, cast

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.units import BoolArray, Float64Array, Int64Array
from tidegate_common.engine import EngineState
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.bars import BarBatch
from tidegate_common.frames.frame import Frame, ScoreBatch
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_signals.engine.bars import BarBuilder, CompletedBars
from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.instruments import InstrumentTable
from tidegate_signals.engine.features.observations import Observations, RowIndex
from tidegate_signals.engine.features.spec import Field, Period
from tidegate_signals.engine.figures import DayFigures
from tidegate_signals.engine.published_bars import bar_batch
from tidegate_signals.engine.quotes import QuoteTape, is_observed
from tidegate_signals.engine.seats import Answer, Seat, answer_of, batch_of
from tidegate_signals.engine.strategies.registry import STRATEGY_KINDS
from tidegate_signals.engine.strategies.strategy import Day, Strategy


@dataclass(frozen=True, slots=True)
class SignalsOutput:
    """What signals says of a beat.

    bars : None when no bar was completed.
    """

    scores: ScoreBatch
    bars: BarBatch | None


class SignalsEngine:
    """Scores of a run's strategies for the instruments that it is shown, and their bars.

    Parameters
    ----------
    kinds : strategy classes by kind, those of users included.

    Raises
    ------
    ConfigError
        If a strategy's name, kind, parameters or inputs are wrong.
    """

    def __init__(
        self,
        spec: RunSpec,
        kinds: Mapping[str, type[Strategy]] = STRATEGY_KINDS,
    ) -> None:
        self._seats = tuple(
            Seat.take(number, each, kinds) for number, each in enumerate(spec.strategies)
        )
        _require_unique([seat.name for seat in self._seats])
        self._warmup_days = spec.warmup_days
        self._board = FeatureBoard(
            each.indicator for seat in self._seats for each in seat.indicators.values()
        )
        self._fed = {period: self._seats_of(period) for period in Period}
        self._fields = {
            period: self._board.fields(period).union(
                *(seat.fields.values() for seat in self._fed[period]),
            )
            for period in Period
        }
        self._table = InstrumentTable()
        self._tape = QuoteTape()
        self._bars = BarBuilder()
        self._figures = DayFigures()
        # The last close in today's shares; 0 until there was one, and of what has traded in a day
        # whose CLOSE beat is to come: should that be lost, the next OPEN beat states a move.
        self._close_e4: Int64Array = np.zeros(0, np.int64)
        self._has_bars_today = False
        self._day = Day(0, is_month_start=False)
        self._ended_days = 0

    def on_beat(self, frame: Frame) -> SignalsOutput:
        """Return the scores and the completed bars of a beat, of this frame's instruments only."""
        self._grow(self._table.add(frame.rows.instrument))
        match frame.rows:
            case ReferenceRows() as reference:
                self._open_day(frame.stamp.trade_date, reference)
                return self._output(frame, [], [])
            case QuoteRows() as quotes:
                return self._take_quotes(frame, quotes)
            case BarRows() as bars:
                return self._take_bars(frame, bars)
            case _:
                assert_never(frame.rows)

    def snapshot(self) -> EngineState:
        """Return the memory; later beats do not change what was returned."""
        return EngineState(
            values={
                "has_bars_today": self._has_bars_today,
                "trade_date": self._day.trade_date,
                "is_month_start": self._day.is_month_start,
                "ended_days": self._ended_days,
            },
            arrays={
                name: array.copy()
                for name, array in {
                    "instrument": self._table.ids(),
                    "close_e4": self._close_e4,
                    **_prefixed("tape", self._tape.arrays()),
                    **_prefixed("bars", self._bars.arrays()),
                    **_prefixed("figures", self._figures.arrays()),
                    **_prefixed("board", self._board.arrays()),
                }.items()
            },
        )

    def restore(self, state: EngineState) -> None:
        """Take up a memory that an engine of the same run returned."""
        values = state.values
        arrays = {name: array.copy() for name, array in state.arrays.items()}
        self._has_bars_today = bool(values["has_bars_today"])
        self._day = Day(cast("int", values["trade_date"]), bool(values["is_month_start"]))
        self._ended_days = cast("int", values["ended_days"])
        self._table.load(cast("Int64Array", arrays["instrument"]))
        self._close_e4 = cast("Int64Array", arrays["close_e4"])
        self._tape.load(_part_of("tape", arrays))
        self._bars.load(_part_of("bars", arrays))
        self._figures.load(_part_of("figures", arrays))
        self._board.load(_part_of("board", arrays))

    def _grow(self, added: int) -> None:
        if not added:
            return
        for part in (self._board, self._tape, self._bars, self._figures):
            part.grow(added)
        self._close_e4 = np.concatenate([self._close_e4, np.zeros(added, np.int64)])

    def _open_day(self, trade_date: int, reference: ReferenceRows) -> None:
        before = self._day.trade_date
        self._ended_days += before > 0
        self._day = Day(trade_date, is_month_start=trade_date // 100 != before // 100)
        self._has_bars_today = False
        for part in (self._board, self._tape, self._bars):
            part.begin_day()
        rows = self._table.rows_of(reference.instrument)
        self._figures.begin_day(rows, reference)
        known_e4, stated_e4 = self._close_e4[rows], reference.prev_close_e4
        is_changed = (known_e4 > 0) & (stated_e4 > 0) & (known_e4 != stated_e4)
        changed = _chosen(rows, is_changed)
        factors: Float64Array = stated_e4[is_changed] / known_e4[is_changed]
        if len(changed):
            self._board.scale(changed, factors)
        self._close_e4[rows] = np.where(stated_e4 > 0, stated_e4, known_e4)

    def _take_quotes(self, frame: Frame, quotes: QuoteRows) -> SignalsOutput:
        rows = self._table.rows_of(quotes.instrument)
        self._close_e4[rows] *= quotes.volume_shares == 0
        completed = self._bars.take_quotes(frame.stamp.ts_event_ns, rows, quotes)
        answers = self._feed_completed(completed)
        if self._fields[Period.BEAT]:
            is_fed = is_observed(quotes)
            if not is_fed.all():
                rows, quotes = _chosen(rows, is_fed), quotes.take(is_fed)
            columns = self._tape.observe(rows, quotes, self._fields[Period.BEAT])
            answers += self._feed(Period.BEAT, rows, columns)
        return self._output(frame, answers, completed)

    def _take_bars(self, frame: Frame, bars: BarRows) -> SignalsOutput:
        """Feed a bar of the feed, or the day's own, to the periods that it completes."""
        is_close = frame.stamp.kind is BeatKind.CLOSE
        is_traded: BoolArray = (bars.volume_shares > 0) & (bars.close_e4 > 0)
        if not is_traded.all():
            bars = bars.take(is_traded)
        rows = self._table.rows_of(bars.instrument)
        self._close_e4[rows] = bars.close_e4
        if is_close:
            completed = self._bars.close_day()
        else:
            self._has_bars_today = True
            completed = self._bars.take_bars(frame.stamp.ts_event_ns, rows, bars)
        answers = self._feed_completed(completed)
        columns = _bar_columns(bars)
        if not (is_close and self._has_bars_today):
            answers += self._feed(Period.BAR, rows, columns)
        if is_close:
            answers += self._feed(Period.DAY, rows, columns)
        return self._output(frame, answers, completed, bars if is_close else None)

    def _feed_completed(self, completed: tuple[CompletedBars, ...]) -> list[Answer]:
        answers: list[Answer] = []
        for bars in completed:
            answers += self._feed(bars.period, bars.rows, _bar_columns(bars))
        return answers

    def _feed(
        self,
        period: Period,
        rows: RowIndex,
        columns: dict[Field, Float64Array],
    ) -> list[Answer]:
        """Feed a period's indicators, and return what its strategies answer."""
        wanted = self._fields[period]
        if not wanted:
            return []
        columns |= self._figures.columns(rows, wanted)
        observations = Observations(rows, columns)
        self._board.update(period, observations)
        if self._ended_days < self._warmup_days:
            return []
        instruments = self._table.instruments_of(rows)
        return [
            answer_of(seat, instruments, seat.ask(self._day, self._board, observations))
            for seat in self._fed[period]
        ]

    def _output(
        self,
        frame: Frame,
        answers: list[Answer],
        completed: list[CompletedBars] | tuple[CompletedBars, ...],
        day: BarRows | None = None,
    ) -> SignalsOutput:
        parts = [(bars, self._table.instruments_of(bars.rows)) for bars in completed]
        bars = bar_batch(frame.stamp, frame.shard, parts, day)
        return SignalsOutput(batch_of(frame.stamp, frame.shard, self._seats, answers), bars)

    def _seats_of(self, period: Period) -> tuple[Seat, ...]:
        return tuple(seat for seat in self._seats if seat.period is period)


def _require_unique(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            message = f"strategy names must be unique, {name} is there twice"
            raise ConfigError(message)


def _chosen(rows: RowIndex, mask: BoolArray) -> Int64Array:
    """Return the rows that a mask over them chooses."""
    if isinstance(rows, slice):
        return np.flatnonzero(mask)
    return rows[mask]


def _bar_columns(bars: BarRows | CompletedBars) -> dict[Field, Float64Array]:
    return {
        Field.OPEN: bars.open_e4.astype(np.float64),
        Field.HIGH: bars.high_e4.astype(np.float64),
        Field.LOW: bars.low_e4.astype(np.float64),
        Field.CLOSE: bars.close_e4.astype(np.float64),
        Field.VOLUME: bars.volume_shares.astype(np.float64),
        Field.AMOUNT: bars.amount_fen.astype(np.float64),
    }


def _prefixed(
    prefix: str,
    arrays: Mapping[str, NDArray[np.generic]],
) -> dict[str, NDArray[np.generic]]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _part_of(
    prefix: str,
    arrays: Mapping[str, NDArray[np.generic]],
) -> dict[str, NDArray[np.generic]]:
    start = f"{prefix}/"
    return {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }
