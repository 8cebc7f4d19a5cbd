"""Which scores are news, and bars as rows."""

from dataclasses import replace

import numpy as np
import pytest

from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ContractError
from tidegate_common.frames.frame import ScoreBatch
from tidegate_common.testing.builders import make_bar_batch, make_scores, make_stamp
from tidegate_recorder.engine.market import ScoreMemory, bar_rows
from tidegate_recorder.engine.rows import BarRow, ScoreRow

RUN = RunId("run-1")


def batch(beat: int, said: dict[str, dict[int, int]], *, run_id: str = "run-1") -> ScoreBatch:
    """Return scores by strategy and instrument."""
    rows = [
        (number, instrument, score)
        for number, scores in enumerate(said.values())
        for instrument, score in sorted(scores.items())
    ]
    strategy, instrument, score_e6 = np.array(rows, np.int64).reshape(-1, 3).T
    return replace(
        make_scores(),
        stamp=make_stamp(beat, run_id=run_id),
        strategies=tuple(said),
        is_ranked=tuple(name == "ranked" for name in said),
        reason_names=((),) * len(said),
        strategy=strategy,
        instrument=instrument,
        score_e6=score_e6,
    )


def news(memory: ScoreMemory, scores: ScoreBatch) -> list[tuple[str, int, int]]:
    """Return what of a batch is another than before."""
    return [(row.strategy, row.instrument, row.score_e6) for row in memory.take(scores)]


def test_scores_of_before_are_no_news() -> None:
    """An instrument without an opinion keeps its last score."""
    memory = ScoreMemory()
    a, b, c = 1_600_000, 1_600_001, 2_000_001

    first = news(memory, batch(0, {"x": {a: 1, c: 3}, "y": {a: 1}}))
    second = news(memory, batch(1, {"x": {a: 1, b: 2, c: 4}, "y": {}}))
    third = news(memory, batch(2, {"x": {}, "y": {a: 1, b: 7}}))

    assert first == [("x", a, 1), ("x", c, 3), ("y", a, 1)]
    assert second == [("x", b, 2), ("x", c, 4)]
    assert third == [("y", b, 7)]


def test_scores_row_has_all_that_a_page_shows() -> None:
    """A ranked strategy's number is raw until the shards meet, and says so."""
    scores = batch(3, {"ranked": {1_600_000: 5}})

    (row,) = ScoreMemory().take(scores)

    time = scores.stamp.ts_event_ns
    assert row == ScoreRow(
        "run-1", 20230201, 3, "ranked", 1_600_000, 5, is_ranked=True, ts_event_ns=time
    )


def test_scores_of_another_run_are_news() -> None:
    """Runs know nothing of one another."""
    memory = ScoreMemory()
    news(memory, batch(0, {"x": {1_600_000: 1}}))

    assert news(memory, batch(0, {"x": {1_600_000: 1}}, run_id="run-2")) == [("x", 1_600_000, 1)]


def test_memory_taken_up_from_its_rows_is_the_same() -> None:
    """After a restart the same rows are written."""
    whole, half = ScoreMemory(), ScoreMemory()
    log = [
        batch(beat, {"x": {1_600_000 + n: beat // (n + 1) for n in range(5)}}) for beat in range(9)
    ]
    expected = [row for each in log for row in whole.take(each)]
    before = [row for each in log[:4] for row in half.take(each)]
    last = {(row.strategy, row.instrument): row.score_e6 for row in before}

    again = ScoreMemory()
    again.restore(RUN, [(*key, score) for key, score in reversed(last.items())])
    after = [row for each in log[4:] for row in again.take(each)]

    assert before + after == expected
    assert again.knows(RUN)


def test_memory_of_a_run_that_is_over_is_let_go() -> None:
    """Runs follow one another for years."""
    memory = ScoreMemory()
    memory.take(batch(0, {"x": {1_600_000: 1}}))

    memory.forget(RUN)
    memory.forget(RUN)

    assert not memory.knows(RUN)


def test_scores_that_cannot_be_kept_are_refused() -> None:
    """One bad row would stop the whole transaction, for ever."""
    memory = ScoreMemory()
    undated = batch(0, {"x": {1_600_000: 1}})
    undated = replace(undated, stamp=replace(undated.stamp, trade_date=7))

    with pytest.raises(ContractError, match="strategy must be a text without NUL"):
        memory.take(batch(0, {"x\0": {1_600_000: 1}}))
    with pytest.raises(ContractError, match="trade_date must be a date"):
        memory.take(undated)

    assert not memory.knows(RUN)


def test_bars_become_a_row_each() -> None:
    """Column by column."""
    bars = make_bar_batch(4, row_count=2)

    rows = bar_rows(bars)

    assert len(rows) == len(bars)
    assert rows[1] == BarRow(
        run_id=bars.stamp.run_id,
        trade_date=20230201,
        instrument=int(bars.instrument[1]),
        period_seconds=int(bars.period_seconds[1]),
        ts_end_ns=int(bars.ts_end_ns[1]),
        beat=4,
        open_e4=int(bars.open_e4[1]),
        high_e4=int(bars.high_e4[1]),
        low_e4=int(bars.low_e4[1]),
        close_e4=int(bars.close_e4[1]),
        volume_shares=int(bars.volume_shares[1]),
        amount_fen=int(bars.amount_fen[1]),
    )


def test_bars_of_a_date_that_is_none_are_refused() -> None:
    """No partition can be made for it."""
    bars = make_bar_batch()

    with pytest.raises(ContractError, match="trade_date must be a date"):
        bar_rows(replace(bars, stamp=replace(bars.stamp, trade_date=0)))
