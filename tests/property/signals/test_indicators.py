"""Indicators against plain loops over whole histories: random prices, gaps, late rows, days."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.signals.slow_indicators import History, slow_value

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.observations import Observations
from tidegate_signals.engine.features.spec import Field, InputSpec, Period, parse_input

STEP_COUNT = 60
ROW_COUNT = 5
PRICE_E4_MAX = 3_000_000
TEXTS = (
    "SMA({n})",
    "SMA(imbalance,{n})",
    "SMA(volume,{n})",
    "WMA({n})",
    "EMA({n})",
    "EMA(imbalance,{n})",
    "MACD({n},{m},3).macd",
    "MACD({n},{m},3).signal",
    "MACD({n},{m},3).histogram",
    "RSI({n})",
    "RSI(high,{n})",
    "MOMENTUM({n})",
    "ROC({n})",
    "MAX({n})",
    "MIN(low,{n})",
    "STDDEV({m})",
    "BOLLINGER({m},15).lower",
    "BOLLINGER({m},15).middle",
    "BOLLINGER({m},15).upper",
    "BOLLINGER({m},15).width",
    "BOLLINGER({m},15).percent",
    "DONCHIAN({n}).lower",
    "DONCHIAN({n}).upper",
    "DONCHIAN({n}).middle",
    "DONCHIAN({n}).previous_lower",
    "DONCHIAN({n}).previous_upper",
    "ATR({n})",
    "VWAP",
    "VWAP({n})",
    "OBV",
    "TURNOVER",
)

seeds = st.integers(0, 2**32 - 1)
windows = st.integers(1, 12)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens at once: perhaps a new day with ex-rights, new rows, then observations.

    factors : (k,) of the rows that go ex-rights, 1 for none; before anything else.
    row_count : rows that there are.
    rows : those that are observed.
    """

    is_new_day: bool
    factors: Float64Array
    row_count: int
    rows: Int64Array
    columns: dict[Field, Float64Array]


def random_steps(seed: int) -> Iterator[Step]:
    """Return random walks in whole 1/10,000 CNY; some markets are without gaps or late rows."""
    rng = np.random.default_rng(seed)
    has_gaps, has_late_rows = rng.random() < 0.7, rng.random() < 0.7
    starts = np.sort(rng.integers(0, STEP_COUNT // 2, ROW_COUNT)) * has_late_rows
    price = rng.integers(10_000, 2_000_000, ROW_COUNT)
    for number in range(STEP_COUNT):
        is_new_day = number % 16 == 15
        is_ex_rights = is_new_day & (rng.random(ROW_COUNT) < 0.5)
        factors = np.where(is_ex_rights, rng.uniform(0.3, 1.0, ROW_COUNT), 1.0)
        price = np.maximum(np.rint(price * factors), 1_000).astype(np.int64)
        step = rng.integers(-3, 4, ROW_COUNT) * rng.integers(0, 3_000, ROW_COUNT)
        price = np.maximum(price + step, 1_000)
        row_count = int(np.sum(starts <= number))
        is_seen = rng.random(row_count) >= 0.25 * has_gaps
        rows = np.flatnonzero(is_seen)
        yield Step(
            is_new_day, factors[:row_count], row_count, rows, random_columns(rng, price[rows])
        )


def random_columns(rng: np.random.Generator, close: Int64Array) -> dict[Field, Float64Array]:
    """Return what is observed with some closes."""
    count = len(close)
    volume = rng.integers(0, 4, count) * 100
    imbalance, float_shares = rng.uniform(-1, 1, count), np.full(count, 1e8)
    imbalance[rng.random(count) < 0.2] = np.nan
    float_shares[rng.random(count) < 0.2] = np.nan
    columns: dict[Field, Int64Array | Float64Array] = dict.fromkeys(Field, close)
    columns |= {
        Field.HIGH: close + rng.integers(0, 900, count),
        Field.LOW: close - rng.integers(0, 900, count),
        Field.VOLUME: volume,
        Field.AMOUNT: volume * close // 100,
        Field.IMBALANCE: imbalance,
        Field.FLOAT_SHARES: float_shares,
    }
    return {field: column.astype(np.float64) for field, column in columns.items()}


def make_board(texts: tuple[str, ...] = TEXTS, window: int = 5) -> FeatureBoard:
    """Return a board of some declarations, without rows."""
    return FeatureBoard(spec.indicator for spec in inputs_of(texts, window))


def inputs_of(texts: tuple[str, ...], window: int) -> list[InputSpec]:
    """Return declarations with a window filled in."""
    return [parse_input(text.format(n=window, m=window + 1), Period.BAR) for text in texts]


def take(board: FeatureBoard, step: Step, known_rows: int) -> Observations:
    """Take a board through a step; return what was observed."""
    if step.is_new_day:
        board.begin_day()
        changed = np.flatnonzero(step.factors[:known_rows] != 1.0)
        board.scale(changed, step.factors[changed])
    if step.row_count > known_rows:
        board.grow(step.row_count - known_rows)
    are_all = len(step.rows) == step.row_count
    observations = Observations(slice(None) if are_all else step.rows, step.columns)
    board.update(Period.BAR, observations)
    return observations


def said(board: FeatureBoard, texts: tuple[str, ...], window: int, row_count: int) -> Float64Array:
    """Return what a board says of all rows, (declarations, rows)."""
    rows = np.arange(row_count)
    return np.array([board.read(spec, rows) for spec in inputs_of(texts, window)])


def tolerance_of(text: str) -> float:
    """Return what may differ near 0: the rounding of the prices that a difference comes from."""
    is_price = "imbalance" not in text and not text.startswith(("RSI", "ROC", "TURNOVER"))
    return 1e-13 * PRICE_E4_MAX if is_price and not text.endswith(("width", "percent")) else 1e-10


@pytest.mark.parametrize("text", TEXTS)
@given(seed=seeds, window=windows)
@settings(max_examples=8, deadline=None)
def test_indicator_incremental_equals_whole_history(text: str, seed: int, window: int) -> None:
    """Unseen rows are no observations, late ones start cold, ex-rights days make no jump."""
    spec = parse_input(text.format(n=window, m=window + 1), Period.BAR)
    board = FeatureBoard([spec.indicator])
    histories: list[History] = []

    for step in random_steps(seed):
        for history, factor in zip(histories, step.factors, strict=False):
            if step.is_new_day:
                history.begin_day()
                history.scale(factor)
        observations = take(board, step, len(histories))
        histories += [History() for _ in range(step.row_count - len(histories))]
        for place, row in enumerate(step.rows):
            histories[row].show({field: step.columns[field][place] for field in step.columns})

        found = board.read(spec, observations.rows)

        expected = [slow_value(histories[row], spec) for row in step.rows]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=tolerance_of(text))


@given(seed=seeds, window=windows, part_count=st.integers(1, ROW_COUNT))
@settings(max_examples=25, deadline=None)
def test_indicators_of_parts_equal_those_of_the_whole_to_the_bit(
    seed: int,
    window: int,
    part_count: int,
) -> None:
    """Partitions are invisible: a row's numbers depend on nothing but that row."""
    part_of_row = np.random.default_rng(seed).integers(0, part_count, ROW_COUNT)
    whole, parts = make_board(window=window), [make_board(window=window) for _ in range(part_count)]
    known_rows = 0

    for step in random_steps(seed):
        take(whole, step, known_rows)
        found = np.full((len(TEXTS), step.row_count), np.nan)
        for part, board in enumerate(parts):
            rows = np.flatnonzero(part_of_row[: step.row_count] == part)
            is_mine = np.isin(step.rows, rows)
            piece = Step(
                step.is_new_day,
                step.factors[rows],
                len(rows),
                np.searchsorted(rows, step.rows[is_mine]),
                {field: column[is_mine] for field, column in step.columns.items()},
            )
            take(board, piece, int(np.sum(part_of_row[:known_rows] == part)))
            found[:, rows] = said(board, TEXTS, window, len(rows))
        known_rows = step.row_count

        expected = said(whole, TEXTS, window, step.row_count)
        assert found.tobytes() == expected.tobytes()


@given(seed=seeds, window=windows, crash=st.integers(0, STEP_COUNT - 1))
@settings(max_examples=25, deadline=None)
def test_restored_board_goes_on_as_the_undisturbed_one(seed: int, window: int, crash: int) -> None:
    """A crash leaves no trace, whatever grows or rests afterwards."""
    board = make_board(window=window)
    known_rows = 0

    for number, step in enumerate(random_steps(seed)):
        if number == crash:
            restored = make_board(window=window)
            restored.load({name: array.copy() for name, array in board.arrays().items()})
        take(board, step, known_rows)
        if number >= crash:
            take(restored, step, known_rows)
            found = said(restored, TEXTS, window, step.row_count)
            expected = said(board, TEXTS, window, step.row_count)
            assert found.tobytes() == expected.tobytes()
            assert {name: array.tobytes() for name, array in restored.arrays().items()} == {
                name: array.tobytes() for name, array in board.arrays().items()
            }
        known_rows = step.row_count
