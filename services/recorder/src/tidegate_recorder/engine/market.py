"""Scores and bars to rows: columns in, rows out only of what is news."""

from collections.abc import Iterable
from itertools import repeat

import numpy as np

from tidegate_common.domain.ids import RunId, format_symbol
from tidegate_common.domain.units import Int64Array
from tidegate_common.errors import ContractError
from tidegate_common.frames.bars import BarBatch
from tidegate_common.frames.frame import Frame, ScoreBatch
from tidegate_common.frames.rows import ReferenceRows
from tidegate_recorder.engine.rows import BarRow, InstrumentRow, ScoreRow

DATE_MIN, DATE_MAX = 1900_01_01, 9999_12_31
_NOTHING: Int64Array = np.zeros(0, np.int64)


class ScoreMemory:
    """What each strategy of a run said last of each instrument: tells the scores that are news.

    The rows in the table are the changes, so the table is the memory too: `restore` takes it from
    there. An instrument that a strategy has no opinion of in a beat keeps its last score.
    """

    def __init__(self) -> None:
        self._last: dict[RunId, dict[str, tuple[Int64Array, Int64Array]]] = {}

    def knows(self, run_id: RunId) -> bool:
        """Tell whether the memory of a run is here."""
        return run_id in self._last

    def restore(self, run_id: RunId, rows: Iterable[tuple[str, int, int]]) -> None:
        """Take up the memory of a run.

        rows : (strategy, instrument, score_e6), each pair once.
        """
        found: dict[str, list[tuple[int, int]]] = {}
        for strategy, instrument, score_e6 in rows:
            found.setdefault(strategy, []).append((instrument, score_e6))
        self._last[run_id] = {
            strategy: _by_instrument(*np.array(pairs, np.int64).T)
            for strategy, pairs in found.items()
        }

    def forget(self, run_id: RunId) -> None:
        """Let go of a run that is over."""
        self._last.pop(run_id, None)

    def take(self, batch: ScoreBatch) -> list[ScoreRow]:
        """Return the rows of the scores that changed, sorted by (strategy, instrument).

        Raises
        ------
        ContractError
            If the date or the name of a strategy cannot be kept.
        """
        check_trade_date(batch.stamp.trade_date)
        for name in batch.strategies:
            if "\0" in name:
                message = f"strategy must be a text without NUL, was {name!r}"
                raise ContractError(message)
        run = self._last.setdefault(batch.stamp.run_id, {})
        edges = np.searchsorted(batch.strategy, np.arange(len(batch.strategies) + 1)).tolist()
        rows: list[ScoreRow] = []
        for number, name in enumerate(batch.strategies):
            part = slice(*edges[number : number + 2])
            instrument, score_e6 = batch.instrument[part], batch.score_e6[part]
            is_news = _merge(run, name, instrument, score_e6)
            rows.extend(
                ScoreRow(
                    run_id=batch.stamp.run_id,
                    trade_date=batch.stamp.trade_date,
                    beat=batch.stamp.beat,
                    strategy=name,
                    instrument=one,
                    score_e6=score,
                    is_ranked=batch.is_ranked[number],
                    ts_event_ns=batch.stamp.ts_event_ns,
                )
                for one, score in zip(
                    instrument[is_news].tolist(),
                    score_e6[is_news].tolist(),
                    strict=True,
                )
            )
        return rows


def bar_rows(batch: BarBatch) -> list[BarRow]:
    """Return a row a bar; raise ContractError if their date cannot be kept."""
    check_trade_date(batch.stamp.trade_date)
    columns = (
        batch.instrument,
        batch.period_seconds,
        batch.ts_end_ns,
        np.full(len(batch), batch.stamp.beat),
        batch.open_e4,
        batch.high_e4,
        batch.low_e4,
        batch.close_e4,
        batch.volume_shares,
        batch.amount_fen,
    )
    lists = (column.tolist() for column in columns)
    # The two that repeat have no end.
    rows = zip(repeat(batch.stamp.run_id), repeat(batch.stamp.trade_date), *lists, strict=False)
    return [BarRow(*row) for row in rows]


def instrument_rows(frame: Frame) -> list[InstrumentRow]:
    """Return a row an instrument of an OPEN frame; none of another."""
    rows, stamp = frame.rows, frame.stamp
    if not isinstance(rows, ReferenceRows):
        return []
    columns = (
        rows.board,
        rows.limit_state,
        rows.is_st,
        rows.is_suspended,
        rows.prev_close_e4,
        rows.limit_up_e4,
        rows.limit_down_e4,
        rows.sector,
    )
    return [
        InstrumentRow(stamp.run_id, stamp.trade_date, one, stamp.beat, format_symbol(one), *told)
        for one, *told in zip(
            rows.instrument.tolist(),
            *(column.tolist() for column in columns),
            strict=True,
        )
    ]


def check_trade_date(trade_date: int) -> None:
    """Raise ContractError if a date is none that a partition can be made for."""
    if not DATE_MIN <= trade_date <= DATE_MAX:
        message = f"trade_date must be a date YYYYMMDD, was {trade_date}"
        raise ContractError(message)


def _merge(
    run: dict[str, tuple[Int64Array, Int64Array]],
    strategy: str,
    instrument: Int64Array,
    score_e6: Int64Array,
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Remember scores and return which of them, (n,) bool, are another than before."""
    known, last_e6 = run.get(strategy, (_NOTHING, _NOTHING))
    place = np.searchsorted(known, instrument)
    is_known = np.zeros(len(instrument), np.bool_)
    inside = place < len(known)
    is_known[inside] = known[place[inside]] == instrument[inside]
    is_news = ~is_known
    is_news[is_known] = last_e6[place[is_known]] != score_e6[is_known]
    last_e6 = last_e6.copy()
    last_e6[place[is_known]] = score_e6[is_known]
    run[strategy] = _by_instrument(
        np.concatenate([known, instrument[~is_known]]),
        np.concatenate([last_e6, score_e6[~is_known]]),
    )
    return is_news


def _by_instrument(instrument: Int64Array, score_e6: Int64Array) -> tuple[Int64Array, Int64Array]:
    order = np.argsort(instrument, kind="stable")
    return instrument[order], score_e6[order]
