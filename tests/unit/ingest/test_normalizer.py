"""Raw columns become integers without losing a fen."""

from collections.abc import Callable

import numpy as np
import pytest

from tidegate_common.domain.enums import Exchange, Phase
from tidegate_ingest.engine.columns import RawBars, RawSnapshots, SnapshotColumns, TextColumn
from tidegate_ingest.engine.normalizer import (
    PHASE_UNKNOWN,
    WHOLE_MAX,
    date_of,
    instrument_of,
    normalize_bars,
    normalize_snapshots,
    phase_of,
    prices_e4,
    whole,
)


def test_prices_e4_of_noisy_floats_are_whole_fen() -> None:
    """Recorded files say 15.929999999999999 for 15.93."""
    price = np.array([15.929999999999999, 79.95999999999998, 1845.76, 0.01, 0.0])

    assert prices_e4(price).tolist() == [159300, 799600, 18457600, 100, 0]


def test_prices_e4_of_what_is_too_large_in_fen_is_the_edge_of_the_range() -> None:
    """A float64 holds it in CNY alone; a feed's fault is no warning of ours."""
    assert prices_e4(np.array([1.7e308])).tolist() == [WHOLE_MAX // 100 * 100]


def test_whole_of_impossible_numbers_stays_in_range() -> None:
    """Casting NaN or infinity to an integer gives whatever the processor likes."""
    numbers = np.array([np.nan, np.inf, -np.inf, -5.0, 1e300, 2.4])

    assert whole(numbers).tolist() == [0, WHOLE_MAX, 0, 0, WHOLE_MAX, 2]


@pytest.mark.parametrize(
    ("word", "exchange", "instrument"),
    [
        ("600519.SH", None, 1600519),
        ("000333.sz", None, 2000333),
        ("sh.600000", None, 1600000),
        ("BJ430047", None, 3430047),
        ("600519", Exchange.SH, 1600519),
        ("333", Exchange.SZ, 2000333),
        ("600519", None, 1600519),
        ("000001", None, 2000001),
        ("920002", None, 3920002),
        ("1", None, 0),
        ("510300", None, 0),
        ("000001.SZSE", None, 2000001),
        ("600519.XSHG", None, 1600519),
        ("", Exchange.SH, 0),
        ("AAPL", Exchange.SH, 0),
        ("600519.HK", None, 0),
    ],
)
def test_instrument_of_codes_in_each_notation_is_one_id(
    word: str,
    exchange: Exchange | None,
    instrument: int,
) -> None:
    """Each source writes codes its own way."""
    assert instrument_of(word, exchange) == instrument


@pytest.mark.parametrize(
    ("word", "date"),
    [
        ("2023-02-01", 20230201),
        ("2023.02.01", 20230201),
        ("20230201", 20230201),
        ("2023-02-01 00:00:00", 20230201),
        ("2023-02-30", 0),
        ("2023-2-1", 0),
        ("2023-02-011", 0),
        ("20230201,20230201", 0),
        ("2023-02.01", 0),
        ("\uff12\uff10\uff12\uff130201", 0),
        ("20xx0201", 0),
        ("", 0),
        ("1990-12-19", 19901219),
        ("1989-12-31", 0),
        ("2099-12-31", 20991231),
        ("9023-02-01", 0),
    ],
)
def test_date_of_texts_is_a_real_date_or_nothing(word: str, date: int) -> None:
    """A date that does not exist must not become a trading day."""
    assert date_of(word) == date


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("START", Phase.CLOSED),
        ("OCALL", Phase.OPEN_CALL),
        ("TRADE", Phase.CONTINUOUS),
        ("SUSP", Phase.HALTED),
        ("CCALL", Phase.CLOSE_CALL),
        ("ENDTR", Phase.CLOSED),
        ("S0      ", Phase.CLOSED),
        ("T0      ", Phase.CONTINUOUS),
        ("T1", Phase.HALTED),
        ("C0", Phase.CLOSE_CALL),
        ("H0", Phase.HALTED),
        ("3", Phase.CONTINUOUS),
        ("4", Phase.LUNCH),
        ("8", Phase.HALTED),
        ("X0", PHASE_UNKNOWN),
        ("NEWWORD", PHASE_UNKNOWN),
        ("", PHASE_UNKNOWN),
    ],
)
def test_phase_of_words_of_both_exchanges_is_one_vocabulary(word: str, phase: int) -> None:
    """A word nobody knows must not pass for trading."""
    assert phase_of(word) == phase


@pytest.mark.parametrize(
    ("word", "seconds", "phase"),
    [
        ("TRADE", 9 * 3600 + 25 * 60 + 1, Phase.PAUSE),
        ("TRADE", 9 * 3600 + 30 * 60, Phase.CONTINUOUS),
        ("TRADE", 11 * 3600 + 30 * 60 + 3, Phase.LUNCH),
        ("TRADE", 13 * 3600, Phase.CONTINUOUS),
        ("3", 14 * 3600 + 57 * 60, Phase.CONTINUOUS),
        ("B0", 9 * 3600 + 26 * 60, Phase.PAUSE),
        ("B0", 12 * 3600, Phase.LUNCH),
        ("B0", 10 * 3600, Phase.PAUSE),
        ("H0", 12 * 3600, Phase.HALTED),
    ],
)
def test_normalize_snapshots_in_breaks_takes_the_tables_phase(
    make_snapshots: Callable[..., RawSnapshots],
    word: str,
    seconds: int,
    phase: Phase,
) -> None:
    """SSE says TRADE over lunch, SZSE says B in both breaks; else the feed's word stands."""
    raw = make_snapshots(seconds=[seconds - 34_200], phases=word)

    assert normalize_snapshots(raw).phase.tolist() == [phase]


def test_normalize_snapshots_of_an_unreadable_time_has_no_date(
    make_snapshots: Callable[..., RawSnapshots],
) -> None:
    """-1 must not become a day of 1970."""
    raw = make_snapshots(["600519", "600519"])
    raw.ts_event_ns[1] = -1

    columns = normalize_snapshots(raw)

    assert columns.trade_date.tolist() == [20230201, 0]


def test_normalize_snapshots_keeps_amounts_to_the_fen(
    make_snapshots: Callable[..., RawSnapshots],
) -> None:
    """Six billion CNY still has its fen in a float64."""
    raw = make_snapshots(volume=3397389.0, amount=6244678900.37)

    columns = normalize_snapshots(raw)

    assert columns.amount_fen.tolist() == [624467890037]
    assert columns.volume_shares.tolist() == [3397389]


def test_normalize_bars_of_a_suspended_share_is_its_last_close(
    make_bars: Callable[..., RawBars],
) -> None:
    """Nothing was traded, whatever the file leaves in the other columns."""
    raw = make_bars(suspended=True, open=0.0, high=0.0, low=0.0, close=48.85, volume=7.0)

    bars = normalize_bars(raw)

    assert bars.open_e4.tolist() == bars.high_e4.tolist() == bars.low_e4.tolist() == [488500]
    assert bars.volume_shares.tolist() == bars.amount_fen.tolist() == [0]


def test_text_column_without_rows_maps_to_nothing() -> None:
    """An empty file is no error here."""
    column = TextColumn((), np.zeros(0, np.int64))

    assert column.map_words(date_of).tolist() == []


def test_columns_concat_keeps_the_order_of_the_parts(
    make_snapshots: Callable[..., RawSnapshots],
) -> None:
    """Checks that compare rows need the order of the files."""
    first = normalize_snapshots(make_snapshots(["600519", "600000"]))
    second = normalize_snapshots(make_snapshots(["600001"]))

    joined = SnapshotColumns.concat([first, second])

    assert joined.instrument.tolist() == [1600519, 1600000, 1600001]
    assert len(joined.take(joined.instrument == 1600000)) == 1
