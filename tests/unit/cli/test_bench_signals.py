"""The bench of the indicators: all sides compute the same, and it measures what it says."""

import math

import numpy as np
import pytest

from tidegate_cli.bench import BenchOptions, find_bench
from tidegate_cli.bench.indicator_peers import (
    OUTPUTS,
    PANDAS_WINDOW,
    PandasPeer,
    TaLibPeer,
    TalippPeer,
    check_peers,
)
from tidegate_cli.bench.market import Series, make_frames, make_open, make_series
from tidegate_cli.bench.signals import WARM_FRAMES, IndicatorPath, steady
from tidegate_common.domain.units import Float64Array
from tidegate_common.errors import ConfigError
from tidegate_common.frames.codec import decode_frame, encode_frame
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.runtime.system_clock import SystemClock

INSTRUMENTS = 7
# As many as pandas looks back on, so that it has seen what the others have.
BEATS = PANDAS_WINDOW
RELATIVE = 1e-9
# talipp and pandas begin recursive averages otherwise than Wilder and TA-Lib, which shows for long.
EXACT_EVERYWHERE = ("SMA(20)", "BOLLINGER(20,20).upper", "BOLLINGER(20,20).lower", "VWAP")


@pytest.fixture(scope="module")
def series() -> Series:
    """Return a small market."""
    return make_series(INSTRUMENTS, BEATS)


@pytest.fixture(scope="module")
def expected(series: Series) -> Float64Array:
    """Return what Tidegate's indicators say after the last beat."""
    path = IndicatorPath()
    values: list[Float64Array] = []
    for frame in make_frames(series):
        assert isinstance(frame.rows, QuoteRows)
        values = path.take(frame.rows)
    return np.array(values)


def test_indicators_agree_with_ta_lib(series: Series, expected: Float64Array) -> None:
    """A ratio of two programs that compute different things says nothing."""
    peer = TaLibPeer(series, WARM_FRAMES)
    for beat in range(WARM_FRAMES, BEATS):
        peer.update(beat)

    found = peer.values()

    assert found.shape == expected.shape == (len(OUTPUTS), INSTRUMENTS)
    # A MACD is a difference of averages, so it is as exact as these: near 0 not relative to itself.
    np.testing.assert_allclose(expected, found, rtol=RELATIVE, atol=RELATIVE)


def test_indicators_agree_with_talipp(series: Series, expected: Float64Array) -> None:
    """The peer of the goal does the same work."""
    peer = TalippPeer(series, WARM_FRAMES)
    for beat in range(WARM_FRAMES, BEATS):
        peer.update(beat)

    found = peer.values()

    places = [OUTPUTS.index(name) for name in EXACT_EVERYWHERE]
    np.testing.assert_allclose(expected[places], found[places], rtol=RELATIVE)
    np.testing.assert_allclose(expected, found, rtol=0.05)


def test_indicators_agree_with_pandas(series: Series, expected: Float64Array) -> None:
    """A recompute over all rows is the plainest reference."""
    peer = PandasPeer(series)
    peer.update(BEATS - 1)

    found = peer.values()

    places = [OUTPUTS.index(name) for name in EXACT_EVERYWHERE]
    np.testing.assert_allclose(expected[places], found[places], rtol=RELATIVE)
    np.testing.assert_allclose(expected, found, rtol=0.05)


def test_make_frames_are_whole_frames_of_the_series(series: Series) -> None:
    """The decoder's checks pass, and turnover adds up to what the series says."""
    frames = [decode_frame(encode_frame(frame)) for frame in make_frames(series)]

    last = frames[-1].rows
    assert isinstance(last, QuoteRows)
    assert last.volume_shares.tolist() == series.volume_shares.sum(axis=0).tolist()
    assert last.amount_fen.tolist() == series.amount_fen.sum(axis=0).tolist()
    assert last.last_e4.tolist() == series.last_e4[-1].tolist()
    assert [frame.stamp.beat for frame in frames] == list(range(1, BEATS + 1))
    assert make_open(INSTRUMENTS).rows.instrument.tolist() == last.instrument.tolist()


def test_steady_counts_what_comes_once_in_a_stretch_but_not_a_hiccup() -> None:
    """A fold every 20th frame is ours, a pause of the machine is not."""
    folds = np.tile([*[1.0] * 19, 21.0], (2, 3))
    hiccups = folds.copy()
    hiccups[0, [5, 19]] = 10_000.0
    hiccups[1, 27] = 10_000.0

    assert steady(folds) == 2.0
    assert steady(hiccups) == 2.0
    assert steady(folds[:, :59]) == 2.0
    assert steady(folds[:, 18:20]) == 11.0


def test_check_peers_missing_program_says_what_to_install() -> None:
    """One line that can be copied."""
    check_peers()
    with pytest.raises(ConfigError, match=r"compares with no-such, .*`pip install no-such`"):
        check_peers({"no_such_module": "no-such", "talib": "ta-lib"})


def test_bench_signals_reports_its_goals_and_its_ratios() -> None:
    """Programs compare runs by these names."""
    options = BenchOptions(SystemClock(), instrument_count=12, frame_count=3)

    report = find_bench("signals").run(options)

    assert [(each.metric, each.goal) for each in report.results] == [
        ("decode_us_p50", None),
        ("decode_us_p99", None),
        ("indicators_us_p50", None),
        ("indicators_us_p99", None),
        ("decode_and_indicators_us_p50", 800.0),
        ("decode_and_indicators_us_p99", None),
        ("updates_per_s", None),
        ("beat_us_p50", None),
        ("beat_us_p99", None),
        ("scores_us", None),
        ("state_mb", 256.0),
        ("state_resident_mb", None),
        ("ta_lib_ns_per_update", None),
        ("talipp_ns_per_update", None),
        ("pandas_ns_per_update", None),
        ("tidegate_ns_per_update", None),
        ("talipp_times", 100.0),
    ]
    assert set(report.ratios) == {
        f"{name}_over_tidegate" for name in ("ta_lib", "talipp", "pandas")
    }
    assert all(math.isfinite(each.value) for each in report.results)
    assert all(each.value > 0 for each in report.results if each.metric != "state_resident_mb")
    assert report.notes[0].startswith("12 instruments, 3 beats after 40")
