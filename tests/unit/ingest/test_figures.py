"""Fundamental figures: known from the day after, never on the day itself."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.ingest.recordings import Recorded, record_bars

from tidegate_common.domain.units import Float64Array
from tidegate_common.frames.rows import FIGURES
from tidegate_ingest.adapters.daily_bars import BAR_LAYOUTS
from tidegate_ingest.engine.columns import BarColumns, RawBars
from tidegate_ingest.engine.figures import KnownFigures
from tidegate_ingest.engine.normalizer import normalize_bars
from tidegate_ingest.engine.sequencer import Day

MakeBars = Callable[..., RawBars]
DAYS = ("2023-02-01", "2023-02-02", "2023-02-03")
NAN = float("nan")
BAOSTOCK = BAR_LAYOUTS[0]


def _columns(raw: RawBars) -> BarColumns:
    columns = normalize_bars(raw)
    return columns.take(np.lexsort((columns.instrument, columns.trade_date)))


def known_figures(rows: BarColumns) -> dict[str, Float64Array]:
    """Return the figures of sorted rows, day by day."""
    figures = KnownFigures()
    days = [rows.take(rows.trade_date == date) for date in np.unique(rows.trade_date)]
    known = [cast("dict[str, Float64Array]", figures.of_day(day)) for day in days]
    return {
        name: np.concatenate([np.zeros(0), *(each[name] for each in known)]) for name in FIGURES
    }


def _opened(recording: Recorded[Day]) -> list[dict[str, list[float]]]:
    return [
        {name: getattr(day.reference, name).tolist() for name in FIGURES} for day in recording.days
    ]


def test_known_figures_are_those_of_the_last_row_before(make_bars: MakeBars) -> None:
    """A day's figures are published after its close."""
    raw = make_bars(
        ["sh.600519"] * 3,
        dates=DAYS,
        volume=[1_000.0, 3_000.0, 5_000.0],
        turn=[10.0, 20.0, 30.0],
        pe_ttm=[11.0, -12.0, 13.0],
        pb_mrq=[1.0, 2.0, 3.0],
        ps_ttm=[4.0, 5.0, 6.0],
        pcf_ttm=[7.0, 8.0, 9.0],
    )

    found = known_figures(_columns(raw))

    expected = {
        "float_shares": [NAN, 10_000.0, 15_000.0],
        "pe_ttm": [NAN, 11.0, -12.0],
        "pb_mrq": [NAN, 1.0, 2.0],
        "ps_ttm": [NAN, 4.0, 5.0],
        "pcf_ttm": [NAN, 7.0, 8.0],
        "turnover_rate": [NAN, 0.1, 0.2],
    }
    assert tuple(found) == FIGURES
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)


def test_known_figures_of_one_instrument_are_not_anothers(make_bars: MakeBars) -> None:
    """Rows stand by day, not by instrument, and one share lists a day late."""
    raw = make_bars(
        ["sh.600519", "sh.600000", "sh.600519", "sh.600000", "sz.000333"],
        dates=["2023-02-01", "2023-02-01", "2023-02-02", "2023-02-02", "2023-02-02"],
        pe_ttm=[1.0, 2.0, 3.0, 4.0, 5.0],
    )

    found = known_figures(_columns(raw))

    np.testing.assert_array_equal(found["pe_ttm"], [NAN, NAN, 2.0, 1.0, NAN])


def test_known_figures_after_a_suspended_day_keep_the_last_turnover(make_bars: MakeBars) -> None:
    """A suspended row has no turnover; the float does not vanish with it. Its ratios do go on."""
    raw = make_bars(
        ["sh.600519"] * 3,
        dates=DAYS,
        suspended=[False, True, False],
        volume=[1_000.0, 0.0, 1_000.0],
        turn=[10.0, NAN, 10.0],
        pe_ttm=[11.0, 12.0, 13.0],
    )

    found = known_figures(_columns(raw))

    np.testing.assert_array_equal(found["float_shares"], [NAN, 10_000.0, 10_000.0])
    np.testing.assert_array_equal(found["turnover_rate"], [NAN, 0.1, 0.1])
    np.testing.assert_array_equal(found["pe_ttm"], [NAN, 11.0, 12.0])


@pytest.mark.parametrize("unknown", [0.0, NAN, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["turn", "pe_ttm", "pcf_ttm"])
def test_known_figures_of_an_empty_zero_or_infinite_cell_are_unknown(
    make_bars: MakeBars, name: str, unknown: float
) -> None:
    """Nothing is made up, and no zero of a source becomes the cheapest share of all."""
    raw = make_bars(["sh.600519"] * 2, dates=DAYS[:2], **{name: [unknown, 1.0]})

    found = known_figures(_columns(raw))

    assert all(np.isnan(column).all() for column in found.values())


def test_known_figures_of_a_turnover_next_to_nothing_have_no_infinite_float(
    make_bars: MakeBars,
) -> None:
    """A quotient that overflows is unknown."""
    raw = make_bars(["sh.600519"] * 2, dates=DAYS[:2], turn=1e-306)

    found = known_figures(_columns(raw))

    assert np.isnan(found["float_shares"]).all()
    assert found["turnover_rate"][1] == 1e-308


def test_known_figures_of_no_rows_are_empty(make_bars: MakeBars) -> None:
    """A file of which every row was rejected."""
    rows = _columns(make_bars()).take(np.zeros(0, np.int64))

    assert all(len(column) == 0 for column in known_figures(rows).values())


@pytest.mark.parametrize("changed_from", [1, 2, 3])
def test_open_of_a_day_does_not_see_figures_of_that_day_or_later(
    make_bars: MakeBars, changed_from: int
) -> None:
    """No look-ahead: whatever later rows say, earlier opens stay."""
    names = ("turn", "pe_ttm", "pb_mrq", "ps_ttm", "pcf_ttm", "volume")
    dates = [f"2023-02-0{day}" for day in (1, 2, 3, 4)]
    first = {name: [1.0 + day for day in range(4)] for name in names}
    second = {
        name: [value if day < changed_from else 97.0 for day, value in enumerate(values)]
        for name, values in first.items()
    }

    one, other = (
        _opened(record_bars(make_bars(["sh.600519"] * 4, dates=dates, **numbers)))
        for numbers in (first, second)
    )

    np.testing.assert_equal(one[: changed_from + 1], other[: changed_from + 1])
    assert one[changed_from + 1 :] != other[changed_from + 1 :] or changed_from == 3


@pytest.mark.parametrize("dropped", [(), ("turn",), ("turn", "peTTM", "pbMRQ", "psTTM")])
def test_read_baostock_without_some_figures_says_nan(
    tmp_path: Path, dropped: tuple[str, ...]
) -> None:
    """An export may be of fewer columns; it is the same layout."""
    figures = {"turn": 1.5, "peTTM": -9.5, "pbMRQ": 0.7, "psTTM": 2.0, "pcfNcfTTM": 3.0}
    row = {
        "date": "2023-02-01",
        "code": "sh.600519",
        **dict.fromkeys(("open", "high", "low", "close", "preclose"), 10.0),
        "volume": 100,
        "amount": 1_000.0,
        "tradestatus": 1,
        "isST": 0,
        **{name: value for name, value in figures.items() if name not in dropped},
    }
    path = tmp_path / "daily.parquet"
    pq.write_table(pa.Table.from_pylist([row]), path)

    raw = BAOSTOCK.read(path)

    columns = dict(zip(("turn", "pe_ttm", "pb_mrq", "ps_ttm", "pcf_ttm"), figures, strict=True))
    for name, column in columns.items():
        expected = NAN if column in dropped else figures[column]
        np.testing.assert_array_equal(getattr(raw, name), [expected])


def test_figures_change_nothing_else_of_a_day(make_bars: MakeBars) -> None:
    """Prices, limits and bars are what they were without them."""
    known = make_bars(["sh.600519"] * 3, dates=DAYS, turn=1.0, pe_ttm=5.0)
    unknown = make_bars(["sh.600519"] * 3, dates=DAYS)

    one, other = (record_bars(raw) for raw in (known, unknown))

    for mine, yours in zip(one.days, other.days, strict=True):
        for field in fields(mine.reference):
            if field.name not in FIGURES:
                assert np.array_equal(
                    getattr(mine.reference, field.name), getattr(yours.reference, field.name)
                )
