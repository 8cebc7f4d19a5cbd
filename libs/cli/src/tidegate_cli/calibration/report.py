"""The document about the synthetic market beside recorded ones: `docs/synthetic-market.md`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from tidegate_cli.calibration.compared import Compared, Statistic
from tidegate_cli.calibration.days import LAGS, DayFigures
from tidegate_cli.calibration.plot import Panel, panel_chart
from tidegate_cli.calibration.profile import NAMES
from tidegate_cli.calibration.quotes import PRICE_GROUPS, QuoteFigures
from tidegate_cli.calibration.sources import (
    DAILY_FILES,
    SYNTHETIC_DAYS,
    SYNTHETIC_QUOTES,
    Market,
    recorded_market,
    synthetic_market,
)
from tidegate_cli.rules.markdown import table_lines

COMMAND: Final = (
    "tidegate synthetic --data ../shared/data --plot docs/synthetic-market.svg "
    "> docs/synthetic-market.md"
)
_PLOT: Final = "synthetic-market.svg"

_DAY_STATISTICS: Final[tuple[Statistic[DayFigures], ...]] = (
    Statistic("deviation of a day's return", lambda f: f.deviation, 1.2, is_percent=True),
    Statistic("of close to open", lambda f: f.overnight_deviation, 1.25, is_percent=True),
    Statistic("kurtosis of returns (normal: 3)", lambda f: f.kurtosis, 1.2),
    Statistic("autocorrelation of returns, 1 day", lambda f: f.return_memory, points=0.03),
    Statistic("of absolute returns, 1 day", lambda f: f.move_memory[1], points=0.05),
    Statistic("5 days", lambda f: f.move_memory[5], points=0.03),
    Statistic("20 days", lambda f: f.move_memory[20], points=0.03),
    Statistic("closes at the upper limit", lambda f: f.up_part, 1.5, is_percent=True),
    Statistic("closes at the lower limit", lambda f: f.down_part, 1.5, is_percent=True),
    Statistic("correlation within a sector", lambda f: f.within_sector, points=0.08),
    Statistic("across sectors", lambda f: f.across_sectors, points=0.08),
    Statistic("deviation of log volume", lambda f: f.volume_deviation, 1.2),
    Statistic("its autocorrelation, 1 day", lambda f: f.volume_memory, points=0.1),
    Statistic("its correlation with absolute returns", lambda f: f.volume_and_move, points=0.1),
)
_QUOTE_STATISTICS: Final[tuple[Statistic[QuoteFigures], ...]] = (
    Statistic("spread, ticks", lambda f: f.spread_ticks, 1.4),
    Statistic("step between levels, ticks", lambda f: f.gap_ticks, 1.4),
    Statistic("shares at a best price / traded in 3 s", lambda f: f.depth, 2),
    Statistic("at a deeper level / at a best price", lambda f: f.deeper, 1.4),
    Statistic("quotes with a trade", lambda f: f.trade_part, 1.6, is_percent=True),
    Statistic("quotes whose middle stays", lambda f: f.still_part, 1.6, is_percent=True),
    Statistic("autocorrelation of the imbalance", lambda f: f.lean_memory, points=0.1),
)
_PROFILE_POINTS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Calibration:
    """The recorded and the synthetic market."""

    recorded: Market
    synthetic: Market

    def days(self) -> list[Compared]:
        """Return what daily bars say."""
        recorded, synthetic = self.recorded.days.values(), self.synthetic.days.values()
        return [each.compare(tuple(recorded), tuple(synthetic)) for each in _DAY_STATISTICS]

    def quotes(self) -> list[list[Compared]]:
        """Return what quotes say, by price group; nothing of a group that one side lacks."""
        pairs = zip(self.recorded.quotes, self.synthetic.quotes, strict=True)
        return [
            [each.compare((recorded,), (synthetic,)) for each in _QUOTE_STATISTICS]
            if recorded and synthetic
            else []
            for recorded, synthetic in pairs
        ]

    def profile(self) -> list[Compared]:
        """Return which part of the volume each half hour has."""
        pairs = zip(self.recorded.profile.tolist(), self.synthetic.profile.tolist(), strict=True)
        return [
            _half_hour(name).compare((recorded,), (synthetic,))
            for name, (recorded, synthetic) in zip(NAMES, pairs, strict=True)
        ]


def calibrate(data: Path) -> Calibration:
    """Measure the synthetic market and the recorded ones of a directory of data.

    Raises
    ------
    ConfigError
        If a recorded file is missing or cannot be read.
    """
    return Calibration(recorded_market(data), synthetic_market(SYNTHETIC_DAYS, SYNTHETIC_QUOTES))


def calibration_plot(calibration: Calibration) -> str:
    """Return the memory of moves, the profile of the day and the spreads, as an SVG file."""
    recorded, synthetic = calibration.recorded, calibration.synthetic
    memory = Panel(
        "Autocorrelation of absolute returns, days",
        [str(lag) for lag in LAGS],
        [(_memory(recorded, lag), _memory(synthetic, lag)) for lag in LAGS],
    )
    profile = Panel(
        "Part of a day's volume by half hour",
        NAMES,
        list(zip(recorded.profile.tolist(), synthetic.profile.tolist(), strict=True)),
    )
    groups = [
        (_group_name(number), (first.spread_ticks, second.spread_ticks))
        for number, (first, second) in enumerate(
            zip(recorded.quotes, synthetic.quotes, strict=True)
        )
        if first and second
    ]
    spread = Panel(
        "Spread in ticks by price in CNY",
        [name for name, _ in groups],
        [pair for _, pair in groups],
    )
    return panel_chart([memory, profile, spread])


def calibration_document(calibration: Calibration) -> str:
    """Return the whole document."""
    return "\n".join(_lines(calibration)) + "\n"


def _half_hour(name: str) -> Statistic[float]:
    return Statistic(name, float, points=_PROFILE_POINTS, is_percent=True)


def _lines(calibration: Calibration) -> Iterator[str]:
    yield "# How real the synthetic market is"
    yield ""
    yield f"Generated by `{COMMAND}`: do not edit."
    yield ""
    yield from _method()
    yield ""
    yield f"![Synthetic and recorded markets]({_PLOT})"
    yield ""
    yield "## Days"
    yield ""
    header = ("statistic", *DAILY_FILES, "synthetic", "tolerance", "verdict")
    yield from table_lines(header, (each.cells for each in calibration.days()))
    yield ""
    yield "## Quotes"
    header = ("statistic", "recorded", "synthetic", "tolerance", "verdict")
    for number, compared in enumerate(calibration.quotes()):
        recorded = _count(calibration.recorded, number)
        synthetic = _count(calibration.synthetic, number)
        yield ""
        yield f"Shares of {_group_name(number)} CNY, {recorded} and {synthetic} days of a share:"
        yield ""
        yield from table_lines(header, (each.cells for each in compared))
    yield ""
    yield "## Volume by half hour"
    yield ""
    header = ("from", *header[1:])
    yield from table_lines(header, (each.cells for each in calibration.profile()))
    yield ""
    yield from _reading(calibration)


def _method() -> Iterator[str]:
    days, quotes = SYNTHETIC_DAYS, SYNTHETIC_QUOTES
    yield "The same code reads recorded files and the synthetic market, both as the frames that"
    yield f"ingest makes of them. Days: {days[0].instrument_count} shares, {days[0].day_count}"
    yield f"days, the median of seeds {days[0].seed} to {days[-1].seed}, beside two recorded"
    yield f"samples. Quotes: {quotes.instrument_count} shares, {quotes.beats_per_day:,} beats, seed"
    yield f"{quotes.seed}, beside 23 Shanghai shares on the morning of 2021-12-01, three Shenzhen"
    yield "shares on 2022-06-01, and 600519 and 000333 on 2023-02-01 and 02. Volume by half hour:"
    yield "beside 15-minute bars of 115 shares, 2025 to 2026. Where two samples differ the"
    yield "synthetic market may lie anywhere between them; the tolerance is what it may lie beyond."
    yield "Days without a price limit are left out."


def _reading(calibration: Calibration) -> Iterator[str]:
    everything = [
        *calibration.days(),
        *(each for group in calibration.quotes() for each in group),
        *calibration.profile(),
    ]
    others = [each.cells[0] for each in everything if not each.is_alike]
    exceptions = f"; not: {', '.join(others)}" if others else ""
    yield "## Reading"
    yield ""
    yield f"- {len(everything) - len(others)} of {len(everything)} statistics are alike within"
    yield f"  their tolerance{exceptions}."
    yield "- The constants of the model were fitted to these very samples, and the volume by half"
    yield "  hour is taken from those bars: that they are alike shows what the model can do."
    yield "- The recorded quotes are few and chosen: most of those below 10 CNY are of one busy"
    yield "  morning, and the dear ones are of large companies. They trade in more of their quotes"
    yield "  than synthetic shares of their price do, and dear ones stand still more often."
    yield "- What is not there: orders that react to ours, holidays, and years that differ for a"
    yield "  reason. Prices have nothing to do with those of the shares whose codes they borrow."


def _memory(market: Market, lag: int) -> float:
    return median(max(each.move_memory[lag], 0.0) for each in market.days.values())


def _count(market: Market, group: int) -> int:
    figures = market.quotes[group]
    return figures.count if figures else 0


def _group_name(number: int) -> str:
    low, high = PRICE_GROUPS[number]
    if number == 0:
        return f"below {high}"
    return f"{low} and more" if number == len(PRICE_GROUPS) - 1 else f"{low} to {high}"
