"""The synthetic market as a feed."""

from functools import partial

from tidegate_common.errors import ConfigError
from tidegate_common.events.run import RunSpec, SyntheticSpec
from tidegate_ingest.adapters.day_feed import DayFeed
from tidegate_ingest.engine.quality import FeedCounts
from tidegate_ingest.engine.synthetic import INSTRUMENT_COUNT_MAX, synthetic_days

# A day is generated at once: 10^6 rows of 26 integers, a few times over, are under a gigabyte.
ROWS_PER_DAY_MAX = 1_000_000
DAY_COUNT_MAX = 10_000


def open_synthetic(spec: RunSpec, market: SyntheticSpec) -> DayFeed:
    """Return the feed of a generated market.

    Raises
    ------
    ConfigError
        If a number of the spec is out of range.
    """
    beats_max = ROWS_PER_DAY_MAX // max(market.instrument_count, 1)
    _check("seed", market.seed, 0, 2**63 - 1)
    _check("instrument_count", market.instrument_count, 1, INSTRUMENT_COUNT_MAX)
    _check("day_count", market.day_count, 1, DAY_COUNT_MAX)
    _check("beats_per_day", market.beats_per_day, 1, beats_max)
    day_count = market.day_count
    if spec.feed.day_count_max:
        day_count = min(day_count, spec.feed.day_count_max)
    # OPEN and CLOSE come on top of a day's ticks.
    beat_count = day_count * (market.beats_per_day + 2)
    chosen = SyntheticSpec(market.seed, market.instrument_count, day_count, market.beats_per_day)
    return DayFeed(spec, partial(synthetic_days, chosen), day_count, beat_count, FeedCounts())


def _check(name: str, value: int, smallest: int, largest: int) -> None:
    if not smallest <= value <= largest:
        message = f"synthetic {name} must be in {smallest}..{largest}, was {value}"
        raise ConfigError(message)
