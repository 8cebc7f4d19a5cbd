"""A feed over days that are ready to be told."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from tidegate_common.codec import encode_event
from tidegate_common.events.run import RunSpec
from tidegate_common.frames.frame import Frame
from tidegate_ingest.engine.quality import FeedCounts
from tidegate_ingest.engine.sequencer import ToldDay, sequence_days


@dataclass(frozen=True, slots=True)
class DayFeed:
    """A finite feed; each call of `frames` begins anew and gives the same bytes.

    make_days : returns `day_count` days; called once for each reading.
    beat_count : beats of all days.
    counts : of rows read from files; a generated market reads none.
    """

    spec: RunSpec
    make_days: Callable[[], Iterable[ToldDay]]
    day_count: int
    beat_count: int
    counts: FeedCounts

    def frames(self) -> Iterator[Frame]:
        """Yield the beats, whole market, shard 0; the first one carries the run's spec."""
        run_spec = encode_event(self.spec).decode()
        for frame in sequence_days(self.spec.run_id, self.make_days(), self.day_count):
            yield replace(frame, run_spec=run_spec) if frame.stamp.beat == 0 else frame
