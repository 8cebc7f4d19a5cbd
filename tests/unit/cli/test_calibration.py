"""Statistics of markets: on markets made by hand, and on a small synthetic one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tidegate_cli.calibration.compared import Statistic
from tidegate_cli.calibration.days import DAYS_MIN, DayTable
from tidegate_cli.calibration.plot import Panel, panel_chart
from tidegate_cli.calibration.profile import profile_of_bars, profile_of_frames
from tidegate_cli.calibration.quotes import QUOTES_MIN, QuoteTable
from tidegate_cli.calibration.report import Calibration, calibration_document, calibration_plot
from tidegate_cli.calibration.sources import recorded_market, synthetic_market
from tidegate_common.domain.enums import LimitState, Phase
from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import SyntheticSpec
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_common.testing.builders import make_bar_rows, make_quote_rows, make_reference_rows
from tidegate_ingest.engine.synthetic.market import SyntheticMarket

DAYS = SyntheticSpec(seed=7, instrument_count=20, day_count=DAYS_MIN + 20, beats_per_day=1)
QUOTES = SyntheticSpec(seed=7, instrument_count=8, day_count=1, beats_per_day=600)


def make_day(close_e4: int, volume_shares: int = 1_000) -> tuple[ReferenceRows, BarRows]:
    """Return a day of two shares from 10 CNY on; the second one's return is half the first's."""
    reference = replace(make_reference_rows(2), prev_close_e4=np.full(2, 100_000))
    closes = np.array([close_e4, 100_000 + (close_e4 - 100_000) // 2])
    bars = replace(
        make_bar_rows(2),
        open_e4=np.full(2, 100_000),
        close_e4=closes,
        volume_shares=np.full(2, volume_shares),
    )
    return reference, bars


def test_day_table_of_two_shares_says_what_they_do() -> None:
    """Up and down in turn, far and less far: what goes up comes down, and both move alike."""
    table = DayTable()
    for number in range(DAYS_MIN):
        table.add(*make_day((110_000, 90_000, 104_000, 96_000)[number % 4], 1_000 + number % 7))

    figures = table.figures({1_600_000: "bank", 1_600_001: "bank"})

    assert (figures.share_count, figures.day_count) == (2, DAYS_MIN)
    assert figures.deviation == pytest.approx(0.75 * 0.0058**0.5)
    assert figures.overnight_deviation == 0
    assert figures.kurtosis == pytest.approx(1.524, abs=0.001)
    assert figures.return_memory == pytest.approx(-0.845, abs=0.01)
    assert figures.within_sector == pytest.approx(1)
    assert (figures.up_part, figures.down_part) == (0.125, 0.125)


def test_day_table_leaves_out_days_without_limit_and_without_trade() -> None:
    """A first day's return is of another kind, and no trade is no return."""
    table = DayTable()
    reference, bars = make_day(110_000)
    unlimited = np.full(2, LimitState.UNLIMITED, np.uint8)

    for number in range(DAYS_MIN):
        table.add(*make_day((101_000, 99_000, 100_500)[number % 3], 1_000 + number % 7))
    table.add(replace(reference, limit_state=unlimited), bars)
    table.add(reference, replace(bars, volume_shares=np.zeros(2, np.int64)))

    figures = table.figures({1_600_000: "bank", 1_600_001: "liquor"})
    assert figures.up_part == 0
    assert figures.deviation < 0.01
    assert figures.across_sectors == pytest.approx(1)
    assert np.isnan(figures.within_sector)


def make_quotes(beat: int) -> QuoteRows:
    """Return a share at 10 CNY with a spread of two ticks, which trades in every second beat."""
    rows = make_quote_rows(1)
    return replace(
        rows,
        volume_shares=np.array([beat // 2 * 300]),
        bid_shares=np.full((1, 5), 450),
        ask_shares=np.array([[450 + beat % 3, 900, 900, 900, 900]]),
    )


def test_quote_table_of_one_share_says_what_its_book_is_like() -> None:
    """Spread, steps, depth by what trades, and how often something happens."""
    table = QuoteTable()

    table.add_day([make_quotes(beat) for beat in range(QUOTES_MIN + 1)])

    first, second, third = table.figures()
    assert first is None
    assert third is None
    assert second is not None
    assert second.count == 1
    assert second.spread_ticks == pytest.approx(2)
    assert second.gap_ticks == pytest.approx(1)
    assert second.depth == pytest.approx(3, rel=0.01)
    assert second.deeper == pytest.approx(1.5, rel=0.01)
    assert (second.trade_part, second.still_part) == (0.5, 1)


def test_quote_table_leaves_out_calls_sealed_books_and_short_days() -> None:
    """They have no spread, or too little to say."""
    table = QuoteTable()
    call = replace(make_quotes(0), phase=np.array([Phase.OPEN_CALL], np.uint8))
    sealed = replace(make_quotes(0), ask_price_e4=np.zeros((1, 5), np.int64))

    table.add_day([call] * QUOTES_MIN + [sealed] * QUOTES_MIN + [make_quotes(0)] * 10)

    assert table.figures() == [None, None, None]


def test_profile_of_bars_is_the_mean_part_of_each_half_hour() -> None:
    """Each day of a share counts alike, however much it trades; one without trade not at all."""
    day = np.array([0, 0, 1, 1, 2])
    end_seconds = np.array([34_500, 54_000, 36_000, 46_800 + 900, 36_000])
    volume = np.array([100, 300, 10, 30, 0])

    parts = profile_of_bars(day, end_seconds, volume)

    assert parts.tolist() == [0.25, 0, 0, 0, 0.375, 0, 0, 0.375]


def test_profile_of_frames_has_the_calls_in_the_first_and_last_half_hour() -> None:
    """Parts add up to the day, and most is traded when it begins."""
    parts = profile_of_frames(SyntheticMarket(QUOTES).frames(RunId("r")))

    assert parts.sum() == pytest.approx(1)
    assert parts.argmax() == 0
    assert parts[-1] > parts[-2]


def test_statistic_within_its_tolerance_is_alike() -> None:
    """Recorded markets differ: between them, and a little beyond, all is well."""
    by_factor = Statistic("spread", float, 2.0)
    by_points = Statistic("part", float, points=0.1, is_percent=True)

    assert by_factor.compare((1.0, 3.0), (0.4, 5.9, 70.0)).cells == (
        *("spread", "1", "3", "5.9"),
        *("x 2", "alike"),
    )
    assert by_factor.compare((1.0,), (0.4,)).cells[-1] == "too low"
    assert by_points.compare((0.2,), (0.31,)).cells[-1] == "too high"
    assert by_points.compare((0.2,), (0.11,)).is_alike
    assert by_points.compare((0.2,), (0.11,)).cells[1:4] == ("20.00%", "11.00%", "± 10.00%")


def test_panel_chart_has_a_pair_of_bars_for_every_label() -> None:
    """The tallest bar fills its panel."""
    text = panel_chart([Panel("A & B", ["x", "y"], [(0.0, 2.0), (1.0, 1.0)])])

    assert text.count('width="14"') == 4
    assert 'height="160" fill="#1f6feb"' in text
    assert "A &amp; B" in text


def test_calibration_of_a_market_beside_itself_is_alike_in_everything() -> None:
    """The document counts what is alike and names what is not."""
    market = synthetic_market((DAYS,), QUOTES)
    other = replace(market, profile=market.profile[::-1])

    same = Calibration(market, market)
    document = calibration_document(Calibration(market, other))

    everything = [
        *same.days(),
        *same.profile(),
        *(each for group in same.quotes() for each in group),
    ]
    assert all(each.is_alike for each in everything)
    assert "tolerance; not: 9:30," in document
    assert calibration_plot(same).count("<svg") == 1


def test_recorded_market_without_its_files_is_one_line(tmp_path: Path) -> None:
    """The line names the file and the option."""
    with pytest.raises(ConfigError, match=r"baostock.* is not there: --data names a directory"):
        recorded_market(tmp_path)
