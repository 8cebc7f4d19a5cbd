"""Where the statistics come from: recorded files, and the synthetic market."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.csv as pc
import pyarrow.parquet as pq

from tidegate_cli.calibration.days import DayFigures, DayTable
from tidegate_cli.calibration.profile import profile_of_bars, profile_of_frames
from tidegate_cli.calibration.quotes import QuoteFigures, QuoteTable
from tidegate_common.domain.ids import RunId, parse_symbol
from tidegate_common.domain.units import Float64Array
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import FeedSpec, RunSpec, SyntheticSpec
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import BarRows, QuoteRows, ReferenceRows
from tidegate_ingest.adapters.feed import describe_files, open_feed

DAILY_FILES: Final = {
    "227 shares of the CSI 300, 2020 to 2025": "daily/baostock_csi300_2020_2025.parquet",
    "1,305 shares, 2019 to 2020": "daily/tushare_raw_2019_2020.parquet",
}
QUOTE_FILES: Final = (
    "l2/sse_snapshot_20211201_0915_1030.parquet",
    "l2/szse_snapshot_20220601.parquet",
    "l2/sse_600519_snapshot_20230201.parquet",
    "l2/sse_600519_snapshot_20230202.parquet",
    "l2/szse_000333_snapshot_20230201.parquet",
    "l2/szse_000333_snapshot_20230202.parquet",
)
MINUTE_FILE: Final = "minute/bars_15min_2025_2026.parquet"
SECTOR_FILE: Final = "reference/industry_shenwan_l1_2023-03-20.csv"

# A day's close does not hang on its beats: few of them make many days. What a market does in some
# years hangs on its seed, as real years differ: the median of five is told.
SYNTHETIC_DAYS: Final = tuple(
    SyntheticSpec(seed=seed, instrument_count=200, day_count=600, beats_per_day=2)
    for seed in (1, 2, 3, 4, 5)
)
# As many beats as a Level-1 feed has, one in 3 seconds.
SYNTHETIC_QUOTES: Final = SyntheticSpec(
    seed=7,
    instrument_count=100,
    day_count=1,
    beats_per_day=5_120,
)


@dataclass(frozen=True, slots=True)
class Market:
    """The statistics of one market; quotes by price group, the profile by half hour."""

    days: dict[str, DayFigures]
    quotes: list[QuoteFigures | None]
    profile: Float64Array


def recorded_market(data: Path) -> Market:
    """Return the statistics of recorded files.

    Raises
    ------
    ConfigError
        If one of them is missing or cannot be read.
    """
    for name in (*DAILY_FILES.values(), *QUOTE_FILES, MINUTE_FILE, SECTOR_FILE):
        if not (data / name).is_file():
            message = f"{data / name} is not there: --data names a directory of recorded days"
            raise ConfigError(message)
    sectors = _sectors(data / SECTOR_FILE)
    return Market(
        {
            title: _day_figures(_file_frames([data / name]), sectors)
            for title, name in DAILY_FILES.items()
        },
        _quote_figures(_file_frames([data / name for name in QUOTE_FILES])),
        _minute_profile(data / MINUTE_FILE),
    )


def synthetic_market(days: Sequence[SyntheticSpec], quotes: SyntheticSpec) -> Market:
    """Return the statistics of synthetic markets, of days and of quotes."""
    frames = list(_frames(FeedSpec(synthetic=quotes)))
    return Market(
        {f"seed {each.seed}": _day_figures(_frames(FeedSpec(synthetic=each)), {}) for each in days},
        _quote_figures(frames),
        profile_of_frames(frames),
    )


def _file_frames(paths: Sequence[Path]) -> Iterator[Frame]:
    return _frames(FeedSpec(files=describe_files([path.absolute() for path in paths])))


def _frames(feed: FeedSpec) -> Iterator[Frame]:
    return open_feed(RunSpec(RunId("calibration"), (), (), feed)).frames()


def _day_figures(frames: Iterable[Frame], sectors: Mapping[int, str]) -> DayFigures:
    """Return what days are like; sectors that the frames know come before those given."""
    table, known = DayTable(), dict(sectors)
    for frame in frames:
        if isinstance(frame.rows, ReferenceRows):
            reference = frame.rows
            told = zip(reference.instrument.tolist(), reference.sector.tolist(), strict=True)
            known.update((instrument, sector) for instrument, sector in told if sector)
        elif isinstance(frame.rows, BarRows):
            table.add(reference, frame.rows)
    return table.figures(known)


def _quote_figures(frames: Iterable[Frame]) -> list[QuoteFigures | None]:
    table = QuoteTable()
    beats: list[QuoteRows] = []
    for frame in frames:
        if isinstance(frame.rows, QuoteRows):
            beats.append(frame.rows)
        elif isinstance(frame.rows, BarRows):
            table.add_day(beats)
            beats = []
    return table.figures()


def _sectors(path: Path) -> dict[int, str]:
    """Return the sectors of recorded shares; codes are written as sh.600000."""
    table = pc.read_csv(path).select(["code", "industry"])
    codes, industries = (column.to_pylist() for column in table.columns)
    return {
        parse_symbol(f"{code[3:]}.{code[:2].upper()}"): industry
        for code, industry in zip(codes, industries, strict=True)
        if industry
    }


def _minute_profile(path: Path) -> Float64Array:
    table = pq.read_table(path, columns=["symbol", "date", "time", "volume"]).to_pandas()
    day = table.groupby(["symbol", "date"]).ngroup().to_numpy()
    hours, minutes, _ = (
        table["time"].astype(str).str.split(":", expand=True).astype(int).T.to_numpy()
    )
    seconds = np.asarray(hours * 3_600 + minutes * 60)
    return profile_of_bars(day, seconds, table["volume"].to_numpy())
