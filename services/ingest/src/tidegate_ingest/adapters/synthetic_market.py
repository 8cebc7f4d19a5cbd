"""The synthetic market as a feed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tidegate_common.codec import encode_event
from tidegate_common.errors import ConfigError
from tidegate_common.events.ingest import RejectedRow
from tidegate_common.events.run import RunSpec, SyntheticSpec
from tidegate_common.frames.frame import Frame
from tidegate_ingest.adapters.reference_file import refuse_reference
from tidegate_ingest.engine.quality import FeedCounts
from tidegate_ingest.engine.synthetic.market import SyntheticMarket
from tidegate_ingest.engine.synthetic.shares import INSTRUMENT_COUNT_MAX

# Every second of a day's trading, some times over.
BEATS_PER_DAY_MAX = 100_000
DAY_COUNT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class SyntheticFeed:
    """A generated market; each call of `frames` begins anew and gives the same bytes.

    Beats are made one after another: memory holds a few of them, however long the run.

    counts : no rows are read.
    """

    spec: RunSpec
    market: SyntheticMarket
    counts: FeedCounts = field(default_factory=FeedCounts)

    @property
    def beat_count(self) -> int:
        """Beats of all days."""
        return self.market.beat_count

    @property
    def is_checked(self) -> bool:
        """Whether it is known which rows are refused: none are."""
        return True

    def rejects(self) -> Iterator[Sequence[RejectedRow]]:
        """Return no rows: what was made has no faults."""
        return iter(())

    def frames(self) -> Iterator[Frame]:
        """Yield the beats, whole market, shard 0; the first one carries the run's spec."""
        run_spec = encode_event(self.spec).decode()
        for frame in self.market.frames(self.spec.run_id):
            yield replace(frame, run_spec=run_spec) if frame.stamp.beat == 0 else frame


def open_synthetic(spec: RunSpec, market: SyntheticSpec) -> SyntheticFeed:
    """Return the feed of a generated market.

    Raises
    ------
    ConfigError
        If a number of the spec is out of range.
    """
    refuse_reference(spec.feed, "a synthetic market")
    _check("seed", market.seed, 0, 2**63 - 1)
    _check("instrument_count", market.instrument_count, 1, INSTRUMENT_COUNT_MAX)
    _check("day_count", market.day_count, 1, DAY_COUNT_MAX)
    _check("beats_per_day", market.beats_per_day, 1, BEATS_PER_DAY_MAX)
    if spec.feed.day_count_max:
        market = replace(market, day_count=min(market.day_count, spec.feed.day_count_max))
    return SyntheticFeed(spec, SyntheticMarket(market))


def _check(name: str, value: int, smallest: int, largest: int) -> None:
    if not smallest <= value <= largest:
        message = f"synthetic {name} must be in {smallest}..{largest}, was {value}"
        raise ConfigError(message)
